"""Files that can no longer serve go; what served, serves or may still be chosen stays."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from maintenance.choices import ModelState
from maintenance.flow import retrain
from maintenance.flow.retrain import judging, pruning
from maintenance.models import DatasetVersion, ModelVersion
from maintenance.queries import artefacts
from predictors import archive, gate
from predictors.errors import ArtefactMissing
from tests.plants import MONDAY, Plant, with_history

pytestmark = pytest.mark.django_db(transaction=True)

DAY = dt.timedelta(days=1)
REJECTED = gate.Verdict(promoted=False, reason="worse")


@pytest.fixture
def kept(settings, tmp_path) -> Path:
    settings.ARTEFACTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def plant(kept, monkeypatch) -> Plant:
    """One version serves; four challengers came after it, and two rejected ones are kept."""
    monkeypatch.setattr(pruning, "REJECTED_KEPT", 2)
    plant = with_history(assets=3, days=60)
    train(plant, 10)
    monkeypatch.setattr(judging, "verdict", lambda *_: REJECTED)
    for days in (8, 6, 4, 2):
        train(plant, days)
    return plant


def train(plant: Plant, days_ago: int, now: dt.datetime = MONDAY) -> None:
    retrain.train(site=plant.site, as_of=MONDAY - days_ago * DAY, now=now)


def versions() -> dict[int, ModelVersion]:
    found = ModelVersion.objects.filter(failure_mode__code="bearing")
    return {version.version: version for version in found}


def folders(parent: Path) -> set[Path]:
    """What holds a manifest."""
    return {path.parent.relative_to(parent) for path in parent.rglob("manifest.json")}


def test_the_newest_rejected_versions_and_what_serves_keep_their_files(plant, kept):
    found = versions()
    assert [bool(found[number].artefact) for number in (1, 2, 3, 4, 5)] == [1, 0, 0, 1, 1]
    for number in (1, 4, 5):
        artefacts.load(found[number])
    named = set(ModelVersion.objects.with_files().values_list("artefact", flat=True))
    named |= set(DatasetVersion.objects.exclude(folder="").values_list("folder", flat=True))
    assert folders(kept) == {Path(name) for name in named}


def test_a_version_without_files_cannot_be_promoted(plant):
    second = versions()[2]
    assert not second.may_serve
    with pytest.raises(ArtefactMissing):
        retrain.promote(model_version=second, by=None, now=MONDAY, reason="a change of mind")
    assert versions()[1].state == ModelState.CHAMPION


def test_what_served_once_keeps_its_files_however_many_come_after(plant):
    fourth = versions()[4]
    retrain.promote(model_version=fourth, by=None, now=MONDAY, reason="trust me")
    for days in (1, 0):
        train(plant, days)
    assert versions()[1].state == ModelState.RETIRED
    artefacts.load(versions()[1])
    retrain.roll_back(failure_mode=plant.mode("bearing"), by=None, now=MONDAY, reason="worse")
    assert versions()[1].state == ModelState.CHAMPION


def test_rows_that_were_given_up_are_written_again_for_whoever_learns_from_them(plant, kept):
    hashes = {version.dataset_hash for version in versions().values()}
    assert DatasetVersion.objects.filter(content_hash__in=hashes, folder="").count() == 2
    train(plant, 8)
    again = versions()[6].dataset
    assert again == versions()[2].dataset
    assert archive.recall(kept / again.folder).content_hash == again.content_hash


def test_what_a_killed_training_left_goes_once_nobody_can_be_writing_it(plant, kept, settings):
    parent = kept / plant.site.code / str(plant.mode("bearing").pk)
    half, whole = parent / ".4f2-half", parent / "4f2"
    for folder in (half, whole):
        folder.mkdir()
        (folder / "model.json").write_bytes(b"{}")
        os.utime(folder, times=(MONDAY.timestamp(), MONDAY.timestamp()))
    pruning.prune(site=plant.site, now=MONDAY + dt.timedelta(seconds=60))
    assert half.exists()
    assert whole.exists()
    later = dt.timedelta(seconds=settings.LONGEST_TASK_SECONDS + 60)
    pruning.prune(site=plant.site, now=MONDAY + later)
    assert not half.exists()
    assert not whole.exists()
    artefacts.load(versions()[1])


def test_a_folder_that_cannot_be_removed_does_not_stop_a_training(plant, monkeypatch):
    def refused(_folder: Path) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(pruning.registry, "remove_folder", refused)
    train(plant, 0)
    assert versions()[6].state == ModelState.REJECTED
