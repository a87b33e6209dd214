"""Readings of one point as bytes, and back, bit for bit.

Pcodec finds what sensors have in common: instants at one distance, values of few decimals that
change little from one to the next. What it writes carries its own header and version.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, standalone

from maintenance.store.arrays import Floats, Ints

_AS_DIFFERENCES = ChunkConfig(compression_level=2, delta_spec=DeltaSpec.try_consecutive(1))


class CorruptSegmentError(Exception):
    """What a segment holds is not what was written."""


def pack(array: Ints | Floats) -> bytes:
    """
    >>> unpack_values(pack(np.array([20.125, -0.0, 5e-324]))).tolist()
    [20.125, -0.0, 5e-324]
    """
    packed: bytes = standalone.simple_compress(np.ascontiguousarray(array), _AS_DIFFERENCES)
    return packed


def unpack_instants(packed: bytes) -> Ints:
    """Raises CorruptSegmentError."""
    instants: Ints = _unpacked(packed, np.dtype(np.int64))
    return instants


def unpack_values(packed: bytes) -> Floats:
    """Raises CorruptSegmentError."""
    values: Floats = _unpacked(packed, np.dtype(np.float64))
    return values


def _unpacked(packed: bytes, kind: np.dtype[Any]) -> NDArray[Any]:
    try:
        found = standalone.simple_decompress(bytes(packed))
    except (RuntimeError, TypeError) as error:
        raise CorruptSegmentError(str(error)) from None
    if not isinstance(found, np.ndarray) or found.dtype != kind:
        raise CorruptSegmentError(f"holds no {kind}")
    return found
