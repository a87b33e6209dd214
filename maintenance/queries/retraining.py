"""When a site's models are due to be trained again, beyond the timetable."""

from __future__ import annotations

import datetime as dt

from django.db.models import Max

from maintenance.choices import AlertKind, Outcome, Trigger
from maintenance.models import Alert, Label, Site, TrainingRun

LEAST_BETWEEN_TRAININGS = dt.timedelta(days=7)
ENOUGH_LABELS = 20
ENOUGH_FAILURES = 5
"""Failures behind the labels, each counted once, however many forecasts had foreseen it."""


def due(site: Site, *, now: dt.datetime) -> Trigger | None:
    """Why the models should be trained now, if they should: at most once a week.

    A site that was never trained waits for somebody to want it.
    """
    runs = TrainingRun.objects.filter(failure_mode__asset_class__site=site)
    last = runs.aggregate(at=Max("recorded_at"))["at"]
    if last is None or now - last < LEAST_BETWEEN_TRAININGS:
        return None
    drifted = Alert.objects.filter(site=site, kind=AlertKind.DRIFT, opened_at__gt=last)
    if drifted.shown(now=now).exists():
        return Trigger.DRIFT
    return Trigger.LABELS if _enough_labels(site, since=last) else None


def _enough_labels(site: Site, *, since: dt.datetime) -> bool:
    labels = Label.objects.filter(forecast__asset__site=site, recorded_at__gt=since)
    failed = labels.filter(outcome=Outcome.FAILED).order_by()
    lives = failed.values("forecast__asset", "forecast__failure_mode").distinct()
    return labels.count() >= ENOUGH_LABELS and lives.count() >= ENOUGH_FAILURES
