"""What the inbox shows of alerts: what happened, since when, and in which words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from maintenance.choices import AlertKind, Permission
from maintenance.models import Alert, Site, User, WorkOrder

STATES = {
    "open": gettext_lazy("Open"),
    "mine": gettext_lazy("Mine"),
    "silenced": gettext_lazy("Silenced"),
    "closed": gettext_lazy("Closed"),
}


@dataclass(frozen=True)
class Wanted:
    state: str = "open"
    kind: str = ""

    @property
    def narrows(self) -> bool:
        return bool(self.kind)


@dataclass(frozen=True)
class Tab:
    state: str
    label: Any
    count: int
    current: bool


@dataclass(frozen=True)
class AlertRow:
    """An alert in words: `subject` says what it is about, `story` what was seen."""

    alert: Alert
    subject: str
    story: str
    icon: str
    tone: str
    silenced: bool
    may_retrain: bool


def alerts(user: User, site: Site) -> QuerySet[Alert]:
    rows = Alert.objects.for_user(user, Permission.READ_WORK).of_site(site)
    return rows.select_related("owner", "point__asset", "model_version__failure_mode")


def shown(user: User, site: Site, wanted: Wanted, *, now: dt.datetime) -> QuerySet[Alert]:
    rows = _of_state(alerts(user, site), wanted.state, user, now=now)
    rows = rows.filter(kind=wanted.kind) if wanted.kind else rows
    return rows.order_by("-closed_at", "-last_seen_at", "-pk") if wanted.state == "closed" else rows


def tabs(user: User, site: Site, wanted: Wanted, *, now: dt.datetime) -> list[Tab]:
    rows = Alert.objects.for_user(user, Permission.READ_WORK).of_site(site)
    return [
        Tab(
            state=state,
            label=label,
            count=_of_state(rows, state, user, now=now).count(),
            current=state == wanted.state,
        )
        for state, label in STATES.items()
    ]


def proposals(user: User, site: Site) -> int:
    return WorkOrder.objects.for_user(user).of_site(site).proposed().count()


def row(alert: Alert, *, now: dt.datetime) -> AlertRow:
    icon, tone = MARKS[AlertKind(alert.kind)]
    return AlertRow(
        alert=alert,
        subject=_SUBJECTS[AlertKind(alert.kind)](alert.parameters),
        story=_STORIES[AlertKind(alert.kind)](alert.parameters),
        icon=icon,
        tone=tone,
        silenced=alert.silenced_until is not None and alert.silenced_until > now,
        may_retrain=alert.kind in (AlertKind.DRIFT, AlertKind.PERFORMANCE),
    )


MARKS = {
    AlertKind.DRIFT: ("wave-sine", "watch"),
    AlertKind.PERFORMANCE: ("target-off", "high"),
    AlertKind.SILENT_POINT: ("wifi-off", "critical"),
}


def _of_state(
    rows: QuerySet[Alert], state: str, user: User, *, now: dt.datetime
) -> QuerySet[Alert]:
    standing = rows.filter(closed_at=None)
    if state == "closed":
        return rows.exclude(closed_at=None)
    if state == "silenced":
        return standing.filter(silenced_until__gt=now)
    heard = standing.exclude(silenced_until__gt=now)
    return heard.filter(owner=user) if state == "mine" else heard


def _drift_subject(told: Mapping[str, Any]) -> str:
    if "asset" in told:
        return f"{told['asset']} · {told['name']}"
    return f"{told['asset_class']} · {told['quantity']}"


def _drift_story(told: Mapping[str, Any]) -> str:
    if "asset" in told:
        return _(
            "Since %(day)s this point reads %(change)s %(unit)s from its own past, and the other "
            "points of the asset do not explain it. Was the sensor exchanged or recalibrated?"
        ) % {"day": _day(told["since"]), "change": _signed(told["size"]), "unit": told["unit"]}
    return _(
        "The readings of this class lie elsewhere than those the model learnt from: stability "
        "index (PSI) %(psi)s, %(share)s %% of them out of place."
    ) % {"psi": _number(told["psi"], 2), "share": _number(100 * told["distance"], 0)}


def _performance_subject(told: Mapping[str, Any]) -> str:
    return f"{told['asset_class']} · {told['failure_mode']}"


def _performance_story(told: Mapping[str, Any]) -> str:
    return _(
        "Of %(forecasts)s forecasts whose 14 days have passed, %(failures)s failed; "
        "%(expected)s were to be expected. Brier score %(brier)s, where the risks promised "
        "%(promised)s."
    ) % {
        "forecasts": told["forecasts"],
        "failures": told["failures"],
        "expected": _number(told["expected_failures"], 1),
        "brier": _number(told["brier"], 3),
        "promised": _number(told["expected_brier"], 3),
    }


def _silent_subject(told: Mapping[str, Any]) -> str:
    if "asset" not in told:
        return _("The whole site")
    if "name" not in told:
        return str(told["asset"])
    return f"{told['asset']} · {told['name']}"


def _silent_story(told: Mapping[str, Any]) -> str:
    points = int(told["points"])
    return ngettext(
        "The last reading came on %(at)s.",
        "%(points)s points, all of them, are silent: the last reading came on %(at)s. Look at the "
        "gateway first.",
        points,
    ) % {"points": points, "at": _moment(told["since"])}


_SUBJECTS = {
    AlertKind.DRIFT: _drift_subject,
    AlertKind.PERFORMANCE: _performance_subject,
    AlertKind.SILENT_POINT: _silent_subject,
}
_STORIES = {
    AlertKind.DRIFT: _drift_story,
    AlertKind.PERFORMANCE: _performance_story,
    AlertKind.SILENT_POINT: _silent_story,
}


def _day(text: str) -> str:
    return formats.date_format(timezone.localtime(dt.datetime.fromisoformat(text)), "j M Y")


def _moment(text: str) -> str:
    return formats.date_format(timezone.localtime(dt.datetime.fromisoformat(text)), "j M Y, H:i")


def _number(value: float, decimals: int) -> str:
    return formats.number_format(round(value, decimals), decimal_pos=decimals, use_l10n=True)


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "\N{MINUS SIGN}"
    return sign + formats.number_format(f"{abs(value):.3g}", use_l10n=True)
