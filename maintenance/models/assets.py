"""What is maintained: locations, assets, their components, measurement points and events."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Self

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import Criticality
from maintenance.models.access import (
    ApiToken,
    Fact,
    Site,
    SiteScoped,
    SiteScopedQuerySet,
    unique_external_id,
)


class FunctionalLocation(Fact):
    """Where in the plant an asset works (a line, a hall); a tree."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="functional_locations")
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)

    objects = SiteScopedQuerySet["FunctionalLocation"].as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="location_code_unique_in_site"),
            models.CheckConstraint(
                name="location_is_not_its_own_parent",
                condition=~models.Q(parent=models.F("id")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AssetClass(Fact):
    """Assets of one kind: they share failure modes, job plans and models."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="asset_classes")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)

    objects = SiteScopedQuerySet["AssetClass"].as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        verbose_name_plural = "asset classes"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="class_code_unique_in_site")
        ]

    def __str__(self) -> str:
        return self.name


class AssetQuerySet(SiteScopedQuerySet["Asset"]):
    def in_service(self, *, at: dt.datetime) -> Self:
        return self.filter(commissioned_at__lte=at).filter(
            models.Q(retired_at=None) | models.Q(retired_at__gt=at)
        )

    def matching(self, text: str) -> Self:
        return self.filter(
            models.Q(code__icontains=text)
            | models.Q(name__icontains=text)
            | models.Q(serial__icontains=text)
            | models.Q(asset_class__name__icontains=text)
            | models.Q(components__name__icontains=text)
        ).distinct()


class Asset(Fact):
    site = models.ForeignKey(Site, models.CASCADE, related_name="assets")
    asset_class = models.ForeignKey(AssetClass, models.PROTECT, related_name="assets")
    location = models.ForeignKey(
        FunctionalLocation, models.PROTECT, null=True, blank=True, related_name="assets"
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120, blank=True)
    serial = models.CharField(_("serial number"), max_length=80, blank=True)
    criticality = models.CharField(
        _("criticality"), max_length=1, choices=Criticality, default=Criticality.B
    )
    commissioned_at = models.DateTimeField(_("commissioned at"))
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)
    attributes = models.JSONField(_("numeric attributes"), default=dict, blank=True)

    objects = AssetQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "code"], name="asset_code_unique_in_site"),
            unique_external_id(within="site", name="asset_external_id_unique_in_site"),
            models.CheckConstraint(
                name="asset_retired_after_commissioned",
                condition=models.Q(retired_at=None)
                | models.Q(retired_at__gt=models.F("commissioned_at")),
            ),
            models.CheckConstraint(
                name="asset_is_not_its_own_parent",
                condition=~models.Q(parent=models.F("id")),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Component(Fact):
    """A position of an asset where a replaceable item sits; failure modes happen to it."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="components")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)

    objects = SiteScopedQuerySet["Component"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset", "code"], name="component_unique_in_asset")
        ]

    def __str__(self) -> str:
        return f"{self.asset.code} {self.name}"


class InstallationQuerySet(SiteScopedQuerySet["Installation"]):
    def open(self) -> Self:
        return self.filter(removed_at=None)


class Installation(Fact):
    """One item in a component position: a life starts here."""

    SITE_PATH = "component__asset__site"

    component = models.ForeignKey(Component, models.CASCADE, related_name="installations")
    installed_at = models.DateTimeField(_("installed at"))
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    objects = InstallationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["component", "installed_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["component", "installed_at"], name="one_installation_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["component"],
                condition=models.Q(removed_at=None),
                name="one_open_installation_a_component",
            ),
            models.CheckConstraint(
                name="installation_removed_after_installed",
                condition=models.Q(removed_at=None)
                | models.Q(removed_at__gt=models.F("installed_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component} {self.installed_at:%Y-%m-%d}"


class MeasurementPoint(Fact):
    """One signal of an asset. Points with the same code mean the same thing across a class."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="points")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)
    unit = models.CharField(_("unit"), max_length=24, blank=True)
    plausible_min = models.FloatField(_("lowest plausible value"), null=True, blank=True)
    plausible_max = models.FloatField(_("highest plausible value"), null=True, blank=True)
    sampling_seconds = models.PositiveIntegerField(_("sampling, seconds"), null=True, blank=True)
    stale_after_seconds = models.PositiveIntegerField(
        _("stale after, seconds"), null=True, blank=True
    )
    flat_after_seconds = models.PositiveIntegerField(
        _("flat line after, seconds"), null=True, blank=True
    )
    largest_step = models.FloatField(
        _("largest step from one reading to the next"), null=True, blank=True
    )
    # Of a token that is limited: the points that it may be used for.
    tokens: models.ManyToManyField[ApiToken, Any] = models.ManyToManyField(
        ApiToken, related_name="points", blank=True
    )
    keep_days = models.PositiveIntegerField(
        _("keep readings, days"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    # What the checks of data quality learnt from its history, for thresholds that nobody set.
    learnt_limits = models.JSONField(default=dict, editable=False)
    # Readings up to then were checked; what comes late for an earlier time sets it back.
    quality_checked_until = models.DateTimeField(null=True, editable=False)
    # Chosen by the store when the point's first day is sealed; it never changes.
    segment_days = models.PositiveSmallIntegerField(null=True, editable=False)

    objects = SiteScopedQuerySet["MeasurementPoint"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset", "code"], name="point_code_unique_in_asset"),
            unique_external_id(within="asset", name="point_external_id_unique_in_asset"),
            models.CheckConstraint(
                name="point_plausible_range_in_order",
                condition=models.Q(plausible_min=None)
                | models.Q(plausible_max=None)
                | models.Q(plausible_min__lt=models.F("plausible_max")),
            ),
            models.CheckConstraint(
                name="point_keeps_readings_for_a_day", condition=models.Q(keep_days__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset.code} {self.name}"


class AccessWindow(SiteScoped):
    """When an asset may be stopped. An asset without windows may be stopped at any time."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="access_windows")
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    price_per_hour = models.DecimalField(
        _("price of an hour's stop"), max_digits=10, decimal_places=2, default=0
    )
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["AccessWindow"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset", "starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset", "starts_at"], name="window_start_unique"),
            models.CheckConstraint(
                name="window_ends_after_start",
                condition=models.Q(ends_at__gt=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.starts_at:%Y-%m-%d %H:%M}"


class ErrorEvent(Fact):
    """A controller's own error code."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="error_events")
    code = models.CharField(_("code"), max_length=60)
    occurred_at = models.DateTimeField(_("occurred at"))

    objects = SiteScopedQuerySet["ErrorEvent"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset", "occurred_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset", "code", "occurred_at"], name="error_once")
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.code}"


class Downtime(Fact):
    """A stretch in which an asset stood still: planned work, or a failure."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="downtimes")
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    planned = models.BooleanField(_("planned"))

    objects = SiteScopedQuerySet["Downtime"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset", "starts_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset", "starts_at"], name="downtime_start_unique"),
            models.CheckConstraint(
                name="downtime_ends_after_start",
                condition=models.Q(ends_at=None) | models.Q(ends_at__gt=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.starts_at:%Y-%m-%d %H:%M}"
