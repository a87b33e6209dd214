"""What the loop leaves on a furnished plant: work done, labels, versions, reports and alerts."""

from __future__ import annotations

import datetime as dt
import struct
import zlib

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from maintenance import operations, tasks
from maintenance.choices import AlertKind, AsFound, ModelState, Trigger
from maintenance.flow import execute, monitor, retrain
from maintenance.flow.monitor.alerts import settle
from maintenance.flow.monitor.findings import Finding
from maintenance.models import (
    Alert,
    MeasurementPoint,
    ModelVersion,
    Operation,
    Site,
    Technician,
    TrainingRun,
    User,
    WorkOrder,
)

HOUR = dt.timedelta(hours=1)
WATCHED = "maintenance.watch_all_sites"


def turn(site: Site, now: dt.datetime) -> dict[str, str]:
    """The loop once round. Gives where its pages are whose address holds a number."""
    engineer = User.objects.get(username="engineer")
    paths = _do_work(site, now)
    _perform(tasks.request_watch(site=site, by=None, now=now))
    _perform(tasks.request_training(site=site, by=engineer, now=now, trigger=Trigger.BUTTON))
    paths |= _judge(site, engineer, now)
    _raise_alerts(site, engineer, now)
    paths["training"] = _half_trained(site, engineer, now)
    paths["timetable-entry"] = reverse(
        "timetable_edit", args=[PeriodicTask.objects.get(task=WATCHED).pk]
    )
    return paths


def _do_work(site: Site, now: dt.datetime) -> dict[str, str]:
    """Of the technician's work two are closed, one is under way, one is paused, others wait."""
    technician = Technician.objects.get(site=site, user__username="technician")
    own = WorkOrder.objects.filter(assigned_to=technician, failure_mode__isnull=False)
    confirmed, nothing, paused, running, waiting = own.order_by("number")[:5]
    by = technician.user
    for work_order, as_found, note, hours in (
        (confirmed, AsFound.CONFIRMED, "Outer race pitted, grease black. Shaft is fine.", 7),
        (nothing, AsFound.NOTHING_FOUND, "", 3),
    ):
        found = as_found == AsFound.CONFIRMED
        execute.finish(
            work_order=work_order,
            as_found=as_found,
            failure_mode=None,
            renewed=found,
            parts={need.part: 1 for need in work_order.job_plan.parts.all()} if found else {},
            note=note,
            photos=[SimpleUploadedFile("race.png", _photo())] if found else [],
            by=by,
            now=now,
            started_at=now - hours * HOUR,
            finished_at=now - (hours - 2) * HOUR,
        )
    execute.start(work_order=paused, by=by, now=now - 2 * HOUR)
    execute.pause(work_order=paused, by=by, now=now - HOUR)
    execute.start(work_order=running, by=by, now=now - HOUR / 2)
    return {
        "closed": reverse("work_order", args=[confirmed.pk]),
        "my-waiting": reverse("my_work_order", args=[waiting.pk]),
        "my-closing": reverse("my_work_close", args=[running.pk]),
        "my-closed": reverse("my_work_order", args=[confirmed.pk]),
    }


def _judge(site: Site, engineer: User, now: dt.datetime) -> dict[str, str]:
    """A challenger that the gate refused serves by hand, and what served before can come back."""
    refused = TrainingRun.objects.filter(
        failure_mode__asset_class__site=site, challenger__state=ModelState.REJECTED
    )
    first, second = [run for run in refused if run.comparison][:2]
    mode = first.failure_mode
    said = "A new supplier's bearings since March: the newest rows count most."
    retrain.promote(model_version=first.challenger, now=now, reason=said, by=engineer)
    said = "Twice as many alarms as before on the same pumps."
    retrain.roll_back(failure_mode=mode, now=timezone.now(), reason=said, by=engineer)
    said = "They were real: two pumps were opened."
    retrain.promote(model_version=first.challenger, now=timezone.now(), reason=said, by=engineer)
    _perform(tasks.request_forecast(site=site, now=timezone.now(), by=engineer))
    watched = ModelVersion.objects.champions().exclude(failure_mode=mode).filter(family="hazard")
    return {
        "model": reverse("model", args=[mode.pk]),
        "challenger": reverse("model_version", args=[second.challenger_id]),
        "champion": reverse("model_version", args=[watched[0].pk]),
    }


def _raise_alerts(site: Site, engineer: User, now: dt.datetime) -> None:
    """One alert of each kind: of four, one is somebody's, one is silenced and one closed."""
    points = list(MeasurementPoint.objects.filter(asset__site=site).select_related("asset")[:9:3])
    moved, silent, gone = points
    version = ModelVersion.objects.champions().filter(failure_mode__asset_class__site=site)[0]
    day = now - 5 * 24 * HOUR
    named = {"asset": moved.asset.code, "name": moved.name, "unit": moved.unit}
    step = {"since": day.isoformat(), "size": 1.84, "t": 14.2}
    judged = {"forecasts": 112, "failures": 9, "expected_failures": 3.4}
    judged |= {"brier": 0.071, "expected_brier": 0.029}
    mode = version.failure_mode
    about = {"asset_class": mode.asset_class.name}
    findings = [
        Finding(AlertKind.DRIFT, f"point:{moved.pk}", {**named, **step}, version, moved),
        Finding(
            AlertKind.DRIFT,
            f"class:{mode.asset_class_id}:temperature",
            {**about, "quantity": "temperature", "psi": 0.41, "distance": 0.38},
            version,
        ),
        Finding(
            AlertKind.PERFORMANCE,
            f"version:{version.pk}",
            {**about, "failure_mode": mode.name, **judged},
            version,
        ),
        _silence(silent, now),
        _silence(gone, now),
    ]
    settle(site, findings, now=now)
    alert = Alert.objects.filter(site=site).open()
    monitor.acknowledge(
        alert=alert.get(kind=AlertKind.PERFORMANCE),
        note="Waiting for Thursday's inspection before training again.",
        by=engineer,
        now=now,
    )
    monitor.silence(alert=alert.get(point=silent), until=now + 24 * HOUR, by=engineer, now=now)
    monitor.close(alert=alert.get(point=gone), by=engineer, now=now)


def _silence(point: MeasurementPoint, now: dt.datetime) -> Finding:
    told = {"asset": point.asset.code, "name": point.name}
    told |= {"since": (now - 30 * HOUR).isoformat()}
    return Finding(AlertKind.SILENT_POINT, f"point:{point.pk}", {**told, "points": 1}, point=point)


def _half_trained(site: Site, engineer: User, now: dt.datetime) -> str:
    """A training that a worker has begun."""
    asked = tasks.request_training(site=site, by=engineer, now=now, trigger=Trigger.BUTTON)
    run = operations.lease(operation_id=asked.pk, clock=timezone.now)
    if run is None:
        raise RuntimeError(f"{asked} could not be leased")
    run.report(3, 10, "Hydraulic press: Oil cooler fouling")
    return reverse("operation", args=[asked.pk])


def _perform(operation: Operation) -> None:
    if not tasks.perform(operation_id=operation.pk, clock=timezone.now):
        raise RuntimeError(f"{operation} was not performed")


def _photo(width: int = 320, height: int = 240) -> bytes:
    """A grey ring with a dark spot, as PNG."""
    rows = b"".join(
        b"\0" + bytes(_grey(x - width / 2, y - height / 2) for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _grey(x: float, y: float) -> int:
    from_centre, from_spot = (x * x + y * y) ** 0.5, ((x - 62) ** 2 + (y + 34) ** 2) ** 0.5
    ring = 165 + int(from_centre) % 40 if 55 < from_centre < 95 else 70
    return max(20, ring - 120) if from_spot < 11 else ring
