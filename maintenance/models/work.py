"""How work is done (job plans) and the work itself (work orders)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import (
    OPEN_WORK_ORDER_STATES,
    STARTED_WORK_ORDER_STATES,
    TO_SCHEDULE_STATES,
    WORK_ORDER_MOVES,
    AsFound,
    DismissReason,
    Permission,
    Priority,
    StockMove,
    WorkOrderState,
    WorkOrderType,
)
from maintenance.models.access import (
    AnyUser,
    Fact,
    Site,
    SiteScoped,
    SiteScopedQuerySet,
    User,
    unique_external_id,
)
from maintenance.models.assets import Asset, AssetClass
from maintenance.models.prognosis import FailureMode, Forecast
from maintenance.models.resources import Skill, SparePart, Technician, ToolType


class JobPlan(Fact):
    """How a kind of work is done on a class of assets: tasks, time, people, tools and parts."""

    SITE_PATH = "asset_class__site"

    asset_class = models.ForeignKey(AssetClass, models.CASCADE, related_name="job_plans")
    failure_mode = models.ForeignKey(
        FailureMode, models.SET_NULL, null=True, blank=True, related_name="job_plans"
    )
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)
    tasks = models.JSONField(_("tasks"), default=list, blank=True)
    duration_p50_minutes = models.PositiveIntegerField(_("usual duration, minutes"))
    duration_p80_minutes = models.PositiveIntegerField(_("long duration, minutes"))

    objects = SiteScopedQuerySet["JobPlan"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset_class", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset_class", "code"], name="job_plan_code_unique"),
            models.UniqueConstraint(fields=["failure_mode"], name="one_job_plan_a_failure_mode"),
            models.CheckConstraint(
                name="job_plan_durations_in_order",
                condition=models.Q(
                    duration_p50_minutes__gt=0,
                    duration_p80_minutes__gte=models.F("duration_p50_minutes"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def crew_hours(self) -> Decimal:
        people = sum(role.count for role in self.roles.all())
        return Decimal(self.duration_p50_minutes * people) / 60

    def parts_cost(self) -> Decimal:
        needs = self.parts.all()
        return sum((need.quantity * need.part.unit_cost for need in needs), Decimal(0))


class JobPlanRole(SiteScoped):
    SITE_PATH = "job_plan__asset_class__site"

    job_plan = models.ForeignKey(JobPlan, models.CASCADE, related_name="roles")
    skill = models.ForeignKey(Skill, models.PROTECT, related_name="+")
    level = models.PositiveSmallIntegerField(_("level"), default=1)
    count = models.PositiveSmallIntegerField(_("people"), default=1)

    objects = SiteScopedQuerySet["JobPlanRole"].as_manager()

    class Meta:
        ordering: ClassVar = ["job_plan", "skill", "-level"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job_plan", "skill", "level"], name="role_once"),
            models.CheckConstraint(
                name="role_level_and_count_within_limits",
                condition=models.Q(level__gte=1, level__lte=3, count__gte=1, count__lte=12),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.skill} {self.level}"


class JobPlanTool(SiteScoped):
    SITE_PATH = "job_plan__asset_class__site"

    job_plan = models.ForeignKey(JobPlan, models.CASCADE, related_name="tools")
    tool_type = models.ForeignKey(ToolType, models.PROTECT, related_name="+")
    count = models.PositiveSmallIntegerField(_("count"), default=1)

    objects = SiteScopedQuerySet["JobPlanTool"].as_manager()

    class Meta:
        ordering: ClassVar = ["job_plan", "tool_type"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job_plan", "tool_type"], name="plan_tool_once"),
            models.CheckConstraint(name="plan_tool_count", condition=models.Q(count__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.tool_type}"


class JobPlanPart(SiteScoped):
    SITE_PATH = "job_plan__asset_class__site"

    job_plan = models.ForeignKey(JobPlan, models.CASCADE, related_name="parts")
    part = models.ForeignKey(SparePart, models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField(_("quantity"), default=1)

    objects = SiteScopedQuerySet["JobPlanPart"].as_manager()

    class Meta:
        ordering: ClassVar = ["job_plan", "part"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job_plan", "part"], name="plan_part_once"),
            models.CheckConstraint(name="plan_part_quantity", condition=models.Q(quantity__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.part}"


class WorkOrderQuerySet(SiteScopedQuerySet["WorkOrder"]):
    def for_user(self, user: AnyUser, permission: Permission | None = None) -> Self:
        """All work of the sites where all may be seen; elsewhere the user's own."""
        if permission is not None:
            return super().for_user(user, permission)
        if not user.is_authenticated:
            return self.none()
        own = models.Q(site__in=Site.objects.for_user(user, Permission.OWN_WORK)) & (
            models.Q(requested_by=user) | models.Q(assigned_to__user=user)
        )
        seen = models.Q(site__in=Site.objects.for_user(user, Permission.READ_WORK))
        return self.filter(pk__in=self.model.objects.filter(seen | own).values("pk"))

    def open(self) -> Self:
        return self.filter(state__in=OPEN_WORK_ORDER_STATES)

    def to_schedule(self) -> Self:
        """Open and not started: what a schedule may still place."""
        return self.filter(state__in=TO_SCHEDULE_STATES)

    def started(self) -> Self:
        return self.filter(state__in=STARTED_WORK_ORDER_STATES)

    def proposed(self) -> Self:
        return self.filter(state=WorkOrderState.PROPOSED)


class WorkOrder(Fact):
    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="work_orders")
    number = models.PositiveIntegerField(_("number"))
    asset = models.ForeignKey(Asset, models.PROTECT, related_name="work_orders")
    failure_mode = models.ForeignKey(
        FailureMode, models.PROTECT, null=True, blank=True, related_name="work_orders"
    )
    job_plan = models.ForeignKey(JobPlan, models.PROTECT, related_name="work_orders")
    forecast = models.ForeignKey(
        Forecast, models.PROTECT, null=True, blank=True, related_name="work_orders"
    )
    type = models.CharField(_("type"), max_length=12, choices=WorkOrderType)
    state = models.CharField(
        _("state"),
        max_length=12,
        choices=WorkOrderState,
        default=WorkOrderState.PROPOSED,
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority, default=Priority.NORMAL
    )
    title = models.CharField(_("title"), max_length=160)
    note = models.TextField(_("note"), blank=True)
    earliest_at = models.DateTimeField(_("not before"), null=True, blank=True)
    latest_at = models.DateTimeField(_("done by"), null=True, blank=True)
    best_at = models.DateTimeField(_("best time"), null=True, blank=True)
    saving = models.DecimalField(
        _("saved by doing it in time"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
    )
    cost_of_waiting_week = models.DecimalField(
        _("cost of waiting a week"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
    )
    pinned_start_at = models.DateTimeField(_("pinned to"), null=True, blank=True)
    pinned_technicians = models.ManyToManyField(Technician, blank=True, related_name="+")
    assigned_to = models.ManyToManyField(Technician, blank=True, related_name="work_orders")
    requested_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="requested_work_orders",
    )
    dismiss_reason = models.CharField(
        _("why dismissed"), max_length=20, choices=DismissReason, blank=True
    )
    dismiss_note = models.CharField(_("note on the dismissal"), max_length=240, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    snoozed_until = models.DateTimeField(_("not proposed again before"), null=True, blank=True)

    objects = WorkOrderQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "number"], name="work_order_number_unique"),
            unique_external_id(within="site", name="work_order_external_id_unique_in_site"),
            models.UniqueConstraint(
                fields=["asset", "failure_mode"],
                condition=models.Q(state__in=[s.value for s in OPEN_WORK_ORDER_STATES]),
                name="one_open_work_order_an_asset_and_mode",
            ),
            models.CheckConstraint(
                name="dismissed_work_order_has_a_reason",
                condition=~models.Q(state=WorkOrderState.DISMISSED) | ~models.Q(dismiss_reason=""),
            ),
            models.CheckConstraint(
                name="work_order_window_in_order",
                condition=models.Q(earliest_at=None)
                | models.Q(latest_at=None)
                | models.Q(earliest_at__lt=models.F("latest_at")),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site", "state"])]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    def may_become(self, state: WorkOrderState) -> bool:
        return state in WORK_ORDER_MOVES[WorkOrderState(self.state)]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_WORK_ORDER_STATES

    @property
    def is_pinned(self) -> bool:
        return self.pinned_start_at is not None

    def overdue(self, *, now: dt.datetime) -> bool:
        return self.is_open and self.latest_at is not None and self.latest_at < now


class WorkSpell(SiteScoped):
    """A stretch of work without a break; paused work has several."""

    SITE_PATH = "work_order__site"
    READ_PERMISSION = Permission.READ_WORK

    work_order = models.ForeignKey(WorkOrder, models.CASCADE, related_name="spells")
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = SiteScopedQuerySet["WorkSpell"].as_manager()

    class Meta:
        ordering: ClassVar = ["work_order", "started_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["work_order"],
                condition=models.Q(ended_at=None),
                name="one_open_spell_a_work_order",
            ),
            models.CheckConstraint(
                name="spell_ends_after_start",
                condition=models.Q(ended_at=None) | models.Q(ended_at__gte=models.F("started_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.work_order} {self.started_at:%Y-%m-%d %H:%M}"


class WorkReport(Fact):
    """What was found and done; the finding becomes a label."""

    SITE_PATH = "work_order__site"
    READ_PERMISSION = Permission.READ_WORK

    work_order = models.OneToOneField(WorkOrder, models.CASCADE, related_name="report")
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    as_found = models.CharField(_("as found"), max_length=16, choices=AsFound)
    failure_mode = models.ForeignKey(
        FailureMode, models.PROTECT, null=True, blank=True, related_name="+"
    )
    renewed = models.BooleanField(_("component renewed"))
    worked_minutes = models.PositiveIntegerField(_("minutes worked"))
    note = models.TextField(_("note"), blank=True)
    finished_at = models.DateTimeField(_("finished at"))

    objects = SiteScopedQuerySet["WorkReport"].as_manager()

    class Meta:
        ordering: ClassVar = ["-finished_at"]

    def __str__(self) -> str:
        return f"{self.work_order}: {self.get_as_found_display()}"


class ReportPhoto(SiteScoped):
    SITE_PATH = "report__work_order__site"
    READ_PERMISSION = Permission.READ_WORK

    report = models.ForeignKey(WorkReport, models.CASCADE, related_name="photos")
    file = models.FileField(_("file"), upload_to="photos/%Y/%m/")
    content_type = models.CharField(_("content type"), max_length=40)
    sha256 = models.CharField(max_length=64)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["ReportPhoto"].as_manager()

    class Meta:
        ordering: ClassVar = ["report", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["report", "sha256"], name="photo_once_a_report")
        ]

    def __str__(self) -> str:
        return str(self.file.name)


class StockEntry(Fact):
    """A line of the ledger; the stock of a part is the sum of its lines."""

    SITE_PATH = "part__site"
    READ_PERMISSION = Permission.READ_WORK

    part = models.ForeignKey(SparePart, models.CASCADE, related_name="entries")
    kind = models.CharField(_("kind"), max_length=8, choices=StockMove)
    quantity = models.IntegerField(_("quantity"))
    at = models.DateTimeField(_("at"))
    work_order = models.ForeignKey(
        WorkOrder, models.PROTECT, null=True, blank=True, related_name="stock_entries"
    )
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = SiteScopedQuerySet["StockEntry"].as_manager()

    class Meta:
        ordering: ClassVar = ["part", "at", "pk"]
        verbose_name_plural = "stock entries"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="stock_entry_has_the_sign_of_its_kind",
                condition=models.Q(kind=StockMove.COUNT)
                | models.Q(kind=StockMove.RECEIPT, quantity__gt=0)
                | models.Q(kind=StockMove.ISSUE, quantity__lt=0),
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+d} {self.part}"
