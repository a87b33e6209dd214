"""A clock that tests set."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

START = dt.datetime(2026, 3, 2, 6, tzinfo=dt.UTC)


@dataclass
class Clock:
    now: dt.datetime = START

    def __call__(self) -> dt.datetime:
        return self.now

    def passes(self, **duration: float) -> None:
        self.now += dt.timedelta(**duration)
