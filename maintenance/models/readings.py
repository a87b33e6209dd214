"""What the sensors said, what was refused, and by which batch it came."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import ImportDoor, ImportState, Permission
from maintenance.models.access import Site, SiteScoped, SiteScopedQuerySet, User
from maintenance.models.assets import MeasurementPoint
from maintenance.models.operations import Operation


class Reading(models.Model):
    """A reading of the last days. Written and read by `maintenance.store` alone.

    Without a foreign key in the database: checking it costs as much as storing the row, the doors
    look points up, and `verify_store` finds what has none.
    """

    pk = models.CompositePrimaryKey("point_id", "at_us")
    point = models.ForeignKey(
        MeasurementPoint,
        models.CASCADE,
        related_name="readings",
        db_index=False,
        db_constraint=False,
    )
    at_us = models.BigIntegerField()
    value = models.FloatField()

    def __str__(self) -> str:
        return f"{self.point_id} {self.at_us} {self.value}"


class ReadingSegment(models.Model):
    """Readings of a cell of time, compressed. Written and read by `maintenance.store` alone."""

    pk = models.CompositePrimaryKey("point_id", "start_us")
    point = models.ForeignKey(
        MeasurementPoint, models.CASCADE, related_name="segments", db_index=False
    )
    start_us = models.BigIntegerField()
    last_us = models.BigIntegerField()
    n = models.PositiveIntegerField()
    instants = models.BinaryField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="segment_holds_readings",
                condition=models.Q(n__gt=0, last_us__gte=models.F("start_us")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.point_id} {self.start_us}: {self.n}"


class Watermark(models.Model):
    """Readings of this shard earlier than this live in segments, all later ones are hot."""

    shard = models.PositiveSmallIntegerField(primary_key=True)
    sealed_before_us = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.shard}: {self.sealed_before_us}"


class Import(SiteScoped):
    """One batch that came through a door: what it brought, what was new, what was refused."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="imports")
    operation = models.ForeignKey(
        Operation, models.SET_NULL, null=True, blank=True, related_name="imports"
    )
    door = models.CharField(_("door"), max_length=8, choices=ImportDoor)
    table = models.CharField(_("table"), max_length=40)
    file_name = models.CharField(_("file"), max_length=255, blank=True)
    mapping = models.CharField(_("mapping"), max_length=80, blank=True)
    dry_run = models.BooleanField(_("dry run"), default=False)
    state = models.CharField(
        _("state"), max_length=8, choices=ImportState, default=ImportState.RUNNING
    )
    received = models.PositiveIntegerField(_("rows received"), default=0)
    new = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    duplicate = models.PositiveIntegerField(_("already known"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    error = models.TextField(_("error"), blank=True)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(_("recorded at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = SiteScopedQuerySet["Import"].as_manager()

    class Meta:
        ordering: ClassVar = ["-recorded_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="import_loses_nothing",
                condition=~models.Q(state=ImportState.DONE)
                | models.Q(
                    received=models.F("new")
                    + models.F("changed")
                    + models.F("duplicate")
                    + models.F("refused")
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.file_name}".strip()


class RejectedRow(SiteScoped):
    """A row that was refused: where it stood, which field, why, and how it came."""

    READ_PERMISSION = Permission.READ_ASSETS

    site = models.ForeignKey(Site, models.CASCADE, related_name="rejected_rows")
    batch = models.ForeignKey(Import, models.CASCADE, related_name="rejected_rows")
    row = models.PositiveIntegerField(_("row"))
    field = models.CharField(_("field"), max_length=80)
    reason = models.CharField(_("reason"), max_length=240)
    raw = models.TextField(_("row as it came"))
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["RejectedRow"].as_manager()

    class Meta:
        ordering: ClassVar = ["batch", "row", "pk"]

    def __str__(self) -> str:
        return f"{self.row}: {self.field}: {self.reason}"
