"""What may be chosen of a simulated plant."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from predictors.errors import SimulationError
from predictors.schema import DAY_US

MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantConfig:
    """A plant, its history and its workforce; equal configurations give equal plants.

    Attributes:
        end_us: the as-of instant (UTC microseconds); history is the ``days`` before it.
        assets: how many, dealt evenly over the asset classes; at least one each.
        sampling_minutes: base interval of readings; must divide a day. Slow points take every
            second sample: 2 hours give 64 assets 1.4 million readings in 540 days.
        warm_up_days: lived before the history begins and never reported, so that components
            start the history at mixed ages; what was installed then is known by its date.
        backlog_days, postponed: in the last ``backlog_days`` a replacement that falls due by its
            fixed interval is postponed with probability ``postponed``: the backlog of a plant
            that has loosened its interval maintenance, which leaves more worth doing than the
            crew can do. 0 keeps the intervals to the end.
        technicians: how many; their skills repeat every 16.
        outlook_days: how far ahead absences, deliveries and access windows are known.

    Raises `SimulationError` naming the field.

    >>> PlantConfig(end_us=600 * DAY_US).start_us // DAY_US
    60
    """

    end_us: int
    seed: int = 1
    assets: int = 64
    days: int = 540
    sampling_minutes: int = 120
    warm_up_days: int = 400
    backlog_days: int = 70
    postponed: float = 0.9
    technicians: int = 16
    outlook_days: int = 42
    time_zone: str = "Europe/Madrid"
    currency: str = "EUR"

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("assets", 4), ("days", 1), ("technicians", 1)):
            self._refuse(name, getattr(self, name) < least, f"at least {least}")
        for name in ("warm_up_days", "backlog_days", "outlook_days"):
            self._refuse(name, getattr(self, name) < 0, "0 or more")
        self._refuse("postponed", not 0 <= self.postponed <= 1, "within 0 and 1")
        minutes = self.sampling_minutes
        self._refuse(
            "sampling_minutes", minutes < 1 or 1440 % (2 * minutes) != 0, "half-divisor of 1440"
        )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise SimulationError(f"time_zone: {self.time_zone!r} is not known") from error

    def _refuse(self, name: str, is_wrong: bool, rule: str) -> None:  # noqa: FBT001
        if is_wrong:
            raise SimulationError(f"{name}: {getattr(self, name)!r} must be {rule}")

    @property
    def start_us(self) -> int:
        """The instant from which history is reported."""
        return self.end_us - self.days * DAY_US

    @property
    def birth_us(self) -> int:
        """The instant at which the warm-up starts."""
        return self.start_us - self.warm_up_days * DAY_US
