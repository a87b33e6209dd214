"""The files of a model version, refused when they are not those that were registered."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from maintenance.models import ModelVersion
from predictors import registry
from predictors.errors import ArtefactCorrupt, ArtefactMissing
from predictors.select import Model

KEPT_IN_MEMORY = 64


def load(version: ModelVersion) -> Model:
    """Read from disk, every byte checked. Raises predictors.errors.ArtefactError."""
    return _read(settings.ARTEFACTS_DIR / version.artefact, version.artefact_sha256)


def remembered(version: ModelVersion) -> Model:
    """Like `load`, kept in memory by content: another version is another entry at once."""
    return _remembered(settings.ARTEFACTS_DIR / version.artefact, version.artefact_sha256)


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _remembered(folder: Path, sha256: str) -> Model:
    return _read(folder, sha256)


def _read(folder: Path, sha256: str) -> Model:
    if folder == settings.ARTEFACTS_DIR:
        raise ArtefactMissing("the files of that version are no longer kept")
    if registry.read_manifest(folder).artefact_hash != sha256:
        raise ArtefactCorrupt(f"{folder.name}: the manifest is not the registered one")
    return registry.load(folder)
