"""The record of a batch: what it brought, what was new, which rows were refused."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import F

from maintenance.choices import ImportDoor, ImportState
from maintenance.flow.ingest.refusals import LONGEST_REASON, Outcome, storable
from maintenance.models import Import, Operation, RejectedRow, Site, User

MOST_KEPT_ROWS = 10_000
"""Refused rows kept of one batch; all are counted."""


def open_batch(
    *,
    site: Site,
    door: ImportDoor,
    table: str,
    now: dt.datetime,
    file_name: str = "",
    mapping: str = "",
    dry_run: bool = False,
    by: User | None = None,
    operation: Operation | None = None,
) -> Import:
    return Import.objects.create(
        site=site,
        operation=operation,
        door=door,
        table=table,
        file_name=file_name[:255],
        mapping=mapping[:80],
        dry_run=dry_run,
        by=by,
        recorded_at=now,
    )


def add_to_batch(*, batch: Import, outcome: Outcome, now: dt.datetime) -> None:
    """Count the rows in the transaction that stores them: the record never tells otherwise."""
    with transaction.atomic():
        _keep_refused(batch, outcome, now)
        Import.objects.filter(pk=batch.pk).update(
            **{name: F(name) + count for name, count in outcome.counts().items()}
        )


def _keep_refused(batch: Import, outcome: Outcome, now: dt.datetime) -> None:
    room = MOST_KEPT_ROWS - (batch.rejected_rows.count() if outcome.errors else 0)
    RejectedRow.objects.bulk_create(
        [
            RejectedRow(
                site_id=batch.site_id,
                batch=batch,
                row=error.row or 0,
                field=storable(error.field, 80),
                reason=storable(error.reason, LONGEST_REASON),
                raw=error.raw,
                recorded_at=now,
            )
            for error in outcome.errors[: max(0, room)]
        ],
        batch_size=2000,
    )


def close_batch(*, batch: Import, now: dt.datetime) -> Import:
    """Raises IntegrityError if a row was lost: the database checks the sum."""
    Import.objects.filter(pk=batch.pk).update(state=ImportState.DONE, finished_at=now)
    batch.refresh_from_db()
    return batch


def fail_batch(*, batch: Import, error: str, now: dt.datetime) -> Import:
    """The batch cannot go on; what was stored until here stays."""
    Import.objects.filter(pk=batch.pk).update(
        state=ImportState.FAILED, error=storable(error), finished_at=now
    )
    batch.refresh_from_db()
    return batch


def take_whole(
    *,
    site: Site,
    door: ImportDoor,
    table: str,
    outcome: Outcome,
    now: dt.datetime,
    by: User | None = None,
) -> Import:
    """The record of a batch that came in one piece."""
    with transaction.atomic(savepoint=False):
        batch = Import.objects.create(
            site=site,
            door=door,
            table=table,
            by=by,
            state=ImportState.DONE,
            recorded_at=now,
            finished_at=now,
            **outcome.counts(),
        )
        if outcome.errors:
            _keep_refused(batch, outcome, now)
    return batch
