"""Random draws keyed by what they decide, so that no decision disturbs another's chance.

A life keyed by (seed, asset, mode, life number) is the same life under every policy; a week of
noise keyed by (seed, asset, week) is the same noise however the plant is advanced.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a draw is for; one independent stream each."""

    ASSET = 1
    LIFE = 2
    REPAIR = 3
    INTERVAL = 4
    SIGNAL = 5
    CHATTER = 6
    ABSENCE = 7


def draw(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """The generator of one decision; equal keys give equal draws.

    >>> draw(1, Stream.LIFE, 4, 2).random() == draw(1, Stream.LIFE, 4, 2).random()
    True
    """
    return np.random.default_rng([seed, int(stream), *key])
