"""Alerts open, stay and close with what is found; people take them on, silence or close them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from maintenance.flow.monitor.findings import Finding
from maintenance.models import Alert, AuditEntry, Site, User


class Refused(Exception):
    """The alert cannot be changed this way; the message says why, in the user's language."""


def acknowledge(*, alert: Alert, note: str, by: User, now: dt.datetime) -> None:
    """Somebody takes the alert on: it is theirs, with what they mean to do."""
    with transaction.atomic():
        alert = _open(alert)
        before = _state(alert)
        alert.owner, alert.acknowledged_at, alert.note = by, now, note[:240]
        alert.save()
        _audit(alert, "alert acknowledged", before, by=by, now=now)


def silence(*, alert: Alert, until: dt.datetime, by: User, now: dt.datetime) -> None:
    """Hide an open alert for a while; it goes on being watched and comes back by itself."""
    if until <= now:
        raise Refused(_("Silence it until an instant that lies ahead."))
    with transaction.atomic():
        alert = _open(alert)
        before = _state(alert)
        alert.silenced_until = until
        alert.owner = alert.owner or by
        alert.save()
        _audit(alert, "alert silenced", before, by=by, now=now)


def close(*, alert: Alert, by: User, now: dt.datetime) -> None:
    """Close by hand. If its cause is still there at the next watch, a new alert opens."""
    with transaction.atomic():
        alert = _open(alert)
        before = _state(alert)
        alert.closed_at = now
        alert.owner = alert.owner or by
        alert.save()
        _audit(alert, "alert closed", before, by=by, now=now)


def settle(site: Site, findings: Sequence[Finding], *, now: dt.datetime) -> dict[str, int]:
    """What is found stands as an open alert; what is not found any more is closed."""
    standing = {
        (alert.kind, alert.key): alert
        for alert in Alert.objects.select_for_update().filter(site=site).open()
    }
    opened = 0
    for finding in findings:
        alert = standing.pop((finding.kind.value, finding.key), None)
        opened += alert is None
        _tell(site, finding, alert, now=now)
    gone = [alert.pk for alert in standing.values()]
    Alert.objects.filter(pk__in=gone).update(closed_at=now)
    return {"alerts": opened, "closed": len(gone)}


def _tell(site: Site, finding: Finding, alert: Alert | None, *, now: dt.datetime) -> None:
    if alert is None:
        alert = Alert(site=site, kind=finding.kind, key=finding.key, opened_at=now, recorded_at=now)
    alert.parameters = dict(finding.parameters)
    alert.model_version, alert.point = finding.model_version, finding.point
    alert.last_seen_at = now
    alert.save()


def _open(alert: Alert) -> Alert:
    """The alert as it stands now, held until the change is written."""
    held = Alert.objects.select_for_update().get(pk=alert.pk)
    if held.closed_at is not None:
        raise Refused(_("This alert is closed already."))
    return held


def _state(alert: Alert) -> dict[str, Any]:
    return {
        "owner": alert.owner.username if alert.owner else None,
        "note": alert.note,
        "silenced_until": alert.silenced_until.isoformat() if alert.silenced_until else None,
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
    }


def _audit(
    alert: Alert, action: str, before: dict[str, Any], *, by: User, now: dt.datetime
) -> None:
    AuditEntry.objects.create(
        site=alert.site,
        at=now,
        by=by,
        action=action,
        subject=f"{alert.kind} {alert.key}"[:160],
        before=before,
        after=_state(alert),
    )
