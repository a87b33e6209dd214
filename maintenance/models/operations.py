"""The record of every long task."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import OPEN_OPERATION_STATES, OperationKind, OperationState
from maintenance.models.access import Site, SiteScoped, SiteScopedQuerySet, User


class OperationQuerySet(SiteScopedQuerySet["Operation"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_OPERATION_STATES)

    def stale(self, *, now: dt.datetime) -> Self:
        """Running, but its worker has not renewed the lease."""
        return self.filter(state=OperationState.RUNNING, lease_until__lt=now)

    def waiting_too_long(self, *, now: dt.datetime, patience: dt.timedelta) -> Self:
        """Queued, but no worker heard of it: the wake-up message was lost."""
        return self.filter(state=OperationState.QUEUED, woken_at__lt=now - patience)


class Operation(SiteScoped):
    """A queued row is the outbox; the broker only wakes a worker. Writes are fenced by `run`."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="operations")
    kind = models.CharField(_("kind"), max_length=16, choices=OperationKind)
    key = models.CharField(_("key"), max_length=80, blank=True)
    arguments = models.JSONField(_("arguments"), default=dict)
    state = models.CharField(
        _("state"), max_length=12, choices=OperationState, default=OperationState.QUEUED
    )
    run = models.PositiveIntegerField(_("run number"), default=0)
    useful_run = models.PositiveIntegerField(
        _("last run that achieved something"), default=0, editable=False
    )
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("heartbeat at"), null=True, blank=True)
    progress_done = models.PositiveIntegerField(_("steps done"), default=0)
    progress_total = models.PositiveIntegerField(_("steps in total"), default=0)
    progress_note = models.CharField(_("what it is doing"), max_length=160, blank=True)
    result = models.JSONField(_("result"), default=dict)
    error = models.TextField(_("error"), blank=True)
    requested_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(_("requested at"))
    woken_at = models.DateTimeField(_("woken at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-recorded_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "kind", "key"],
                condition=models.Q(state__in=[s.value for s in OPEN_OPERATION_STATES]),
                name="one_open_operation_a_key",
            ),
            models.CheckConstraint(
                name="running_operation_has_a_lease",
                condition=~models.Q(state=OperationState.RUNNING)
                | models.Q(lease_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_OPERATION_STATES
