"""What the statements of the store have in common on both databases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection


def of_points(column: str = "point_id") -> str:
    """A condition on many points, whose one parameter is what `as_parameter` makes of them."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)"
    return f"{column} IN (SELECT value FROM json_each(%s))"


def as_parameter(point_ids: Sequence[int]) -> Any:
    wanted = list(point_ids)
    return wanted if connection.vendor == "postgresql" else json.dumps(wanted)
