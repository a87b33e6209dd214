"""What can fail, what we computed of it, by which model, and what we expect."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Self

import numpy as np
from django.db import models
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from maintenance.choices import ForecastState, Grade, ModelState
from maintenance.models.access import Fact, SiteScoped, SiteScopedQuerySet
from maintenance.models.assets import Asset, AssetClass


class FailureMode(Fact):
    """A way in which assets of a class fail, the component it happens to, and what it costs."""

    SITE_PATH = "asset_class__site"

    asset_class = models.ForeignKey(AssetClass, models.CASCADE, related_name="failure_modes")
    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)
    component_code = models.CharField(_("component"), max_length=60)
    effect = models.CharField(_("effect"), max_length=240, blank=True)
    repair_cost = models.DecimalField(_("repair cost"), max_digits=12, decimal_places=2, default=0)
    downtime_hours = models.DecimalField(
        _("downtime, hours"), max_digits=7, decimal_places=2, default=0
    )
    downtime_hourly_cost = models.DecimalField(
        _("cost of an hour's downtime"), max_digits=12, decimal_places=2, default=0
    )
    secondary_cost = models.DecimalField(
        _("secondary damage"), max_digits=12, decimal_places=2, default=0
    )
    safety_cost = models.DecimalField(
        _("safety and environment"), max_digits=12, decimal_places=2, default=0
    )
    expert_mtbf_days = models.FloatField(_("expected life, days"), null=True, blank=True)

    objects = SiteScopedQuerySet["FailureMode"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset_class", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["asset_class", "code"], name="failure_mode_unique_in_class"
            ),
            models.CheckConstraint(
                name="failure_costs_are_not_negative",
                condition=models.Q(
                    repair_cost__gte=0,
                    downtime_hours__gte=0,
                    downtime_hourly_cost__gte=0,
                    secondary_cost__gte=0,
                    safety_cost__gte=0,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def failure_cost(self) -> Decimal:
        downtime = self.downtime_hours * self.downtime_hourly_cost
        return self.repair_cost + downtime + self.secondary_cost + self.safety_cost


class Failure(Fact):
    """A failure is an event: this asset, in this mode, at this instant."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="failures")
    failure_mode = models.ForeignKey(FailureMode, models.PROTECT, related_name="failures")
    occurred_at = models.DateTimeField(_("occurred at"))

    objects = SiteScopedQuerySet["Failure"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset", "occurred_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["asset", "failure_mode", "occurred_at"], name="failure_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.failure_mode}"


class FeatureSet(SiteScoped):
    """A declaration of features, frozen: a changed definition is a new version."""

    SITE_PATH = "asset_class__site"

    asset_class = models.ForeignKey(AssetClass, models.CASCADE, related_name="feature_sets")
    version = models.PositiveIntegerField(_("version"))
    code_hash = models.CharField(_("hash"), max_length=64)
    declaration = models.JSONField(_("declaration"))
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["FeatureSet"].as_manager()

    class Meta:
        ordering: ClassVar = ["asset_class", "version"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["asset_class", "version"], name="feature_set_version_unique"
            ),
            models.UniqueConstraint(
                fields=["asset_class", "code_hash"], name="feature_set_hash_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset_class} v{self.version}"


class FeatureRow(SiteScoped):
    """The features a forecast was made from, packed as little-endian float32; written once."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="feature_rows")
    feature_set = models.ForeignKey(FeatureSet, models.PROTECT, related_name="rows")
    as_of = models.DateTimeField(_("as of"))
    values = models.BinaryField()
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["FeatureRow"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["asset", "feature_set", "as_of"], name="feature_row_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.as_of:%Y-%m-%d}"

    @staticmethod
    def packed(values: NDArray[np.float32]) -> bytes:
        return values.astype("<f4").tobytes()

    def unpacked(self) -> NDArray[np.float32]:
        return np.frombuffer(bytes(self.values), dtype="<f4").astype(np.float32)


class ModelVersionQuerySet(SiteScopedQuerySet["ModelVersion"]):
    def champions(self) -> Self:
        return self.filter(state=ModelState.CHAMPION)


class ModelVersion(SiteScoped):
    """One fitted forecaster of one failure mode, with its evidence."""

    SITE_PATH = "failure_mode__asset_class__site"

    failure_mode = models.ForeignKey(FailureMode, models.CASCADE, related_name="model_versions")
    feature_set = models.ForeignKey(FeatureSet, models.PROTECT, related_name="model_versions")
    version = models.PositiveIntegerField(_("version"))
    family = models.CharField(_("family"), max_length=40)
    why = models.CharField(_("why this family"), max_length=240)
    purpose = models.CharField(_("purpose"), max_length=240)
    state = models.CharField(
        _("state"), max_length=12, choices=ModelState, default=ModelState.CANDIDATE
    )
    grade = models.CharField(_("evidence"), max_length=1, choices=Grade)
    trained_as_of = models.DateTimeField(_("trained with data up to"))
    dataset_hash = models.CharField(_("dataset hash"), max_length=64)
    life = models.JSONField(_("Weibull life: shape and scale in days"), default=dict)
    metrics = models.JSONField(_("metrics"), default=dict)
    artefact = models.CharField(_("artefact folder"), max_length=255)
    artefact_sha256 = models.CharField(_("artefact hash"), max_length=64)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["failure_mode", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["failure_mode", "version"], name="model_version_unique"
            ),
            models.UniqueConstraint(
                fields=["failure_mode"],
                condition=models.Q(state=ModelState.CHAMPION),
                name="one_champion_a_failure_mode",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.failure_mode} v{self.version}"


class ForecastQuerySet(SiteScopedQuerySet["Forecast"]):
    def newest(self) -> Self:
        """The newest forecast of each asset and failure mode."""
        newer = Forecast.objects.filter(
            asset=models.OuterRef("asset"),
            failure_mode=models.OuterRef("failure_mode"),
            as_of__gt=models.OuterRef("as_of"),
        )
        return self.filter(~models.Exists(newer))


class Forecast(SiteScoped):
    """Failure risk by day for one asset and failure mode; never rewritten once served."""

    SITE_PATH = "asset__site"

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="forecasts")
    failure_mode = models.ForeignKey(FailureMode, models.CASCADE, related_name="forecasts")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="forecasts")
    feature_row = models.ForeignKey(FeatureRow, models.PROTECT, related_name="forecasts")
    as_of = models.DateTimeField(_("as of"))
    state = models.CharField(_("state"), max_length=16, choices=ForecastState)
    grade = models.CharField(_("evidence"), max_length=1, choices=Grade)
    horizon_days = models.PositiveSmallIntegerField(_("horizon, days"))
    risk = models.JSONField(_("risk by day"))
    risk_low = models.JSONField(_("risk by day, low"))
    risk_high = models.JSONField(_("risk by day, high"))
    risk_14_days = models.FloatField(_("failure risk, 14 days"))
    rul_p10_days = models.FloatField(_("RUL P10, days"), null=True)
    rul_p50_days = models.FloatField(_("RUL median, days"), null=True)
    rul_p90_days = models.FloatField(_("RUL P90, days"), null=True)
    reasons = models.JSONField(_("reasons"), default=list)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = ForecastQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-as_of", "asset", "failure_mode"]
        indexes: ClassVar = [models.Index(fields=["asset", "failure_mode", "-as_of"])]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["asset", "failure_mode", "as_of"],
                name="one_forecast_an_instant",
            ),
            models.CheckConstraint(
                name="forecast_risk_is_a_probability",
                condition=models.Q(risk_14_days__gte=0, risk_14_days__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.failure_mode} {self.as_of:%Y-%m-%d}"
