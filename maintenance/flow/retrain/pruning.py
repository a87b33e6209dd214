"""Files that nothing will read again are removed; whatever served keeps its own."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction

from maintenance.choices import ModelState
from maintenance.flow.retrain.challengers import DATASETS
from maintenance.flow.retrain.swaps import lock
from maintenance.models import DatasetVersion, FailureMode, ModelVersion, Site
from predictors import registry

log = structlog.get_logger(__name__)

REJECTED_KEPT = 5
"""Of each failure mode, the newest rejected versions that somebody may still promote."""


def prune(*, site: Site, now: dt.datetime) -> None:
    """Remove the files of rejected versions but the newest, and what killed trainings left.

    Rows stay. A version without files can no longer be promoted: that is settled, under the lock
    that promotions take, before its folder goes.
    """
    for mode in FailureMode.objects.filter(asset_class__site=site).select_related("asset_class"):
        with transaction.atomic():
            lock(mode)
            for folder in [*_given_up(mode), *_datasets_given_up(mode)]:
                transaction.on_commit(partial(_remove, folder))
        for folder in _left_behind(mode, site, now=now):
            _remove(folder)


def _given_up(mode: FailureMode) -> list[Path]:
    rejected = ModelVersion.objects.filter(failure_mode=mode, state=ModelState.REJECTED)
    over = list(rejected.with_files().order_by("-version")[REJECTED_KEPT:])
    ModelVersion.objects.filter(pk__in=[one.pk for one in over]).update(artefact="")
    return [settings.ARTEFACTS_DIR / one.artefact for one in over]


def _datasets_given_up(mode: FailureMode) -> list[Path]:
    """Rows that no version with files learnt from."""
    needed = ModelVersion.objects.filter(failure_mode=mode).with_files()
    kept = DatasetVersion.objects.filter(failure_mode=mode).exclude(folder="")
    over = list(kept.exclude(pk__in=needed.filter(dataset__isnull=False).values("dataset")))
    DatasetVersion.objects.filter(pk__in=[one.pk for one in over]).update(folder="")
    return [settings.ARTEFACTS_DIR / one.folder for one in over]


def _left_behind(mode: FailureMode, site: Site, *, now: dt.datetime) -> list[Path]:
    """Folders that no row names, older than any task: whoever was writing them is gone."""
    oldest = now.timestamp() - settings.LONGEST_TASK_SECONDS
    named = {*mode.model_versions.values_list("artefact", flat=True)}
    named |= {*mode.dataset_versions.values_list("folder", flat=True)}
    own = Path(site.code) / str(mode.pk)
    return [
        folder
        for parent in (settings.ARTEFACTS_DIR / own, settings.ARTEFACTS_DIR / DATASETS / own)
        if parent.is_dir()
        for folder in parent.iterdir()
        if str(folder.relative_to(settings.ARTEFACTS_DIR)) not in named
        and _written_before(folder, oldest)
    ]


def _written_before(folder: Path, instant: float) -> bool:
    try:
        return folder.stat().st_mtime < instant
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    """What cannot be removed costs room, not the training."""
    try:
        registry.remove_folder(folder)
    except OSError as error:
        log.warning("folder_not_removed", folder=str(folder), error=str(error))
