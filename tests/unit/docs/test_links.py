"""A link leads somewhere, and so does each file that a page names."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.documents import DOCS, FENCED, PAGES, ROOT, inline, name

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = (
    "benchmarks|config|deploy|docs|locale|maintenance|predictors|scheduler|static|templates|tests"
)
ALONE = r"[A-Z]+(?:\.es)?\.md|Makefile|Procfile|(?:compose|pyproject)\.\w+|requirements[\w-]*\.txt"
FILE = re.compile(rf"(?:{FOLDERS})/[\w./-]*|{ALONE}")


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)}: {target}"
        assert not anchor or anchor in anchors(there), f"{name(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    for word in inline(page.read_text(encoding="utf-8")):
        if FILE.fullmatch(word):
            assert (ROOT / word).exists() or (page.parent / word).exists(), f"{name(page)}: {word}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md", *DOCS.glob("adr/*.md")]  # the folder of decisions is linked
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = LINK.findall(page.read_text(encoding="utf-8"))
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link
        ]
    assert set(PAGES) - reached == set()
