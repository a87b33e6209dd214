"""What the sensors said, what was refused, and by which batch it came."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import ImportDoor, ImportState, Permission, QualityKind
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
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    place = models.JSONField(default=dict, editable=False)
    dry_run = models.BooleanField(_("dry run"), default=False)
    state = models.CharField(
        _("state"), max_length=8, choices=ImportState, default=ImportState.RUNNING
    )
    received = models.PositiveIntegerField(_("rows received"), default=0)
    new = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    duplicate = models.PositiveIntegerField(_("already known"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    dead_lettered = models.PositiveIntegerField(_("kept as dead letters"), default=0)
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
                    + models.F("dead_lettered")
                ),
            ),
            # A failed one may be sent again.
            models.UniqueConstraint(
                fields=["site", "fingerprint"],
                condition=~models.Q(fingerprint="") & ~models.Q(state=ImportState.FAILED),
                name="upload_taken_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.file_name}".strip()

    @property
    def is_interrupted(self) -> bool:
        """It did not come to its end, and nobody goes on with it. Needs `operation`."""
        is_open = self.operation is not None and self.operation.is_open
        return self.state == ImportState.RUNNING and not is_open


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


class ReadingCorrection(SiteScoped):
    """A stored value that somebody replaced, and why."""

    SITE_PATH = "point__asset__site"

    point = models.ForeignKey(MeasurementPoint, models.CASCADE, related_name="corrections")
    at = models.DateTimeField(_("at"))
    old = models.FloatField(_("old value"))
    new = models.FloatField(_("new value"))
    reason = models.CharField(_("reason"), max_length=240)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["ReadingCorrection"].as_manager()

    class Meta:
        ordering: ClassVar = ["-recorded_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.point} {self.at:%Y-%m-%d %H:%M:%S}: {self.old} -> {self.new}"


class QualityInterval(SiteScoped):
    """A stretch of a point's readings that should not be believed. The readings stay stored."""

    SITE_PATH = "point__asset__site"

    point = models.ForeignKey(MeasurementPoint, models.CASCADE, related_name="quality_intervals")
    kind = models.CharField(_("kind"), max_length=16, choices=QualityKind)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    readings = models.PositiveIntegerField(_("readings"), default=0)
    details = models.JSONField(_("figures"), default=dict)
    # From this instant on the readings themselves gave it away: features of later origins do
    # without them, whenever the check was run.
    known_at = models.DateTimeField(_("could be told at"))
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["QualityInterval"].as_manager()

    class Meta:
        ordering: ClassVar = ["point", "starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["point", "kind", "starts_at"], name="quality_interval_told_once"
            ),
            models.CheckConstraint(
                name="quality_interval_in_order",
                condition=models.Q(ends_at__gte=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.point}: {self.get_kind_display()}"


class TopicTemplate(SiteScoped):
    """How topics of a site name their asset and point: plant/{asset}/{point}."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="topic_templates")
    template = models.CharField(_("template"), max_length=240)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["TopicTemplate"].as_manager()

    class Meta:
        ordering: ClassVar = ["site", "template"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "template"], name="topic_template_once_a_site")
        ]

    def __str__(self) -> str:
        return self.template


class TopicPoint(SiteScoped):
    """A topic, and the name of a value in its messages, that belong to a point."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="topic_points")
    topic = models.CharField(_("topic"), max_length=240)
    name = models.CharField(_("name of the value"), max_length=120, blank=True)
    point = models.ForeignKey(MeasurementPoint, models.CASCADE, related_name="topics")
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["TopicPoint"].as_manager()

    class Meta:
        ordering: ClassVar = ["site", "topic", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "topic", "name"], name="topic_names_one_point")
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.name}".strip()


class UnknownTopic(SiteScoped):
    """Messages whose topic, or name of a value, belongs to no point: counted, the newest kept."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="unknown_topics")
    topic = models.CharField(_("topic"), max_length=240)
    name = models.CharField(_("name of the value"), max_length=120, blank=True)
    readings = models.PositiveBigIntegerField(_("readings"), default=0)
    newest_payload = models.TextField(_("newest message"), blank=True)
    first_at = models.DateTimeField(_("first seen"))
    last_at = models.DateTimeField(_("last seen"))

    objects = SiteScopedQuerySet["UnknownTopic"].as_manager()

    class Meta:
        ordering: ClassVar = ["-last_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "topic", "name"], name="unknown_topic_once")
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.name}".strip()


class DeadLetter(SiteScoped):
    """A message that could not be taken: kept whole, to be taken once the cause is gone."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="dead_letters")
    door = models.CharField(_("door"), max_length=8, choices=ImportDoor)
    topic = models.CharField(_("topic"), max_length=240, blank=True)
    payload = models.TextField(_("message"))
    readings = models.PositiveIntegerField(_("readings"), default=0)
    reason = models.CharField(_("reason"), max_length=240)
    received_at = models.DateTimeField(_("received at"))
    taken_at = models.DateTimeField(_("taken after all at"), null=True, blank=True)

    objects = SiteScopedQuerySet["DeadLetter"].as_manager()

    class Meta:
        ordering: ClassVar = ["-received_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["site", "topic"])]

    def __str__(self) -> str:
        return f"{self.topic}: {self.reason}"


class Listener(SiteScoped):
    """A session with a broker: what it took last, should the broker not know that we have it.

    A message is acknowledged after it is stored. One that was stored by a listener that died
    before it said so comes again, and is known by its number and digest in ``stored``.
    """

    site = models.ForeignKey(Site, models.CASCADE, related_name="listeners")
    client_id = models.CharField(_("client id"), max_length=120)
    stored = models.BinaryField(default=b"", editable=False)
    batch = models.ForeignKey(Import, models.SET_NULL, null=True, editable=False, related_name="+")
    last_at = models.DateTimeField(_("last message"), null=True, editable=False)

    objects = SiteScopedQuerySet["Listener"].as_manager()

    class Meta:
        ordering: ClassVar = ["site", "client_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "client_id"], name="listener_once_a_site")
        ]

    def __str__(self) -> str:
        return self.client_id
