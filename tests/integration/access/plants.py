"""Two plants with something behind every route, and somebody for each role in each of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from maintenance.choices import (
    AlertKind,
    AsFound,
    ImportDoor,
    ImportState,
    OperationKind,
    Outcome,
    QualityKind,
    Role,
    ServingStart,
    TokenScope,
    Trigger,
    Verdict,
    WorkOrderType,
)
from maintenance.flow import ingest, schedule
from maintenance.instants import to_us
from maintenance.models import (
    Alert,
    ApiToken,
    Asset,
    AuditEntry,
    DatasetVersion,
    DeadLetter,
    Downtime,
    DriftReport,
    Forecast,
    FunctionalLocation,
    Import,
    Label,
    Listener,
    ModelVersion,
    Operation,
    QualityInterval,
    ReadingCorrection,
    RejectedRow,
    ReportPhoto,
    Schedule,
    Serving,
    Technician,
    TopicPoint,
    TopicTemplate,
    TrainingRun,
    UnknownTopic,
    User,
    WorkOrder,
    WorkReport,
    WorkSpell,
)
from tests.plants import Plant, busy, measure, work_order

MARK = "zzz-of-the-south"
SCOPES = [scope.value for scope in TokenScope]


@dataclass
class Two:
    """`north` is the plant that users belong to; `south` is the other one."""

    north: Plant
    south: Plant
    users: Mapping[Role, User] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    def client(self, role: Role | None = None, *, user: User | None = None) -> Client:
        client = Client(raise_request_exception=False)
        someone = self.users[role] if role is not None else user
        if someone is not None:
            client.force_login(someone)
        return client


def two_plants() -> Two:
    # Pages read the clock: the plants live now.
    now = timezone.now().replace(microsecond=0)
    two = Two(north=_complete("north", now), south=_complete("south", now))
    _mark(two.south)
    two.south.user(Role.PLANNER)
    two.users = {role: two.north.user(role) for role in Role}
    _give_work(two.north, two.users[Role.TECHNICIAN], two.users[Role.REQUESTER])
    two.secrets = {
        "north": _token(two.north, "all", SCOPES),
        "south": _token(two.south, "all", SCOPES),
        "none": _token(two.north, "none", []),
        "revoked": _token(two.north, "revoked", SCOPES, revoked_at=now - dt.timedelta(days=1)),
        "expired": _token(two.north, "expired", SCOPES, expires_at=now - dt.timedelta(days=1)),
    }
    return two


def _complete(code: str, now: dt.datetime) -> Plant:
    plant = busy(code, now=now)
    measure(plant, "P-1", until=now, days=10)
    _happen(plant)
    work_order(plant, "P-2", "seal")
    draft = schedule.optimise(site=plant.site, by=None, now=now, seconds=5)
    _change(plant, draft)
    Operation.objects.create(
        site=plant.site, kind=OperationKind.SCHEDULE, recorded_at=now, woken_at=now
    )
    batch = Import.objects.create(
        site=plant.site,
        door=ImportDoor.UPLOAD,
        table="assets",
        file_name="upload.csv",
        state=ImportState.DONE,
        received=1,
        refused=1,
        recorded_at=now,
    )
    RejectedRow.objects.create(
        site=plant.site,
        batch=batch,
        row=2,
        field="code",
        reason="is missing",
        raw="a raw row",
        recorded_at=now,
    )
    AuditEntry.objects.create(site=plant.site, at=now, action="test", subject="a subject")
    Alert.objects.create(
        site=plant.site,
        kind=AlertKind.SILENT_POINT,
        key="site",
        parameters={"points": 1, "since": now.isoformat()},
        opened_at=now,
        last_seen_at=now,
        recorded_at=now,
    )
    _publish(plant)
    _photograph(plant)
    _learn(plant)
    return plant


def _publish(plant: Plant) -> None:
    """What MQTT leaves behind: a listener, how topics are read, and what could not be."""
    site, now = plant.site, plant.now
    point = plant.asset("P-1").points.earliest("pk")
    TopicTemplate.objects.create(site=site, template="plant/{asset}", recorded_at=now)
    TopicPoint.objects.create(site=site, topic="one/topic", point=point, recorded_at=now)
    listener = ingest.listener_of(site, f"vigia-{site.code}")
    message = ingest.Message("nowhere", b'{"secret": 1}', to_us(now))
    ingest.take_messages(listener=listener, messages=[message], now=now)


def _learn(plant: Plant) -> None:
    """A model that serves, with what it learnt from and what became of its forecasts."""
    now = plant.now
    version = ModelVersion.objects.of_site(plant.site).earliest("pk")
    DatasetVersion.objects.create(
        failure_mode=version.failure_mode,
        as_of=now,
        content_hash=version.dataset_hash,
        rows=1,
        lives=1,
        failures=0,
        folder="nowhere",
        recorded_at=now,
    )
    Serving.objects.create(
        failure_mode=version.failure_mode,
        model_version=version,
        start=ServingStart.PROMOTION,
        from_at=now,
        reason="the first",
    )
    TrainingRun.objects.create(
        failure_mode=version.failure_mode,
        trigger=Trigger.FIRST,
        challenger=version,
        verdict=Verdict.PROMOTED,
        reason="the first",
        recorded_at=now,
    )
    DriftReport.objects.create(model_version=version, as_of=now, drifted=False, recorded_at=now)
    point = plant.asset("P-1").points.earliest("code")
    QualityInterval.objects.create(
        point=point,
        kind=QualityKind.UNIT_MISMATCH,
        starts_at=now,
        ends_at=now,
        details={"unit": "in/s"},
        known_at=now,
        recorded_at=now,
    )
    ReadingCorrection.objects.create(
        point=point, at=now, old=3.0, new=2.0, reason="read off wrongly", recorded_at=now
    )
    Label.objects.create(
        forecast=Forecast.objects.of_site(plant.site).earliest("pk"),
        outcome=Outcome.SURVIVED,
        observed_days=14,
        matured_at=now,
        recorded_at=now,
    )


def _photograph(plant: Plant) -> None:
    """A report with a photo."""
    report = WorkReport.objects.create(
        work_order=work_order(plant, "P-1", type=WorkOrderType.INSPECTION),
        as_found=AsFound.NOTHING_FOUND,
        renewed=False,
        worked_minutes=30,
        finished_at=plant.now,
        recorded_at=plant.now,
    )
    WorkSpell.objects.create(work_order=report.work_order, started_at=plant.now, ended_at=plant.now)
    Downtime.objects.create(
        asset=plant.asset("P-1"), starts_at=plant.now, planned=True, recorded_at=plant.now
    )
    ReportPhoto.objects.create(
        report=report,
        file=SimpleUploadedFile("photo.png", b"not looked at"),
        content_type="image/png",
        sha256="0" * 64,
        recorded_at=plant.now,
    )


def _happen(plant: Plant) -> None:
    before, soon = plant.now - dt.timedelta(days=3), plant.now + dt.timedelta(days=2)
    plant.take("functional_locations", [{"code": "hall", "name": "Hall"}])
    plant.take("errors", [{"asset": "P-1", "code": "E42", "occurred_at": before}])
    plant.take("failures", [{"asset": "P-1", "failure_mode": "seal", "occurred_at": before}])
    plant.take("absences", [{"technician": "luis", "starts_at": before, "ends_at": soon}])
    plant.take("deliveries", [{"part": "brg", "expected_at": soon, "quantity": 2}])
    window = {"asset": "P-2", "starts_at": plant.now, "ends_at": plant.local(30)}
    plant.take("access_windows", [window])


def _change(plant: Plant, draft: Schedule) -> None:
    """A change by hand, and something that is left out."""
    planner = User.objects.create_user(f"first-planner-{plant.site.code}")
    place = draft.assignments.select_related("work_order").earliest("work_order__number")
    schedule.remove(
        schedule=draft, work_order=place.work_order, revision=1, by=planner, now=plant.now
    )


def _mark(plant: Plant) -> None:
    """Write the mark into all that a page shows of a row."""
    for asset in Asset.objects.filter(site=plant.site):
        asset.name, asset.serial = f"{asset.code} {MARK}", MARK
        asset.save()
    Technician.objects.filter(site=plant.site).update(name=f"Somebody {MARK}")
    WorkOrder.objects.filter(site=plant.site).update(title=MARK, note=MARK)
    uploads = Import.objects.filter(site=plant.site, door=ImportDoor.UPLOAD)
    uploads.update(file_name=f"upload-{MARK}.csv")
    Import.objects.filter(site=plant.site, door=ImportDoor.MQTT).update(file_name=MARK)
    RejectedRow.objects.filter(site=plant.site).update(raw=MARK, reason=MARK)
    FunctionalLocation.objects.filter(site=plant.site).update(name=MARK)
    TopicTemplate.objects.filter(site=plant.site).update(template=f"{MARK}/{{asset}}")
    UnknownTopic.objects.filter(site=plant.site).update(topic=MARK, newest_payload=MARK)
    DeadLetter.objects.filter(site=plant.site).update(topic=MARK, payload=MARK)
    Listener.objects.filter(site=plant.site).update(client_id=MARK)
    plant.site.name = MARK
    plant.site.save()


def _give_work(plant: Plant, technician: User, requester: User) -> None:
    somebody = plant.technician("ana")
    somebody.user = technician
    somebody.save()
    own = work_order(plant, "P-3", type=WorkOrderType.INSPECTION, requested_by=requester)
    own.assigned_to.add(somebody)


def _token(plant: Plant, name: str, scopes: list[str], **fields: dt.datetime) -> str:
    secret = ApiToken.new_secret()
    ApiToken.objects.create(
        site=plant.site,
        name=name,
        digest=ApiToken.digest_of(secret),
        scopes=scopes,
        recorded_at=plant.now,
        **fields,
    )
    return secret
