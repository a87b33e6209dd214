"""Planted faults told, and good readings left alone: what `benchmarks.quality` counts."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.planted_faults import (
    HOUR_US,
    Fault,
    Floats,
    Ints,
    Point,
    batches,
    disturbed,
    planted,
    points,
)
from maintenance.store.arrays import differing, sorted_once
from predictors.limits import learn
from predictors.quality import Kind, Stretch, check, clock_faults

# Clean points come from another plant than those that bear faults.
CLEAN = 1000

Told = dict[Kind, list[Stretch | Fault]]


@dataclass
class Counts:
    """Faults planted and found, readings of clean points and those of them flagged, by kind."""

    planted: Counter[Kind] = field(default_factory=Counter)
    found: Counter[Kind] = field(default_factory=Counter)
    flagged: Counter[Kind] = field(default_factory=Counter)
    readings: int = 0
    habitual_us: int = 0


def measure(
    *,
    seeds: Sequence[int],
    assets: int,
    days: int,
    minutes: int,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Recall by kind over the planted sets, false flags by kind over the clean ones."""
    began = time.process_time()
    counts = Counts()
    for seed in seeds:
        made = points(seed=seed, assets=assets, days=days, minutes=minutes)
        for number, point in enumerate(made):
            faulty = planted(point, number, np.random.default_rng([seed, 2, number]))
            for missed in _count_found(counts, faulty):
                if tell is not None:
                    tell(f"seed {seed}, {point.character}, {point.unit}: {missed} not found")
        made = points(seed=CLEAN + seed, assets=assets, days=days, minutes=minutes)
        for number, point in enumerate(made):
            _count_flagged(counts, disturbed(point, np.random.default_rng([seed, 3, number])))
    recall = {kind.value: counts.found[kind] / max(1, counts.planted[kind]) for kind in Kind}
    of_readings = {
        kind.value: counts.flagged[kind] / counts.readings for kind in Kind if kind != Kind.STALE
    }
    of_habit = counts.flagged[Kind.STALE] / max(1, counts.habitual_us)
    return {
        "recall": recall,
        "least_recall": min(recall.values()),
        "false_flags_by_kind": {"stale": of_habit, **of_readings},
        "false_flags": max(of_habit, sum(of_readings.values())),
        "planted": {kind.value: counts.planted[kind] for kind in Kind},
        "clean_readings": counts.readings,
        "seeds": list(seeds),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def _count_found(counts: Counts, faulty: Point) -> list[str]:
    """Which kinds were not found."""
    told, missed = judged(faulty), []
    for fault in faulty.faults:
        counts.planted[fault.kind] += 1
        if is_found(fault, told[fault.kind]):
            counts.found[fault.kind] += 1
        else:
            missed.append(fault.kind.value)
    return missed


def _count_flagged(counts: Counts, clean: Point) -> None:
    told, at_us = judged(clean), np.unique(clean.at_us)
    counts.readings += len(at_us)
    for kind in Kind:
        if kind is not Kind.STALE:
            counts.flagged[kind] += _readings_in(told[kind], at_us)
    # Instants at which the sensor spoke and, as is its habit, nothing was sent.
    silent = clean.spoke_us[~np.isin(clean.spoke_us, at_us)]
    counts.habitual_us += len(silent) * clean.sampling_us
    counts.flagged[Kind.STALE] += _readings_in(told[Kind.STALE], silent) * clean.sampling_us


def judged(point: Point) -> Told:
    """Everything the checks say of a point: on arrival, and of what came to be stored."""
    at_us, values, skewed, conflicts = _received(point)
    told: Told = defaultdict(list)
    told[Kind.CLOCK_SKEW].append(Fault(Kind.CLOCK_SKEW, skewed))
    told[Kind.CONFLICT].append(Fault(Kind.CONFLICT, conflicts))
    believed = ~np.isin(at_us, skewed)
    limits = learn(at_us[believed], values[believed], standing=point.standing)
    limits = limits.declared(
        sampling_seconds=point.sampling_us / 1e6, low=point.low, high=point.high
    )
    for stretch in check(
        at_us[believed], values[believed], limits, unit=point.unit, standing=point.standing
    ):
        told[stretch.kind].append(stretch)
    return told


def _received(point: Point) -> tuple[Ints, Floats, Ints, Ints]:
    """What is stored in the end, and the instants flagged while it arrived."""
    known_us, count = np.empty(len(point.at_us), np.int64), 0
    skewed: list[Ints] = []
    behind_us: int | None = None
    for arrived_us, part in batches(point, every_us=HOUR_US):
        at_us = np.sort(point.at_us[part])
        wrong = clock_faults(
            at_us,
            arrived_us=arrived_us,
            known_us=known_us[:count],
            sampling_us=point.sampling_us,
            behind_us=behind_us,
        )
        if wrong.any():
            skewed.append(at_us[wrong])
            if arrived_us > at_us[wrong][-1]:
                behind_us = arrived_us - int(at_us[wrong][-1])
        rises = not count or at_us[0] > known_us[count - 1]
        known_us[count : count + len(at_us)] = at_us
        count += len(at_us)
        if not rises:
            known_us[:count].sort()
    ids = np.zeros(len(point.at_us), np.int64)
    kept, again = sorted_once(ids, point.at_us, point.values)
    other = differing(again, kept)
    return kept.at_us, kept.values, _joined(skewed), other.at_us


def _joined(parts: Iterable[Ints]) -> Ints:
    return np.concatenate([np.empty(0, np.int64), *parts])


def is_found(fault: Fault, told: Sequence[Stretch | Fault]) -> bool:
    """At least half of it was told."""
    if fault.kind is Kind.STALE:
        since, until = int(fault.at_us[0]), int(fault.at_us[-1])
        over = sum(
            max(0, min(until, each.end_us) - max(since, each.start_us))
            for each in told
            if isinstance(each, Stretch)
        )
        return over >= (until - since) / 2
    return _readings_in(told, fault.at_us) >= len(fault.at_us) / 2


def _readings_in(told: Sequence[Stretch | Fault], at_us: Ints) -> int:
    inside: npt.NDArray[np.bool_] = np.zeros(len(at_us), np.bool_)
    for each in told:
        if isinstance(each, Stretch):
            inside |= (at_us >= each.start_us) & (at_us <= each.end_us)
        else:
            inside |= np.isin(at_us, each.at_us)
    return int(inside.sum())
