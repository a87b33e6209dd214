import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError

from maintenance.choices import ImportDoor, ImportState
from maintenance.flow import ingest
from maintenance.models import (
    Absence,
    Asset,
    Component,
    Delivery,
    FailureMode,
    FunctionalLocation,
    Import,
    Installation,
    JobPlan,
    JobPlanRole,
    Shift,
    Site,
    SparePart,
    Technician,
    TechnicianSkill,
    Tool,
)
from maintenance.sources.mappings import TABLE_NAMES
from maintenance.sources.templates import fields_of
from tests.factories import NOW, AssetFactory, SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return SiteFactory.create(code="plant")


def take(site: Site, table: str, *rows: dict[str, Any]) -> ingest.Outcome:
    return ingest.take_rows(site=site, table=table, rows=rows, source="cmms", now=NOW)


def refusals(outcome: ingest.Outcome) -> list[tuple[int | None, str, str]]:
    return [(error.row, error.field, error.reason) for error in outcome.errors]


@pytest.fixture
def pump(site: Site) -> Site:
    take(site, "asset_classes", {"code": "pump"})
    mode = {"asset_class": "pump", "code": "bearing", "component": "drive"}
    take(site, "failure_modes", mode)
    take(site, "assets", {"code": "P-1", "asset_class": "pump", "commissioned_at": "2020-01-01"})
    return site


def lives(site: Site) -> list[tuple[str, str]]:
    rows = Installation.objects.of_site(site).order_by("installed_at")
    return [
        (f"{row.installed_at:%Y-%m-%d}", f"{row.removed_at:%Y-%m-%d}" if row.removed_at else "")
        for row in rows
    ]


def test_the_examples_of_the_templates_fit_together_and_twice_they_add_nothing(
    site: Site,
) -> None:
    for again in (False, True):
        for table in TABLE_NAMES:
            if table.startswith("readings"):
                continue
            example = {f.name: f.example for f in fields_of(table)}
            outcome = take(site, table, example)
            assert not outcome.errors, (table, outcome.errors)
            assert outcome.new == (0 if again or table in ("sites", "components") else 1) or again
            if again:
                assert outcome == ingest.Outcome(received=1, duplicate=1), table
    assert Asset.objects.get().location == FunctionalLocation.objects.get()
    assert TechnicianSkill.objects.get().skill.code == "mechanical"
    assert Shift.objects.get().weekday == 0
    assert JobPlan.objects.get().tasks == ["Lock out", "Replace the bearing", "Test run"]
    assert JobPlanRole.objects.get().count == 1
    assert Tool.objects.get().tool_type.code == "puller"
    assert Absence.objects.get().ends_at.year == 2026
    assert Delivery.objects.get().quantity == 2


def test_only_what_a_row_says_is_changed(pump: Site) -> None:
    outcome = take(pump, "assets", {"code": "P-1", "name": "Feed pump", "criticality": "a"})
    assert outcome == ingest.Outcome(received=1, changed=1)
    asset = Asset.objects.get()
    assert (asset.name, asset.criticality, asset.commissioned_at.year) == ("Feed pump", "A", 2020)
    take(pump, "assets", {"code": "P-1", "name": ""})
    assert Asset.objects.get().name == "Feed pump"


def test_an_external_id_finds_its_row_under_another_code(pump: Site) -> None:
    take(pump, "assets", {"code": "P-1", "external_id": "EQ-1"})
    outcome = take(pump, "assets", {"code": "P-001", "external_id": "EQ-1"})
    assert outcome == ingest.Outcome(received=1, changed=1)
    assert [asset.code for asset in Asset.objects.all()] == ["P-001"]


def test_the_same_external_id_of_another_source_is_another_thing(site: Site) -> None:
    take(site, "parts", {"code": "6205", "external_id": "1"})
    ingest.take_rows(
        site=site,
        table="parts",
        rows=[{"code": "6206", "external_id": "1"}],
        source="erp",
        now=NOW,
    )
    assert SparePart.objects.count() == 2


def test_a_new_row_needs_what_is_needed(site: Site) -> None:
    take(site, "asset_classes", {"code": "pump"})
    outcome = take(site, "assets", {"code": "P-1", "asset_class": "pump"})
    assert refusals(outcome) == [(1, "commissioned_at", "is missing, and this row is new")]


def test_what_is_unknown_is_refused_with_the_nearest_known(pump: Site) -> None:
    asset = {"code": "P-2", "asset_class": "pumps", "commissioned_at": "2020-01-01"}
    [(row, field, reason)] = refusals(take(pump, "assets", asset))
    assert (row, field) == (1, "asset_class")
    assert reason == "'pumps' is unknown; the nearest known: pump"


def test_two_rows_of_a_batch_that_disagree_are_not_both_taken(site: Site) -> None:
    rows = [
        {"code": "6205", "stock": 4},
        {"code": "6205", "stock": 4},
        {"code": "6205", "stock": 5},
    ]
    outcome = take(site, "parts", *rows)
    assert (outcome.new, outcome.duplicate, outcome.refused) == (1, 1, 1)
    assert refusals(outcome) == [(3, "stock", "row 1 of the same file says otherwise")]


@pytest.mark.parametrize(
    ("table", "row", "field", "reason"),
    [
        ("parts", {"code": "x", "stock": "4.5"}, "stock", "'4.5' is not a whole number"),
        ("parts", {"code": "x", "stock": -1}, "stock", "is below 0"),
        ("parts", {"code": "x", "unit_cost": "1e12"}, "unit_cost", "is above 1e+09"),
        ("parts", {"code": "x\x00"}, "code", "contains a NUL character"),
        ("parts", {"code": "x" * 61}, "code", "is longer than 60 characters"),
        ("parts", {"code": "  "}, "code", "is missing"),
        ("technicians", {"code": "x", "left_on": "1.2.26"}, "left_on", "is not a date"),
        ("sites", {"code": "other"}, "code", "these data are for the site plant"),
        ("sites", {"code": "plant", "time_zone": "Mars"}, "time_zone", "is no time zone"),
        ("sites", {"code": "plant", "currency": "€"}, "currency", "is no currency"),
    ],
)
def test_a_bad_value_is_refused_by_its_field(
    site: Site, table: str, row: dict[str, Any], field: str, reason: str
) -> None:
    outcome = take(site, table, row)
    [(number, name, why)] = refusals(outcome)
    assert (number, name) == (1, field)
    assert reason in why


def test_a_choice_a_time_and_a_weekday_are_checked(site: Site) -> None:
    take(site, "technicians", {"code": "ana"})
    rows = [
        {"technician": "ana", "weekday": "Monday", "starts": "7:00", "ends": "15:00"},
        {"technician": "ana", "weekday": "lunes", "starts": "07:00", "ends": "15:00"},
        {"technician": "ana", "weekday": "monday", "starts": "25:00", "ends": "15:00"},
    ]
    outcome = take(site, "shifts", *rows)
    assert outcome.new == 1
    assert [(row, field) for row, field, _why in refusals(outcome)] == [
        (2, "weekday"),
        (3, "starts"),
    ]


def test_what_the_database_forbids_is_refused_by_the_name_of_its_rule(pump: Site) -> None:
    point = {"asset": "P-1", "plausible_min": 5}
    outcome = take(
        pump,
        "points",
        {**point, "code": "a", "plausible_max": 1},
        {**point, "code": "b", "plausible_max": 9},
    )
    assert (outcome.new, outcome.refused) == (1, 1)
    assert refusals(outcome)[0][2] == "breaks the rule: point plausible range in order"


def test_a_change_that_the_database_forbids_leaves_the_row_as_it_was(pump: Site) -> None:
    take(pump, "points", {"asset": "P-1", "code": "a", "plausible_min": 0, "plausible_max": 1})
    outcome = take(
        pump,
        "points",
        {"asset": "P-1", "code": "a", "plausible_min": 5, "plausible_max": 1},
        {"asset": "P-1", "code": "b"},
    )
    assert (outcome.new, outcome.changed, outcome.refused) == (1, 0, 1)


def test_parents_may_stand_below_their_children(site: Site) -> None:
    outcome = take(
        site,
        "functional_locations",
        {"code": "L1-A", "parent": "L1"},
        {"code": "L1", "parent": "hall"},
        {"code": "hall"},
        {"code": "lost", "parent": "nowhere"},
    )
    assert (outcome.new, outcome.refused) == (3, 1)
    assert refusals(outcome)[0][:2] == (4, "parent")
    leaf = FunctionalLocation.objects.get(code="L1-A")
    assert leaf.parent is not None
    assert leaf.parent.parent is not None
    assert leaf.parent.parent.code == "hall"


def test_nothing_stands_below_itself(site: Site) -> None:
    take(site, "functional_locations", {"code": "a"}, {"code": "b", "parent": "a"})
    outcome = take(site, "functional_locations", {"code": "a", "parent": "b"})
    assert refusals(outcome) == [(1, "parent", "would stand below itself")]


def test_attributes_are_added_to_those_that_are_known(pump: Site) -> None:
    take(pump, "assets", {"code": "P-1", "attributes.age": 3})
    take(pump, "assets", {"code": "P-1", "attributes.rated_kw": "11"})
    assert Asset.objects.get().attributes == {"age": 3.0, "rated_kw": 11.0}


def test_a_component_comes_with_its_failure_mode_and_lives_from_commissioning(
    pump: Site,
) -> None:
    component = Component.objects.get()
    assert component.code == "drive"
    assert lives(pump) == [("2020-01-01", "")]
    take(pump, "components", {"asset": "P-1", "code": "drive", "name": "Drive end"})
    assert Component.objects.get().name == "Drive end"


def test_a_failure_mode_told_later_gives_assets_their_component(pump: Site) -> None:
    take(pump, "failure_modes", {"asset_class": "pump", "code": "seal"})
    assert FailureMode.objects.get(code="seal").component_code == "seal"
    assert Component.objects.filter(code="seal").count() == 1


def test_a_replacement_closes_a_life_and_opens_the_next(pump: Site) -> None:
    told = {"asset": "P-1", "component": "drive"}
    outcome = take(pump, "replacements", {**told, "replaced_at": "2024-01-01"})
    assert outcome == ingest.Outcome(received=1, new=1)
    assert lives(pump) == [("2020-01-01", "2024-01-01"), ("2024-01-01", "")]
    assert take(pump, "replacements", {**told, "replaced_at": "2024-01-01"}).duplicate == 1


def test_a_replacement_told_late_parts_the_life_it_fell_into(pump: Site) -> None:
    told = {"asset": "P-1", "component": "drive"}
    take(pump, "replacements", {**told, "replaced_at": "2024-01-01"})
    take(pump, "replacements", {**told, "replaced_at": "2022-01-01"})
    assert lives(pump) == [
        ("2020-01-01", "2022-01-01"),
        ("2022-01-01", "2024-01-01"),
        ("2024-01-01", ""),
    ]


def test_a_replacement_before_commissioning_is_the_first_life(pump: Site) -> None:
    told = {"asset": "P-1", "component": "drive"}
    take(pump, "replacements", {**told, "replaced_at": "2019-01-01"})
    assert lives(pump) == [("2019-01-01", "")]


def test_a_corrected_commissioning_moves_the_first_life(pump: Site) -> None:
    take(pump, "assets", {"code": "P-1", "commissioned_at": "2018-06-01"})
    assert lives(pump) == [("2018-06-01", "")]


def test_a_failure_at_the_instant_of_its_repair_is_taken(pump: Site) -> None:
    at = "2024-01-01T06:00"
    take(pump, "replacements", {"asset": "P-1", "component": "drive", "replaced_at": at})
    failure = {"asset": "P-1", "failure_mode": "bearing", "occurred_at": at}
    assert take(pump, "failures", failure) == ingest.Outcome(received=1, new=1)
    assert take(pump, "failures", failure) == ingest.Outcome(received=1, duplicate=1)


def test_events_ahead_of_now_are_refused(pump: Site) -> None:
    row = {"asset": "P-1", "code": "E1", "occurred_at": NOW + dt.timedelta(days=2)}
    assert refusals(take(pump, "errors", row))[0][1] == "occurred_at"


def test_amounts_are_kept_to_the_cent(site: Site) -> None:
    take(site, "technicians", {"code": "ana", "hourly_rate": "42.005"})
    assert Technician.objects.get().hourly_rate == Decimal("42.00")
    assert take(site, "technicians", {"code": "ana", "hourly_rate": "42.005"}).duplicate == 1


def test_a_batch_that_lost_a_row_cannot_be_closed(site: Site) -> None:
    batch = ingest.open_batch(site=site, door=ImportDoor.REST, table="readings", now=NOW)
    Import.objects.filter(pk=batch.pk).update(received=2, new=1)
    with pytest.raises(IntegrityError):
        ingest.close_batch(batch=batch, now=NOW)


def test_an_outcome_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(ValueError, match="lost or counted twice"):
        ingest.Outcome(received=2, new=1)


def test_refused_rows_are_kept_with_their_batch_as_any_database_can(site: Site) -> None:
    outcome = take(site, "parts", {"code": "a\x00b"}, {"code": "\ud800"}, {"code": "6205"})
    batch = ingest.take_whole(
        site=site, door=ImportDoor.UPLOAD, table="parts", outcome=outcome, now=NOW
    )
    assert batch.state == ImportState.DONE
    assert (batch.received, batch.new, batch.refused) == (3, 1, 2)
    assert [row.raw for row in batch.rejected_rows.all()] == ["code=a␀b", "code=\\ud800"]


def test_of_endless_refusals_all_are_counted_and_the_first_are_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maintenance.flow.ingest.batches.MOST_KEPT_ROWS", 3)
    batch = ingest.open_batch(site=site, door=ImportDoor.UPLOAD, table="parts", now=NOW)
    for _again in range(2):
        outcome = take(site, "parts", {"code": ""}, {"code": ""})
        ingest.add_to_batch(batch=batch, outcome=outcome, now=NOW)
    assert ingest.close_batch(batch=batch, now=NOW).refused == 4
    assert batch.rejected_rows.count() == 3


def test_assets_of_other_sites_are_unknown(site: Site) -> None:
    AssetFactory.create(code="P-1")
    outcome = take(site, "points", {"asset": "P-1", "code": "vibration"})
    assert refusals(outcome) == [(1, "asset", "'P-1' is unknown")]
