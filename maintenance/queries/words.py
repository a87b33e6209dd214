"""Broken rules, reasons and unlocks as sentences in the reader's language.

The scheduler names a rule by a code and gives the parameters of its sentence; the sentences of
the pages stand here, so that translators find them. A minute becomes the moment it stands for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from maintenance.choices import LeftOutClass
from maintenance.models import LeftOut, Site, Technician

if TYPE_CHECKING:
    from scheduler.assignment import Parameter

RULE_WORDS: dict[str, Promise] = {
    "unknown_job": _("%(job)s is not part of this schedule."),
    "scheduled_twice": _("%(job)s stands %(times)s times in the schedule."),
    "wrong_duration": _("The work takes %(needed_duration)s; it was given %(given_duration)s."),
    "unknown_technician": _("Technician %(technician)s is not part of this schedule."),
    "technician_twice": _("%(technician)s stands twice in the crew."),
    "outside_schedule": _("It does not lie within the days of the schedule."),
    "frozen_period": _("It starts before %(until)s, and nothing new may start by then."),
    "too_early": _("It may not start before %(earliest)s."),
    "too_late": _("It must be finished by %(latest)s."),
    "pin_moved": _("It is pinned to %(pinned)s."),
    "pin_crew_changed": _("It is pinned to %(technician)s."),
    "crew_too_large": _("%(technician)s has nothing to do in this work order."),
    "skill_missing": _("%(technician)s does not have the skill %(skill)s."),
    "level_too_low": _("%(technician)s has %(skill)s at level %(has)s; level %(level)s is needed."),
    "certificate_expired": _(
        "The certificate of %(technician)s for %(skill)s is valid until %(until)s."
    ),
    "off_shift": _("%(technician)s is not on shift all that time."),
    "absent": _("%(technician)s is absent at that time."),
    "technician_busy": _("%(technician)s is on %(other)s at that time."),
    "asset_busy": _("%(asset)s is already stopped by %(other)s at that time."),
    "outside_window": _("%(asset)s may not be stopped all that time."),
    "tool_short": _("%(tool)s: %(needed)s needed at once, there are %(available)s."),
    "tool_unavailable": _(
        "%(tool)s: %(needed)s needed, only %(available)s can be used then (%(reason)s)."
    ),
    "part_short": _("%(part)s: %(needed)s needed by then, only %(available)s will be there."),
    "predecessor_left_out": _("%(other)s must be finished first, and it is left out."),
    "predecessor_not_finished": _("%(other)s must be finished before it starts."),
}
BLOCKED_WORDS: dict[str, Promise] = {
    "longer_than_any_shift": _(
        "The work takes %(needed_duration)s; no shift of those who can do it is longer than "
        "%(longest_duration)s."
    ),
    "longer_than_schedule": _(
        "The work takes %(needed_duration)s, longer than what is left of the schedule."
    ),
    "too_few_people": _("It needs %(needed)s people; there are %(available)s."),
}
WAIVER_WORDS: dict[str, Promise] = {
    "window": _("Let the asset stop at another time"),
    "dates": _("Change its dates"),
    "predecessor": _("Do without the work before it"),
    "skill": _("Find somebody else with the skill"),
    "certificate": _("Renew the certificate"),
    "absence": _("Move the absence"),
    "shift": _("Work beyond the shift"),
    "technician": _("Free the technician of other work"),
    "asset": _("Let other work on the asset wait"),
    "tool": _("Get one more tool"),
    "calibration": _("Have the tool calibrated in time"),
    "part": _("Have the part delivered in time"),
}
GENERAL_WORDS: dict[str, Promise] = {
    "technician": _("Somebody"),
    "skill": _("the skill"),
    "level": _("the level"),
    "has": _("a lower level"),
    "asset": _("The asset"),
    "tool": _("A tool"),
    "part": _("A part"),
    "other": _("Other work"),
    "needed": _("more"),
    "available": _("fewer"),
    "reason": _("not there"),
}
KIND_WORDS: dict[str, Promise] = {
    "economic": _("Waiting is cheaper than any free place in these days."),
    "structural": _("It cannot be done in these days as things are."),
    "contention": _("There is no room beside work that matters more."),
    "possible": _("It would fit and pay: optimise again, or place it by hand."),
}
MOMENTS = frozenset({"until", "earliest", "latest", "pinned", "next_delivery"})
DURATIONS = frozenset({"needed", "given", "longest"})
OUTAGE_REASONS: dict[str, Promise] = {"calibration": _("calibration")}


def rule_words(code: str, parameters: Mapping[str, Parameter], *, starts_at: dt.datetime) -> str:
    """What a broken rule means. Minutes count from `starts_at`, the start of the schedule."""
    if code == "crew_incomplete":
        return _crew_incomplete(parameters)
    template = RULE_WORDS.get(code) or BLOCKED_WORDS.get(code)
    if template is None:
        return gettext("A rule of the schedule is broken (%(code)s).") % {"code": code}
    sentence = str(template) % _spoken(parameters, starts_at)
    if "next_delivery" in parameters:
        at = moment_words(starts_at + dt.timedelta(minutes=int(parameters["next_delivery"])))
        sentence += " " + gettext("The next delivery is due on %(at)s.") % {"at": at}
    return sentence


def _crew_incomplete(parameters: Mapping[str, Parameter]) -> str:
    missing = int(parameters.get("missing", 1))
    sentence = ngettext(
        "%(missing)s person with %(skill)s (level %(level)s or above) is missing.",
        "%(missing)s people with %(skill)s (level %(level)s or above) are missing.",
        missing,
    )
    spoken = _Spoken({name: str(value) for name, value in parameters.items()})
    spoken["missing"] = str(missing)
    return sentence % spoken


class _Spoken(dict[str, str]):
    """Parameters in words; what nobody told takes a general word."""

    def __missing__(self, name: str) -> str:
        return str(GENERAL_WORDS.get(name, "…"))


def _spoken(parameters: Mapping[str, Parameter], starts_at: dt.datetime) -> _Spoken:
    spoken = _Spoken({name: _of_kind(name)(value, starts_at) for name, value in parameters.items()})
    for name in DURATIONS & parameters.keys():
        spoken[f"{name}_duration"] = duration_words(int(parameters[name]))
    return spoken


def _of_kind(name: str) -> Callable[[Parameter, dt.datetime], str]:
    if name in MOMENTS:
        return lambda minute, start: moment_words(start + dt.timedelta(minutes=int(minute)))
    if name == "reason":
        return lambda reason, _start: str(OUTAGE_REASONS.get(str(reason), reason))
    return lambda value, _start: str(value)


def moment_words(at: dt.datetime) -> str:
    """An instant in the time zone of the page."""
    return formats.date_format(timezone.localtime(at), gettext("D j M, H:i"))


def duration_words(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest} min")
    return " ".join(parts)


@dataclass(frozen=True)
class UnlockWords:
    """One change that would bring the work in: what to do, where it would stand, its worth."""

    actions: list[str]
    obstacles: list[str]
    starts_at: dt.datetime
    technicians: list[str]
    saving: float


@dataclass(frozen=True)
class LeftOutWords:
    """Why work waits: the class of reason, the rules in the way, what would change it."""

    kind: LeftOutClass
    obstacles: list[str]
    unlocks: list[UnlockWords]

    @property
    def label(self) -> Promise:
        return KIND_WORDS[self.kind]

    @property
    def short(self) -> str:
        """The class of reason, and the change that would pay most."""
        action = f" {' + '.join(self.unlocks[0].actions)}." if self.unlocks else ""
        return f"{self.kind.label}.{action}"


def technician_names(site: Site) -> dict[str, str]:
    """By the id that schedules know them by."""
    rows = Technician.objects.filter(site=site).values_list("pk", "name")
    return {str(pk): name for pk, name in rows}


def left_out_words(left_out: LeftOut, *, names: Mapping[str, str]) -> LeftOutWords:
    """`names` gives technicians by their id in the schedule."""
    starts_at = left_out.schedule.starts_at
    return LeftOutWords(
        kind=LeftOutClass(left_out.reason_class),
        obstacles=_sentences(left_out.rules, starts_at),
        unlocks=[_unlock(unlock, starts_at, names) for unlock in left_out.unlocks],
    )


def _unlock(
    unlock: Mapping[str, Any], starts_at: dt.datetime, names: Mapping[str, str]
) -> UnlockWords:
    return UnlockWords(
        actions=[str(WAIVER_WORDS.get(waiver, waiver)) for waiver in unlock["waivers"]],
        obstacles=_sentences(unlock["broken"], starts_at),
        starts_at=starts_at + dt.timedelta(minutes=unlock["start_minute"]),
        technicians=[names[i] for i in unlock["technician_ids"] if i in names],
        saving=unlock["saving"] / 100,
    )


def _sentences(broken: Iterable[Mapping[str, Any]], starts_at: dt.datetime) -> list[str]:
    """Each sentence once, in the order given."""
    told = (rule_words(b["rule"], b["parameters"], starts_at=starts_at) for b in broken)
    return list(dict.fromkeys(told))


# A risk of failure within 14 days, from worst to best.
RISK_BANDS = ((0.6, "critical"), (0.3, "high"), (0.12, "watch"), (0.0, "low"))


def risk_band(risk_14_days: float | None) -> str:
    """The band whose colour, icon and word stand for a risk; `unknown` where none is known."""
    if risk_14_days is None:
        return "unknown"
    return next(band for least, band in RISK_BANDS if risk_14_days >= least)
