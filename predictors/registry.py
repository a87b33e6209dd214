"""Forecasters as files: JSON, UBJSON and plain arrays under a manifest of sha256 sums.

A folder appears whole or not at all: it is written beside its place and renamed. Nothing is
unpickled, and nothing is read before its bytes match the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictors.constant import ConstantForecaster
from predictors.errors import ArtefactCorrupt, ArtefactMissing, ArtefactUnknown, PredictorsError
from predictors.forecaster import Forecaster
from predictors.hazard import HazardForecaster
from predictors.logistic import LogisticForecaster
from predictors.schema import FeatureSet
from predictors.select import Model, ModelCard
from predictors.weibull import WeibullForecaster

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model.json"
FAMILIES: Mapping[str, type[Forecaster]] = {
    family.family: family
    for family in (HazardForecaster, LogisticForecaster, WeibullForecaster, ConstantForecaster)
}


@dataclass(frozen=True)
class Manifest:
    """What a folder holds: sha256 by file name, and one hash over them all."""

    files: Mapping[str, str]

    @property
    def artefact_hash(self) -> str:
        """sha256 over names and sums."""
        return _sha256(json.dumps(dict(self.files), sort_keys=True).encode())


def save(model: Model, folder: Path) -> Manifest:
    """Write ``model`` to ``folder``, replacing what is there in one rename."""
    return write_folder({MODEL: _described(model), **model.forecaster.files()}, folder)


def write_folder(contents: Mapping[str, bytes], folder: Path) -> Manifest:
    """Write files and their manifest to ``folder``, replacing what is there in one rename."""
    manifest = Manifest({name: _sha256(raw) for name, raw in sorted(contents.items())})
    listed = {"format": FORMAT, "files": dict(manifest.files)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    for name, raw in {**contents, MANIFEST: json.dumps(listed, indent=1).encode()}.items():
        _write(beside / name, raw)
    _put(beside, folder)
    return manifest


def remove_folder(folder: Path) -> None:
    """Remove a folder, whole or not at all: it steps aside before its files go."""
    aside = folder.with_name(f".{folder.name.lstrip('.')}-gone")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def load(folder: Path) -> Model:
    """Read back `save`.

    Raises `ArtefactMissing`, `ArtefactCorrupt` or `ArtefactUnknown`, naming the file.
    """
    contents = read_folder(folder)
    if MODEL not in contents:
        raise ArtefactMissing(f"{folder.name}: {MODEL} is not in the manifest")
    described = json.loads(contents[MODEL])
    family = FAMILIES.get(described["family"])
    if family is None:
        raise ArtefactUnknown(f"{folder.name}: family {described['family']}")
    try:
        forecaster = family.restore(
            mode=described["mode"],
            horizon_days=described["horizon_days"],
            feature_set=FeatureSet.from_dict(described["feature_set"]),
            parameters=described["parameters"],
            files=contents,
        )
        card = ModelCard.from_dict(described["card"])
    except (KeyError, TypeError, ValueError, PredictorsError) as error:
        raise ArtefactUnknown(f"{folder.name}: {MODEL} cannot be read: {error!r}") from error
    return Model(forecaster, card)


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of ``folder``, each checked against the manifest.

    Raises `ArtefactMissing`, `ArtefactCorrupt` or `ArtefactUnknown`, naming the file.
    """
    manifest = read_manifest(folder)
    return {name: _checked(folder, name, sha) for name, sha in manifest.files.items()}


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone, without reading what it lists."""
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise ArtefactMissing(f"{folder.name}: no {MANIFEST}") from error
    except ValueError as error:
        raise ArtefactCorrupt(f"{folder.name}: {MANIFEST} is not JSON") from error
    if not isinstance(listed, dict) or listed.get("format") != FORMAT:
        raise ArtefactUnknown(f"{folder.name}: {MANIFEST} is not of format {FORMAT}")
    return Manifest({str(name): str(sha) for name, sha in listed.get("files", {}).items()})


def _described(model: Model) -> bytes:
    forecaster = model.forecaster
    plain: dict[str, Any] = {
        "family": forecaster.family,
        "mode": forecaster.mode,
        "horizon_days": forecaster.horizon_days,
        "feature_set": forecaster.feature_set.to_dict(),
        "parameters": forecaster.parameters(),
        "card": model.card.to_dict(),
    }
    return json.dumps(plain, sort_keys=True).encode()


def _checked(folder: Path, name: str, sha: str) -> bytes:
    if Path(name).name != name:
        raise ArtefactCorrupt(f"{folder.name}: {name!r} is no plain file name")
    try:
        raw = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise ArtefactMissing(f"{folder.name}: no {name}") from error
    if _sha256(raw) != sha:
        raise ArtefactCorrupt(f"{folder.name}: {name} differs from the manifest")
    return raw


def _write(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _put(beside: Path, folder: Path) -> None:
    """Rename into place; an older folder steps aside first, for a folder cannot be overwritten."""
    aside = beside.with_name(f"{beside.name}-old")
    if folder.exists():
        folder.rename(aside)
    beside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
