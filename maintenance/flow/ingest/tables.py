"""What a table that can be brought in is: its fields, and the verb that keeps its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from maintenance.flow.ingest.fields import Field, Row
from maintenance.flow.ingest.refusals import Outcome
from maintenance.flow.ingest.upsert import Origin
from maintenance.models import Site

Save: TypeAlias = Callable[[Site, list[Row], Origin], Outcome]


@dataclass(frozen=True)
class Table:
    """`by_blocks`: a long table of events may be kept piece by piece, others only as a whole."""

    name: str
    about: str
    fields: tuple[Field, ...]
    save: Save
    by_blocks: bool = False

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)
