"""The rows a model learnt from, kept as files: Parquet and JSON under a manifest of sha256 sums.

A folder is named by the content of its dataset and written once; equal data, equal folder.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from predictors.dataset import Dataset, Life
from predictors.errors import ArtefactCorrupt, ArtefactError, ArtefactUnknown, PredictorsError
from predictors.registry import Manifest, read_folder, read_manifest, write_folder
from predictors.schema import FeatureSet

DESCRIBED = "dataset.json"
ROWS = "rows.parquet"
OUTCOMES = ("duration_days", "failed", "groups", "origin_us", "age_days", "life", "weight")
_OUTCOME = "outcome:"


def keep(dataset: Dataset, folder: Path) -> Manifest:
    """Write ``dataset`` to ``folder`` unless it is there already, whole."""
    try:
        read_folder(folder)
    except ArtefactError:
        return write_folder({DESCRIBED: _described(dataset), ROWS: _rows(dataset)}, folder)
    return read_manifest(folder)


def recall(folder: Path) -> Dataset:
    """Read back `keep`.

    Raises `ArtefactMissing`, `ArtefactCorrupt` (a file, or the whole, differs from its hash) or
    `ArtefactUnknown`.
    """
    contents = read_folder(folder)
    try:
        described = json.loads(contents[DESCRIBED])
        dataset = _restored(described, pq.read_table(io.BytesIO(contents[ROWS])))
    except (KeyError, TypeError, ValueError, PredictorsError) as error:
        raise ArtefactUnknown(f"{folder.name}: the dataset cannot be read: {error!r}") from error
    if dataset.content_hash != described["content_hash"]:
        raise ArtefactCorrupt(f"{folder.name}: the rows are not those of its hash")
    return dataset


def _described(dataset: Dataset) -> bytes:
    plain = {
        "mode": dataset.mode,
        "horizon_days": dataset.horizon_days,
        "content_hash": dataset.content_hash,
        "feature_set": dataset.feature_set.to_dict(),
        "lives": [asdict(life) for life in dataset.lives],
    }
    return json.dumps(plain, sort_keys=True).encode()


def _rows(dataset: Dataset) -> bytes:
    columns = {name: dataset.x[:, at] for at, name in enumerate(dataset.names)}
    columns |= {f"{_OUTCOME}{name}": getattr(dataset, name) for name in OUTCOMES}
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="zstd", use_dictionary=False)
    return written.getvalue()


def _restored(described: dict[str, Any], table: Any) -> Dataset:
    feature_set = FeatureSet.from_dict(described["feature_set"])
    columns = [table[name].to_numpy() for name in feature_set.names]
    x = np.stack(columns, axis=1) if len(table) else np.empty((0, len(columns)))
    outcomes = {name: table[f"{_OUTCOME}{name}"].to_numpy() for name in OUTCOMES}
    return Dataset(
        mode=described["mode"],
        x=np.ascontiguousarray(x, dtype=np.float32),
        names=feature_set.names,
        lives=tuple(Life(**life) for life in described["lives"]),
        horizon_days=described["horizon_days"],
        feature_set=feature_set,
        **outcomes,
    )
