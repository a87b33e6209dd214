"""What the watch finds, before it stands as an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maintenance.choices import AlertKind
from maintenance.models import MeasurementPoint, ModelVersion


@dataclass(frozen=True)
class Finding:
    """Something that should stand as an alert."""

    kind: AlertKind
    key: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model_version: ModelVersion | None = None
    point: MeasurementPoint | None = None
