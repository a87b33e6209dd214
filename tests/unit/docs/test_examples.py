"""Examples in the pages work as they stand."""

import re
from pathlib import Path

import pytest

from maintenance.sources import mappings
from tests.unit.docs.documents import PAGES, ROOT, code, name

TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAPPING = re.compile(r"--mapping[ =]([\w./-]+)")
PLACES = [*PAGES, *sorted((ROOT / "templates").rglob("*.html"))]


def examples() -> list[tuple[str, str]]:
    return [
        (f"{name(page)} {number}", text)
        for page in PAGES
        for number, text in enumerate(TOML.findall(page.read_text(encoding="utf-8")))
        if "[[tables]]" in text
    ]


@pytest.mark.parametrize(("place", "text"), examples(), ids=[place for place, _ in examples()])
def test_a_mapping_that_is_shown_can_be_loaded(place: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(text, encoding="utf-8")
    assert mappings.load(str(path)).tables


@pytest.mark.parametrize("page", PLACES, ids=name)
def test_a_mapping_that_is_named_is_shipped_or_a_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in code(text) if page.suffix == ".md" else text.splitlines():
        for mapping in MAPPING.findall(line):
            known = mapping in mappings.shipped() or mapping.endswith(".toml")
            assert known, f"{name(page)}: {line}"
