"""Which version serves: promotion and rollback, each in one transaction.

The state of the versions, the row of `Serving` that opens, the one that closes and the audit entry
are written together, under a lock of the failure mode.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from maintenance.choices import ModelState, ServingStart
from maintenance.models import AuditEntry, FailureMode, ModelVersion, Serving, User
from maintenance.queries import artefacts

MOST_WORDS = 240


class AlreadyServes(Exception):
    """The version serves already."""


class NothingBefore(Exception):
    """No version served before the one that serves."""


class ServesAnother(Exception):
    """What serves has changed since the rollback was asked for."""


@transaction.atomic
def promote(
    *, model_version: ModelVersion, by: User | None, now: dt.datetime, reason: str
) -> Serving:
    """Let a version serve that somebody chose; forecasts from now on are its own.

    Raises AlreadyServes, or predictors.errors.ArtefactError where its files are not whole.
    """
    lock(model_version.failure_mode)
    version = ModelVersion.objects.select_related("failure_mode__asset_class__site").get(
        pk=model_version.pk
    )
    if version.state == ModelState.CHAMPION:
        raise AlreadyServes(str(version))
    artefacts.load(version)
    return serve(version, start=ServingStart.PROMOTION, by=by, now=now, reason=reason)


@transaction.atomic
def roll_back(
    *,
    failure_mode: FailureMode,
    by: User | None,
    now: dt.datetime,
    reason: str,
    to: ModelVersion | None = None,
) -> Serving:
    """Go back to the version that served before the one that serves was promoted.

    `to` is the version that is expected: an order that comes twice, or after somebody else's, does
    not go further back than was meant. Raises NothingBefore, AlreadyServes, ServesAnother, or
    predictors.errors.ArtefactError where its files are not whole.
    """
    lock(failure_mode)
    version = served_before(failure_mode)
    if to is not None and to != version:
        serves = ModelVersion.objects.champions().filter(pk=to.pk).exists()
        raise AlreadyServes(str(to)) if serves else ServesAnother(str(failure_mode))
    if version is None:
        raise NothingBefore(str(failure_mode))
    artefacts.load(version)
    return serve(version, start=ServingStart.ROLLBACK, by=by, now=now, reason=reason)


def served_before(failure_mode: FailureMode) -> ModelVersion | None:
    """What a rollback would return to, if there is anything."""
    servings = Serving.objects.filter(failure_mode=failure_mode).order_by("-pk")
    current = servings.filter(until_at=None).first()
    if current is None:
        return None
    promotions = servings.filter(
        model_version=current.model_version_id, start=ServingStart.PROMOTION
    )
    began = promotions.first() or current
    earlier = servings.filter(pk__lt=began.pk).exclude(model_version=current.model_version_id)
    before = earlier.select_related("model_version__failure_mode__asset_class__site").first()
    return before.model_version if before else None


def serve(
    version: ModelVersion, *, start: ServingStart, by: User | None, now: dt.datetime, reason: str
) -> Serving:
    """Swap what serves; the caller holds the lock of the failure mode."""
    mode = version.failure_mode
    before = ModelVersion.objects.champions().filter(failure_mode=mode).first()
    if before is not None:
        _retire(before, now=now)
    version.state = ModelState.CHAMPION
    version.save(update_fields=["state"])
    AuditEntry.objects.create(
        site=mode.asset_class.site,
        at=now,
        by=by,
        action="roll back model" if start == ServingStart.ROLLBACK else "promote model",
        subject=f"{mode.asset_class.code} {mode.code}"[:160],
        before={"version": before.version if before else None},
        after={"version": version.version, "reason": reason},
    )
    return Serving.objects.create(
        failure_mode=mode,
        model_version=version,
        start=start,
        from_at=now,
        by=by,
        reason=reason[:MOST_WORDS],
    )


def _retire(version: ModelVersion, *, now: dt.datetime) -> None:
    """A version that began to serve before servings were kept gets its row now."""
    version.state = ModelState.RETIRED
    version.save(update_fields=["state"])
    serving, _made = Serving.objects.get_or_create(
        failure_mode=version.failure_mode,
        until_at=None,
        defaults={
            "model_version": version,
            "start": ServingStart.PROMOTION,
            "from_at": min(version.recorded_at, now),
            "reason": version.why,
        },
    )
    serving.until_at = max(now, serving.from_at)
    serving.save(update_fields=["until_at"])


def lock(mode: FailureMode) -> None:
    """Trainings, promotions and rollbacks of a failure mode come one after the other."""
    FailureMode.objects.select_for_update().get(pk=mode.pk)
