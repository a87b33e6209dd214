"""This week's answer: who does what, when, and what was left out and why."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import LeftOutClass, Permission, ScheduleState
from maintenance.models.access import Site, SiteScoped, SiteScopedQuerySet, User
from maintenance.models.operations import Operation
from maintenance.models.resources import Technician
from maintenance.models.work import WorkOrder


class ScheduleQuerySet(SiteScopedQuerySet["Schedule"]):
    def draft(self) -> Self:
        return self.filter(state=ScheduleState.DRAFT)

    def published(self) -> Self:
        return self.filter(state=ScheduleState.PUBLISHED)


class Schedule(SiteScoped):
    """`problem` is what was solved, so that any answer can be checked again at any time."""

    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="schedules")
    number = models.PositiveIntegerField(_("number"))
    state = models.CharField(
        _("state"), max_length=12, choices=ScheduleState, default=ScheduleState.DRAFT
    )
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    as_of = models.DateTimeField(_("risk as of"))
    status = models.CharField(_("solver status"), max_length=24)
    cost = models.JSONField(_("cost by term, minor units"), default=dict)
    cost_minor = models.BigIntegerField(_("expected cost, minor units"))
    cost_unscheduled_minor = models.BigIntegerField(
        _("expected cost with nothing done, minor units")
    )
    bound_minor = models.BigIntegerField(_("lower bound, minor units"), null=True)
    seed = models.PositiveIntegerField(_("seed"))
    inputs_hash = models.CharField(_("hash of the inputs"), max_length=64)
    problem = models.JSONField(_("problem"))
    revision = models.PositiveIntegerField(_("revision"), default=1)
    operation = models.ForeignKey(
        Operation, models.SET_NULL, null=True, blank=True, related_name="schedules"
    )
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(_("recorded at"))
    published_at = models.DateTimeField(_("published at"), null=True)
    published_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "number"], name="schedule_number_unique"),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(state=ScheduleState.DRAFT),
                name="one_draft_schedule_a_site",
            ),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(state=ScheduleState.PUBLISHED),
                name="one_published_schedule_a_site",
            ),
            models.CheckConstraint(
                name="published_schedule_says_when",
                condition=models.Q(state=ScheduleState.DRAFT)
                | models.Q(published_at__isnull=False)
                | models.Q(state=ScheduleState.SUPERSEDED),
            ),
            models.CheckConstraint(
                name="schedule_ends_after_start",
                condition=models.Q(ends_at__gt=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.number}"

    @property
    def gap(self) -> float | None:
        """How far the cost may be above the best possible, as a share of the cost."""
        if self.bound_minor is None or self.cost_minor <= 0:
            return None
        return max(0.0, (self.cost_minor - self.bound_minor) / self.cost_minor)


class Assignment(SiteScoped):
    SITE_PATH = "schedule__site"
    READ_PERMISSION = Permission.READ_WORK

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="assignments")
    work_order = models.ForeignKey(WorkOrder, models.PROTECT, related_name="assignments")
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    technicians = models.ManyToManyField(Technician, related_name="assignments")
    pinned = models.BooleanField(_("pinned"), default=False)

    objects = SiteScopedQuerySet["Assignment"].as_manager()

    class Meta:
        ordering: ClassVar = ["schedule", "starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["schedule", "work_order"], name="assigned_once"),
            models.CheckConstraint(
                name="assignment_ends_after_start",
                condition=models.Q(ends_at__gt=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.work_order} {self.starts_at:%Y-%m-%d %H:%M}"


class LeftOut(SiteScoped):
    """A work order the schedule does not do, why, and what would change that."""

    SITE_PATH = "schedule__site"
    READ_PERMISSION = Permission.READ_WORK

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="left_out")
    work_order = models.ForeignKey(WorkOrder, models.PROTECT, related_name="left_out")
    reason_class = models.CharField(_("class of reason"), max_length=12, choices=LeftOutClass)
    rules = models.JSONField(_("broken rules"), default=list)
    unlocks = models.JSONField(_("what would unlock it"), default=list)
    cost_minor = models.BigIntegerField(_("cost of leaving it out, minor units"))

    objects = SiteScopedQuerySet["LeftOut"].as_manager()

    class Meta:
        ordering: ClassVar = ["schedule", "-cost_minor"]
        verbose_name_plural = "left out"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["schedule", "work_order"], name="left_out_once")
        ]

    def __str__(self) -> str:
        return f"{self.work_order}: {self.get_reason_class_display()}"


class ScheduleMove(SiteScoped):
    """One change by hand, so that it can be undone and seen."""

    SITE_PATH = "schedule__site"
    READ_PERMISSION = Permission.READ_WORK

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="moves")
    work_order = models.ForeignKey(WorkOrder, models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField(_("revision it led to"))
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    undone = models.BooleanField(_("undone"), default=False)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["ScheduleMove"].as_manager()

    class Meta:
        ordering: ClassVar = ["-revision"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["schedule", "revision"], name="one_move_a_revision")
        ]

    def __str__(self) -> str:
        return f"{self.schedule} {self.revision}"
