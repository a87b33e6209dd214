"""The doctor finds what is wrong, says how to mend it, and tells the shell."""

from __future__ import annotations

import datetime as dt
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from maintenance.choices import ModelState, OperationKind
from maintenance.management.commands import doctor
from maintenance.models import ModelVersion, Operation, SparePart
from predictors import registry
from tests.factories import SiteFactory
from tests.plants import Plant, model, tiny

pytestmark = pytest.mark.django_db


def examined() -> tuple[dict[str, dict[str, Any]], int]:
    told, code = StringIO(), 0
    try:
        call_command("doctor", "--json", stdout=told)
    except SystemExit as ended:
        code = int(str(ended.code))
    return {one["check"]: one for one in json.loads(told.getvalue())}, code


@pytest.fixture
def plant() -> Plant:
    return tiny("north", now=timezone.now())


def test_a_well_set_up_has_nothing_that_fails(plant):
    found, code = examined()
    assert {name for name, one in found.items() if one["state"] == "fail"} == set()
    assert code == 0
    assert found["database"]["state"] == found["stock"]["state"] == "ok"


def test_people_get_lines_with_what_to_do(monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 10**18)
    told = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=told)
    assert "disk" in told.getvalue()
    assert "Make room" in told.getvalue()


def test_stock_that_is_not_its_ledger_is_named(plant):
    SparePart.objects.filter(code="brg").update(stock=7)
    found, code = examined()
    assert found["stock"]["state"] == "fail"
    assert "brg: 7 in stock, 2 booked" in found["stock"]["words"]
    assert code == 1


def test_a_champion_without_its_files_fails(plant):
    version = model(plant, "bearing")
    found, code = examined()
    assert found["artefacts"]["state"] == "fail"
    assert str(version) in found["artefacts"]["words"]
    assert code == 1


def test_a_flipped_byte_in_an_artefact_is_found(plant, settings, tmp_path):
    settings.ARTEFACTS_DIR = tmp_path
    version = model(plant, "bearing")
    manifest = registry.write_folder({"model.ubj": bytes(range(200))}, tmp_path / "one")
    ModelVersion.objects.filter(pk=version.pk).update(
        artefact="one", artefact_sha256=manifest.artefact_hash
    )
    assert examined()[0]["artefacts"]["state"] == "ok"
    flipped = bytearray((tmp_path / "one/model.ubj").read_bytes())
    flipped[100] ^= 1
    (tmp_path / "one/model.ubj").write_bytes(bytes(flipped))
    assert examined()[0]["artefacts"]["state"] == "fail"


def test_models_that_do_not_serve_need_no_files(plant):
    version = model(plant, "bearing")
    version.state = ModelState.RETIRED
    version.save()
    assert examined()[0]["artefacts"]["state"] == "ok"


def test_work_that_nobody_takes_up_is_a_warning():
    long_ago = timezone.now() - dt.timedelta(hours=1)
    Operation.objects.create(
        site=SiteFactory(), kind=OperationKind.TRAIN, recorded_at=long_ago, woken_at=long_ago
    )
    found, code = examined()
    assert found["workers"]["state"] == "warn"
    assert "Start a worker" in found["workers"]["mend"]
    assert code == 0


def test_a_clock_that_is_behind_is_noticed():
    ahead = timezone.now() + dt.timedelta(minutes=5)
    Operation.objects.create(
        site=SiteFactory(), kind=OperationKind.TRAIN, recorded_at=ahead, woken_at=ahead
    )
    assert examined()[0]["clock"]["state"] == "warn"


def test_migrations_that_wait_fail_and_nothing_is_read_from_their_tables(monkeypatch):
    monkeypatch.setattr(doctor.MigrationExecutor, "migration_plan", lambda *_: [1, 2])
    found, code = examined()
    assert "2 migrations" in found["database"]["words"]
    assert "stock" not in found
    assert code == 1


def test_a_broker_that_is_away_fails(settings, monkeypatch):
    def away() -> Any:
        raise OSError("connection refused")

    monkeypatch.setattr(doctor.current_app, "connection_for_write", away)
    found, code = examined()
    assert found["broker"]["state"] == "fail"
    assert code == 1
