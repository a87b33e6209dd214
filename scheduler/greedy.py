"""A first schedule at once: the pins, then every job by what it saves.

Also the two repairs that every later step ends with: fill what can still be filled, drop what no
longer pays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from scheduler.options import Instance, JobOptions
from scheduler.state import Placement, State


def place_pins(state: State) -> frozenset[int]:
    """Place every pinned job; return those whose crew is settled too.

    A pin is kept whatever it breaks: its start always, its people if they are named. A pin that
    names nobody gets the cheapest complete crew, or as many as there are.
    """
    instance = state.instance
    pinned = [(o, o.job.pin) for o in instance.options if o.job.pin is not None]
    settled = set()
    for options, pin in pinned:
        if pin.technician_ids is not None:
            crew = tuple(instance.technician_index[i] for i in pin.technician_ids)
            _place_pin(state, options, pin.start_minute, crew)
            settled.add(options.index)
    for options, pin in pinned:
        if pin.technician_ids is None and not _crew_pin(state, options, pin.start_minute):
            settled.add(options.index)
    return frozenset(settled)


def _crew_pin(state: State, options: JobOptions, start: int) -> bool:
    """Find people for a pin that names nobody; False where no complete crew is free."""
    crew = state.crew_at(options, start)
    if crew is None:
        _place_pin(state, options, start, state.partial_crew_at(options, start))
        return False
    _place_pin(state, options, start, crew)
    return True


def _place_pin(state: State, options: JobOptions, start: int, crew: tuple[int, ...]) -> None:
    state.place(Placement(options.index, start, crew, state.price_at(options, start, crew)))


def greedy(state: State) -> None:
    """Place every job that pays, those that save most for each person-hour first."""
    fill(state, by_saving(state.instance))


def by_saving(instance: Instance) -> list[int]:
    """Jobs by what they save, predecessors before those that wait for them."""
    worth = [_worth(instance, index) for index in range(len(instance.options))]
    return in_order(instance, range(len(worth)), lambda index: -worth[index])


def by_saving_for_each_hour(instance: Instance) -> list[int]:
    """The same, by what they save for each hour of work."""

    def rate(index: int) -> float:
        job = instance.options[index].job
        return -_worth(instance, index) / (job.duration_minutes * max(1, len(job.seats)))

    return in_order(instance, range(len(instance.options)), rate)


def _worth(instance: Instance, index: int) -> int:
    """What a job may save, with what it makes possible."""
    own = instance.options[index].most_saved
    return own + sum(_worth(instance, after) for after in instance.successors[index])


def in_order(instance: Instance, indexes: Sequence[int], key: Callable[[int], float]) -> list[int]:
    """These jobs by ``key``, each after its predecessors among them."""
    wanted = set(indexes)
    ordered: dict[int, None] = {}

    def add(index: int) -> None:
        if index in ordered or index not in wanted:
            return
        for predecessor in instance.predecessors[index]:
            add(predecessor)
        ordered[index] = None

    for index in sorted(indexes, key=lambda i: (key(i), i)):
        add(index)
    return list(ordered)


def fill(state: State, order: Iterable[int]) -> None:
    """Place each job that is not placed yet where it is cheapest, if that pays."""
    for index in order:
        if index not in state.placed:
            found = state.best(state.instance.options[index], below=pays_below(state, index))
            if found is not None:
                state.place(found)
    drop_losers(state)


def pays_below(state: State, index: int) -> int:
    """The cost up to which doing a job may pay, counting what it makes possible."""
    instance = state.instance
    hoped = sum(_worth(instance, after) for after in instance.successors[index])
    return instance.options[index].leave_out_cost + hoped


def drop_losers(state: State) -> None:
    """Take away jobs that cost more than leaving them out and that nothing waits for."""
    for placement in sorted(state.placed.values(), key=lambda p: (-p.start, p.job)):
        options = state.instance.options[placement.job]
        needed = any(after in state.placed for after in state.instance.successors[options.index])
        if not needed and placement.cost >= options.leave_out_cost:
            state.take_away(options.index)
