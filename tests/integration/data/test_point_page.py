"""The page of a measurement point: what was flagged, why, and the thresholds behind it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from maintenance import store
from maintenance.choices import QualityKind, Role
from maintenance.instants import to_us
from maintenance.models import AuditEntry, MeasurementPoint, QualityInterval
from tests.factories import AssetFactory, MeasurementPointFactory, MembershipFactory, SiteFactory

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DETAILS = {
    QualityKind.STALE: {"limit_seconds": 7200},
    QualityKind.FLAT: {"value": 3.25, "limit_seconds": 7200},
    QualityKind.OUT_OF_RANGE: {"low": None, "high": 30.0},
    QualityKind.SPIKE: {"step": 9.5, "limit": 2.0},
    QualityKind.CONFLICT: {"value": 4.0},
    QualityKind.CLOCK_SKEW: {"offset_seconds": -18_000.0},
    QualityKind.UNIT_MISMATCH: {"unit": "in/s"},
}


@pytest.fixture
def point() -> MeasurementPoint:
    asset = AssetFactory.create(site=SiteFactory.create(), code="P-1")
    made = MeasurementPointFactory.create(asset=asset, code="vibration", name="Vibration")
    now = timezone.now()
    at_us = to_us(now) - np.arange(48, 0, -1) * 3_600_000_000
    ids = np.full(len(at_us), made.pk, dtype=np.int64)
    store.append(ids, at_us, np.linspace(2, 3, len(at_us)), now=now)
    return made


def flag(point: MeasurementPoint, kind: QualityKind = QualityKind.UNIT_MISMATCH) -> QualityInterval:
    now = timezone.now()
    return QualityInterval.objects.create(
        point=point,
        kind=kind,
        starts_at=now - 20 * HOUR,
        ends_at=now - 10 * HOUR,
        readings=11,
        details=DETAILS[kind],
        known_at=now,
        recorded_at=now,
    )


def client_of(point: MeasurementPoint, role: Role) -> Client:
    client = Client()
    client.force_login(MembershipFactory.create(site=point.asset.site, role=role).user)
    return client


@pytest.mark.parametrize("kind", QualityKind)
def test_every_kind_is_shown_with_its_reason(point: MeasurementPoint, kind: QualityKind) -> None:
    flag(point, kind)
    page = client_of(point, Role.VIEWER).get(f"/data/points/{point.pk}/").content.decode()
    reasons = {
        QualityKind.STALE: "No reading; more than 2 h is unusual",
        QualityKind.FLAT: "3.25 all the time; more than 2 h is unusual",
        QualityKind.OUT_OF_RANGE: "Beyond the plausible range, −∞ to 30",
        QualityKind.SPIKE: "Stands out from its neighbours by 9.5; up to 2 is usual",
        QualityKind.CONFLICT: "Came again as 4 or another value; the first one stays",
        QualityKind.CLOCK_SKEW: "Stamped 5 h before it arrived",
        QualityKind.UNIT_MISMATCH: "Makes sense if said in in/s",
    }
    assert reasons[kind] in page
    assert "<rect" in page


def test_a_point_without_flags_says_so(point: MeasurementPoint) -> None:
    page = client_of(point, Role.VIEWER).get(f"/data/points/{point.pk}/").content.decode()
    assert "Nothing was flagged" in page


def test_a_viewer_sees_no_form_and_may_change_nothing(point: MeasurementPoint) -> None:
    client = client_of(point, Role.VIEWER)
    assert "data-thresholds" not in client.get(f"/data/points/{point.pk}/").content.decode()
    answer = client.post(f"/data/points/{point.pk}/edit/", {"plausible_max": "9"})
    assert answer.status_code == 403


def test_thresholds_are_changed_and_what_they_judged_is_judged_anew(
    point: MeasurementPoint,
) -> None:
    flag(point, QualityKind.OUT_OF_RANGE)
    flag(point, QualityKind.CONFLICT)
    client = client_of(point, Role.RELIABILITY_ENGINEER)
    answer = client.post(f"/data/points/{point.pk}/edit/", {"plausible_max": "9"})
    assert answer.status_code == 302
    point.refresh_from_db()
    assert (point.plausible_max, point.quality_checked_until) == (9.0, None)
    assert [one.kind for one in QualityInterval.objects.all()] == [QualityKind.CONFLICT]
    assert AuditEntry.objects.filter(action="thresholds changed").count() == 1


def test_a_range_upside_down_is_refused(point: MeasurementPoint) -> None:
    client = client_of(point, Role.RELIABILITY_ENGINEER)
    given = {"plausible_min": "9", "plausible_max": "1"}
    answer = client.post(f"/data/points/{point.pk}/edit/", given)
    assert answer.status_code == 422
    assert "must lie below the highest" in answer.content.decode()
    point.refresh_from_db()
    assert point.plausible_min is None


def test_the_chart_of_the_asset_is_told_what_to_shade(point: MeasurementPoint) -> None:
    interval = flag(point)
    told = client_of(point, Role.VIEWER).get(f"/assets/{point.asset_id}/readings.json").json()
    assert told["doubts"] == [
        {
            "point": point.pk,
            "from": interval.starts_at.timestamp(),
            "until": interval.ends_at.timestamp(),
            "words": "Another unit: Makes sense if said in in/s",
        }
    ]


def test_the_pages_of_the_asset_and_of_data_lead_to_the_point(point: MeasurementPoint) -> None:
    MeasurementPointFactory.create(asset=point.asset, name="Never heard of")
    client = client_of(point, Role.VIEWER)
    assert f"/data/points/{point.pk}/" in client.get(f"/assets/{point.asset_id}/").content.decode()
    assert "/data/points/" in client.get("/data/").content.decode()
