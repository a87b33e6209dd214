"""Who and what the work needs: technicians, tools, spare parts."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import Permission
from maintenance.models.access import (
    Fact,
    Site,
    SiteScoped,
    SiteScopedQuerySet,
    User,
    unique_external_id,
)


class Skill(SiteScoped):
    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="skills")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["Skill"].as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="skill_code_unique_in_site")
        ]

    def __str__(self) -> str:
        return self.name


class TechnicianQuerySet(SiteScopedQuerySet["Technician"]):
    def in_team(self, *, on: dt.date) -> Self:
        """Those whose last day is not over on a day of their site."""
        return self.filter(models.Q(left_on=None) | models.Q(left_on__gte=on))


class Technician(Fact):
    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="technicians")
    user = models.OneToOneField(
        User, models.SET_NULL, null=True, blank=True, related_name="technician"
    )
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)
    hourly_rate = models.DecimalField(_("hourly rate"), max_digits=9, decimal_places=2, default=40)
    left_on = models.DateField(_("left on"), null=True, blank=True)

    objects = TechnicianQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="technician_code_unique_in_site"),
            unique_external_id(within="site", name="technician_external_id_unique_in_site"),
            models.CheckConstraint(
                name="technician_rate_not_negative",
                condition=models.Q(hourly_rate__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TechnicianSkill(SiteScoped):
    """A skill somebody holds, how well (1 trainee to 3 expert), and until when it is certified."""

    SITE_PATH = "technician__site"
    READ_PERMISSION = Permission.READ_WORK

    technician = models.ForeignKey(Technician, models.CASCADE, related_name="skills")
    skill = models.ForeignKey(Skill, models.CASCADE, related_name="holders")
    level = models.PositiveSmallIntegerField(_("level"), default=2)
    valid_until = models.DateField(_("certified until"), null=True, blank=True)

    objects = SiteScopedQuerySet["TechnicianSkill"].as_manager()

    class Meta:
        ordering: ClassVar = ["technician", "skill"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["technician", "skill"], name="skill_held_once"),
            models.CheckConstraint(
                name="skill_level_1_to_3",
                condition=models.Q(level__gte=1, level__lte=3),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician}: {self.skill} {self.level}"


class Shift(SiteScoped):
    """Working time of a weekday in site time; an end not after the start is on the next day."""

    SITE_PATH = "technician__site"
    READ_PERMISSION = Permission.READ_WORK

    technician = models.ForeignKey(Technician, models.CASCADE, related_name="shifts")
    weekday = models.PositiveSmallIntegerField(_("weekday (0 = Monday)"))
    starts = models.TimeField(_("starts"))
    ends = models.TimeField(_("ends"))

    objects = SiteScopedQuerySet["Shift"].as_manager()

    class Meta:
        ordering: ClassVar = ["technician", "weekday", "starts"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["technician", "weekday", "starts"], name="shift_start_unique"
            ),
            models.CheckConstraint(
                name="shift_weekday_0_to_6",
                condition=models.Q(weekday__gte=0, weekday__lte=6),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technician} {self.weekday} {self.starts}-{self.ends}"


class Absence(Fact):
    SITE_PATH = "technician__site"
    READ_PERMISSION = Permission.READ_WORK

    technician = models.ForeignKey(Technician, models.CASCADE, related_name="absences")
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    reason = models.CharField(_("reason"), max_length=120, blank=True)

    objects = SiteScopedQuerySet["Absence"].as_manager()

    class Meta:
        ordering: ClassVar = ["technician", "starts_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="absence_ends_after_start",
                condition=models.Q(ends_at__gt=models.F("starts_at")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.technician} {self.starts_at:%Y-%m-%d}"


class ToolType(Fact):
    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="tool_types")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)

    objects = SiteScopedQuerySet["ToolType"].as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="tool_type_code_unique_in_site")
        ]

    def __str__(self) -> str:
        return self.name


class Tool(Fact):
    SITE_PATH = "tool_type__site"
    READ_PERMISSION = Permission.READ_WORK

    tool_type = models.ForeignKey(ToolType, models.CASCADE, related_name="tools")
    code = models.CharField(_("code"), max_length=60)
    calibration_due_on = models.DateField(_("calibration due on"), null=True, blank=True)

    objects = SiteScopedQuerySet["Tool"].as_manager()

    class Meta:
        ordering: ClassVar = ["tool_type", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tool_type", "code"], name="tool_code_unique_in_type")
        ]

    def __str__(self) -> str:
        return self.code


class SparePart(Fact):
    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="spare_parts")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)
    unit_cost = models.DecimalField(_("unit cost"), max_digits=12, decimal_places=2, default=0)
    lead_time_days = models.PositiveSmallIntegerField(_("lead time, days"), default=0)
    stock = models.PositiveIntegerField(_("in stock"), default=0)

    objects = SiteScopedQuerySet["SparePart"].as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="part_code_unique_in_site"),
            unique_external_id(within="site", name="part_external_id_unique_in_site"),
            models.CheckConstraint(
                name="part_cost_not_negative", condition=models.Q(unit_cost__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(Fact):
    SITE_PATH = "part__site"
    READ_PERMISSION = Permission.READ_WORK

    part = models.ForeignKey(SparePart, models.CASCADE, related_name="deliveries")
    quantity = models.PositiveIntegerField(_("quantity"))
    expected_at = models.DateTimeField(_("expected at"))
    received_at = models.DateTimeField(_("received at"), null=True, blank=True)

    objects = SiteScopedQuerySet["Delivery"].as_manager()

    class Meta:
        ordering: ClassVar = ["expected_at"]
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["part", "expected_at"], name="delivery_once"),
            models.CheckConstraint(
                name="delivery_brings_something", condition=models.Q(quantity__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.part} {self.expected_at:%Y-%m-%d}"
