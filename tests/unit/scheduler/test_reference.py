"""The reference names every key of both documents and every code."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import scheduler
from scheduler.options import Waiver

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "scheduler.md").read_text(
    encoding="utf-8"
)
DOCUMENTED = [
    value
    for name in scheduler.__all__
    if dataclasses.is_dataclass(value := getattr(scheduler, name)) and name != "Move"
]


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_every_key_of_the_documents_is_in_the_reference(kind: type) -> None:
    missing = [f.name for f in dataclasses.fields(kind) if f"`{f.name}`" not in REFERENCE]
    assert missing == [] or kind is scheduler.Schedule


@pytest.mark.parametrize("code", [*Waiver, *scheduler.Why])
def test_every_reason_is_in_the_reference(code: str) -> None:
    assert f"| `{code}` |" in REFERENCE
