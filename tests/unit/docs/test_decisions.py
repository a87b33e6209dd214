"""Decisions are dated, numbered without gaps, and say how they stand."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.unit.docs.documents import DOCS, read

DECISIONS = sorted((DOCS / "adr").glob("*.md"))
STATES = ("accepted", "superseded by ", "proposed")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_a_title_a_date_and_a_status(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem[:4]}. ")
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, flags=re.MULTILINE)
    status = re.search(r"^- Status: (.+)$", text, flags=re.MULTILINE)
    assert status
    assert status[1].startswith(STATES)


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_why_what_and_what_follows(page: Path) -> None:
    heads = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert heads[:3] == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(page.stem[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_order_of_imports_that_is_told_is_the_one_in_force() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["id"] == "application")
    told = " ".join(read("docs/adr/0010-sources-stand-below-tasks.md").split())
    assert " -> ".join(layers) in told
