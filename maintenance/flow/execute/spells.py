"""When work was done: spells without a break, in which the asset stands still."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from maintenance.choices import WorkOrderType
from maintenance.flow.execute.refusals import Refusal
from maintenance.models import Downtime, User, WorkOrder, WorkSpell
from maintenance.queries.words import moment_words

MINUTE = dt.timedelta(minutes=1)


def end(work_order: WorkOrder, *, at: dt.datetime, now: dt.datetime) -> None:
    """End the spell that is open, if one is; the asset stood still while it lasted."""
    spell = work_order.spells.filter(ended_at=None).first()
    if spell is None:
        return
    if at < spell.started_at:
        words = _("The work began on %(at)s, after that.")
        raise Refusal("finished_at", words % {"at": moment_words(spell.started_at)})
    spell.ended_at = at
    spell.save(update_fields=["ended_at"])
    _stood_still(work_order, spell.started_at, at, now)


def end_all(
    work_order: WorkOrder,
    *,
    started_at: dt.datetime | None,
    finished_at: dt.datetime,
    by: User | None,
    now: dt.datetime,
) -> int:
    """The work is over: the minutes that were worked.

    Where nobody pressed start, one spell is written down from `started_at`, or from so long ago
    as the work usually takes.
    """
    _refuse_later_work(work_order, finished_at)
    if not work_order.spells.exists():
        usual = work_order.job_plan.duration_p50_minutes * MINUTE
        began = started_at or finished_at - usual
        if began > finished_at:
            raise Refusal("started_at", _("The work cannot begin after its end."))
        WorkSpell.objects.create(work_order=work_order, by=by, started_at=began)
    end(work_order, at=finished_at, now=now)
    worked = (s.ended_at - s.started_at for s in work_order.spells.all() if s.ended_at)
    return round(sum(worked, dt.timedelta()) / MINUTE)


def _refuse_later_work(work_order: WorkOrder, finished_at: dt.datetime) -> None:
    later = work_order.spells.filter(ended_at__gt=finished_at).order_by("-ended_at").first()
    if later is not None and later.ended_at is not None:
        words = _("The work went on until %(at)s.")
        raise Refusal("finished_at", words % {"at": moment_words(later.ended_at)})


def _stood_still(
    work_order: WorkOrder, starts_at: dt.datetime, ends_at: dt.datetime, now: dt.datetime
) -> None:
    """Work that repairs a failure is not a stop that anybody planned."""
    if ends_at > starts_at:
        Downtime.objects.get_or_create(
            asset=work_order.asset,
            starts_at=starts_at,
            defaults={
                "ends_at": ends_at,
                "planned": work_order.type != WorkOrderType.CORRECTIVE,
                "recorded_at": now,
            },
        )
