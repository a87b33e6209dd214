"""What nobody in the plant knows: when components will fail, and how worn they are.

Kept apart from everything a feature may read. For judging forecasts, and for the policies that
stand for perfect knowledge of the state (`Truth.risk`) or of the future (`Truth.remaining_days`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from predictors.errors import SimulationError
from predictors.schema import DAY_US
from predictors.simulate.catalogue import FailureMode
from predictors.simulate.lives import Life, true_risk
from predictors.simulate.simulator import PlantSimulator, SimulatedAsset

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """Questions to the hidden state of a plant; instants in UTC microseconds, durations in days."""

    simulator: PlantSimulator

    def lives(self) -> pd.DataFrame:
        """Every life: asset, mode, life_number, installed_us, damage_us, fails_us, ended_us, end.

        ``damage_us`` is when damage begins (missing for modes without warning), ``fails_us`` when
        the component fails or would have failed; ``end`` is failure, renewal or running.
        """
        rows = [_life_row(asset, mode, life) for asset, mode, life in self._all_lives()]
        frame = pd.DataFrame(rows)
        return frame.astype({"damage_us": "Int64", "ended_us": "Int64"})

    def states(self, at_us: int) -> pd.DataFrame:
        """Components at an instant: asset, mode, age_days, severity, remaining_days.

        A component that waits for its repair is not listed.
        """
        rows = [
            {
                "asset": asset.code,
                "mode": mode.code,
                "age_days": float(life.worked_at(at_us)),
                "severity": float(life.severity_at(at_us)),
                "remaining_days": (life.fails_us - at_us) / DAY_US,
            }
            for asset, mode, life in self._all_lives()
            if _lives_at(life, at_us)
        ]
        return pd.DataFrame(
            rows, columns=["asset", "mode", "age_days", "severity", "remaining_days"]
        )

    def severity(self, asset: str, mode: str, at_us: int) -> float:
        """Damage of a component, 0 to 1."""
        return float(self._life(asset, mode, at_us).severity_at(at_us))

    def remaining_days(self, asset: str, mode: str, at_us: int) -> float:
        """Days to the failure that comes unless somebody acts or the asset stops before."""
        return (self._life(asset, mode, at_us).fails_us - at_us) / DAY_US

    def risk(self, asset: str, mode: str, at_us: int, horizon_days: int) -> Floats:
        """P(failure within h days | true state), h = 0..horizon: float64[horizon_days + 1]."""
        life = self._life(asset, mode, at_us)
        simulated, failure_mode = self._named(asset, mode)
        return true_risk(
            failure_mode.wear,
            factor=simulated.life_factor,
            worked_days=float(life.worked_at(at_us)),
            severity=float(life.severity_at(at_us)),
            horizon_days=horizon_days,
        )

    def risk_when_new(self, asset: str, mode: str, horizon_days: int) -> Floats:
        """P(failure by age h) of a new component of this asset: 1 - survival, by day."""
        simulated, failure_mode = self._named(asset, mode)
        return true_risk(
            failure_mode.wear,
            factor=simulated.life_factor,
            worked_days=0.0,
            severity=0.0,
            horizon_days=horizon_days,
        )

    def _life(self, asset: str, mode: str, at_us: int) -> Life:
        for life in self.simulator.lives(asset, mode):
            if _lives_at(life, at_us):
                return life
        raise SimulationError(f"asset {asset}, mode {mode}: no component at work at {at_us}")

    def _named(self, asset: str, mode: str) -> tuple[SimulatedAsset, FailureMode]:
        simulated = next(known for known in self.simulator.assets if known.code == asset)
        return simulated, next(m for m in simulated.asset_class.modes if m.code == mode)

    def _all_lives(self) -> Iterator[tuple[SimulatedAsset, FailureMode, Life]]:
        for asset in self.simulator.assets:
            for mode in asset.asset_class.modes:
                for life in self.simulator.lives(asset.code, mode.code):
                    yield asset, mode, life


def _lives_at(life: Life, at_us: int) -> bool:
    return life.installed_us <= at_us and (life.ended_us is None or at_us < life.ended_us)


def _life_row(asset: SimulatedAsset, mode: FailureMode, life: Life) -> dict[str, object]:
    end = "running" if life.ended_us is None else "failure" if life.is_failed else "renewal"
    return {
        "asset": asset.code,
        "mode": mode.code,
        "life_number": life.number,
        "installed_us": life.installed_us,
        "damage_us": int(life.at_us[1]) if mode.wear.warning_days else pd.NA,
        "fails_us": life.fails_us,
        "ended_us": pd.NA if life.ended_us is None else life.ended_us,
        "end": end,
    }
