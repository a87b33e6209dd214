"""Parts leave the store through its ledger: the stock of a part is the sum of its lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.utils.translation import gettext as _

from maintenance.choices import StockMove
from maintenance.flow.execute.refusals import Refusal
from maintenance.models import SparePart, StockEntry, User, WorkOrder


def issue(
    parts: Mapping[SparePart, int],
    *,
    work_order: WorkOrder,
    at: dt.datetime,
    by: User | None,
    now: dt.datetime,
) -> None:
    """Take what was used; where there is not enough of a part, nothing is taken of any."""
    wanted = {part.pk: quantity for part, quantity in parts.items() if quantity}
    # In one order, so that two reports that use the same parts do not wait for each other.
    locked = list(
        SparePart.objects.select_for_update()
        .filter(site=work_order.site, pk__in=wanted)
        .order_by("pk")
    )
    if len(locked) < len(wanted) or min(wanted.values(), default=0) < 0:
        raise Refusal("parts", _("A part of another store, or fewer than none, cannot be used."))
    short = [part for part in locked if part.stock < wanted[part.pk]]
    if short:
        raise Refusal("parts", " ".join(_too_few(part, wanted[part.pk]) for part in short))
    for part in locked:
        part.stock -= wanted[part.pk]
        part.save(update_fields=["stock"])
    StockEntry.objects.bulk_create(
        StockEntry(
            part=part,
            kind=StockMove.ISSUE,
            quantity=-wanted[part.pk],
            at=at,
            work_order=work_order,
            by=by,
            recorded_at=now,
        )
        for part in locked
    )


def _too_few(part: SparePart, wanted: int) -> str:
    words = _("%(part)s: %(wanted)d used, but the store has %(stock)d.")
    return words % {"part": part.name, "wanted": wanted, "stock": part.stock}
