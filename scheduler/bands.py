"""The starts of a job, by day and price: what both CP-SAT models choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.options import Instance, JobOptions, Waiver
from scheduler.state import State


@dataclass(frozen=True)
class Band:
    """Starts of one day at one price; ``least_cost`` adds the cheapest crew there is for them."""

    day: int
    price: int
    starts: int
    least_cost: int


def bands_of(instance: Instance, pins: State, options: JobOptions) -> list[Band]:
    """The bands in which a job is possible beside the pins and may pay."""
    return list(_bands(instance, pins, options))


def _bands(instance: Instance, pins: State, options: JobOptions) -> Iterator[Band]:
    """The bands in which the job is possible beside the pins, and pays."""
    alone = options if options.forced else _without_order(instance, options)
    in_order = options.starts if options.forced else pins.starts_in_order(options)
    pays = not instance.successors[options.index] and not options.forced
    for price, starts in options.prices:
        for day in range(instance.problem.day_count):
            of_day = starts & in_order & options.starts & instance.day_starts[day]
            best = pins.best(alone, within=of_day) if of_day else None
            if best is None or (pays and best.cost >= options.leave_out_cost):
                continue
            open_starts = pins.possible_starts(alone) & of_day
            yield Band(day, price, open_starts, best.cost)


def _without_order(instance: Instance, options: JobOptions) -> JobOptions:
    if not instance.predecessors[options.index] and not instance.successors[options.index]:
        return options
    return instance.options_of(options.index, frozenset({Waiver.predecessor}))
