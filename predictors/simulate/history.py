"""What the plant's doors delivered in a window: readings, error codes, failures, replacements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from predictors.simulate.register import point_code
from predictors.simulate.signals import Calendar, PointReadings, read_error_codes, read_signals
from predictors.simulate.simulator import FailureEvent, PlantSimulator, RenewalEvent, SimulatedAsset


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What became known in (since, until]; instants in UTC microseconds.

    ``readings``: point (categorical), at_us, value; by point, then instant.
    ``error_events``: asset, code, at_us.
    ``failures``: asset, mode, component, failed_us.
    ``replacements``: asset, mode, component, replaced_us (the new component's first instant),
    reason (failure or preventive), as_found.
    ``downtimes``: asset, starts_us, ends_us, reason; those that ended in the window.
    """

    readings: pd.DataFrame
    error_events: pd.DataFrame
    failures: pd.DataFrame
    replacements: pd.DataFrame
    downtimes: pd.DataFrame


def observe(simulator: PlantSimulator, since_us: int, until_us: int) -> Observed:
    """Render the window (since, until]; it must have been lived (`PlantSimulator.advance`)."""

    def inside(at_us: int) -> bool:
        return since_us < at_us <= until_us

    return Observed(
        readings=_readings(simulator, since_us, until_us),
        error_events=_error_events(simulator, since_us, until_us),
        failures=_failures(simulator, inside),
        replacements=_replacements(simulator, inside),
        downtimes=_downtimes(simulator, inside),
    )


def installations_at(simulator: PlantSimulator, at_us: int) -> pd.DataFrame:
    """Components in place at an instant: asset, component, mode, installed_us (maybe long ago)."""
    rows = [
        (asset.code, mode.component, mode.code, life.installed_us)
        for asset in simulator.assets
        for mode in asset.asset_class.modes
        for life in simulator.lives(asset.code, mode.code)
        if life.installed_us <= at_us and (life.ended_us is None or life.ended_us > at_us)
    ]
    return pd.DataFrame(rows, columns=["asset", "component", "mode", "installed_us"])


def _readings(simulator: PlantSimulator, since_us: int, until_us: int) -> pd.DataFrame:
    calendar = Calendar.of(simulator.config, since_us, until_us)
    codes: list[str] = []
    found: list[PointReadings] = []
    for asset in simulator.assets:
        for point in read_signals(simulator, asset, calendar):
            codes.append(point_code(asset, point.signal.quantity))
            found.append(point)
    numbers = np.repeat(np.arange(len(codes)), [len(point.at_us) for point in found])
    return pd.DataFrame(
        {
            "point": pd.Categorical.from_codes(numbers, pd.Index(codes)),
            "at_us": np.concatenate([point.at_us for point in found]),
            "value": np.concatenate([point.values for point in found]),
        }
    )


def _error_events(simulator: PlantSimulator, since_us: int, until_us: int) -> pd.DataFrame:
    rows = [
        (asset.code, code, at_us)
        for asset in simulator.assets
        for at_us, code in read_error_codes(simulator, asset, since_us, until_us)
    ]
    return pd.DataFrame(rows, columns=["asset", "code", "at_us"])


def _failures(simulator: PlantSimulator, inside: Callable[[int], bool]) -> pd.DataFrame:
    rows = [
        (event.asset.code, event.mode.code, event.mode.component, event.failed_us)
        for event in simulator.failures
        if inside(event.failed_us)
    ]
    return pd.DataFrame(rows, columns=["asset", "mode", "component", "failed_us"])


def _replacements(simulator: PlantSimulator, inside: Callable[[int], bool]) -> pd.DataFrame:
    corrective = [
        (*_component(event), event.restarted_us, "failure", "failed")
        for event in simulator.failures
        if inside(event.restarted_us)
    ]
    preventive = [
        (*_component(event), event.restarted_us, "preventive", event.as_found)
        for event in simulator.renewals
        if inside(event.restarted_us)
    ]
    columns = ["asset", "mode", "component", "replaced_us", "reason", "as_found"]
    frame = pd.DataFrame([*corrective, *preventive], columns=columns)
    return frame.sort_values(["replaced_us", "asset"], ignore_index=True)


def _downtimes(simulator: PlantSimulator, inside: Callable[[int], bool]) -> pd.DataFrame:
    events: Sequence[tuple[int, int, SimulatedAsset, str]] = [
        *((e.failed_us, e.restarted_us, e.asset, "failure") for e in simulator.failures),
        *((e.replaced_us, e.restarted_us, e.asset, "preventive") for e in simulator.renewals),
    ]
    rows = [
        (asset.code, starts_us, ends_us, reason)
        for starts_us, ends_us, asset, reason in sorted(events, key=lambda event: event[:2])
        if inside(ends_us)
    ]
    return pd.DataFrame(rows, columns=["asset", "starts_us", "ends_us", "reason"])


def _component(event: FailureEvent | RenewalEvent) -> tuple[str, str, str]:
    return event.asset.code, event.mode.code, event.mode.component
