"""What can fail, what we computed of it, by which model, and what we expect."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import ClassVar, Self

import numpy as np
from django.db import models
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from maintenance.choices import (
    AlertKind,
    ForecastState,
    Grade,
    ModelState,
    Outcome,
    ServingStart,
    Trigger,
    Verdict,
)
from maintenance.models.access import Fact, Site, SiteScoped, SiteScopedQuerySet, User
from maintenance.models.assets import Asset, AssetClass, MeasurementPoint
from maintenance.models.operations import Operation


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


class DatasetVersion(SiteScoped):
    """The rows a model learnt from, by content: equal rows are the same version."""

    SITE_PATH = "failure_mode__asset_class__site"

    failure_mode = models.ForeignKey(FailureMode, models.CASCADE, related_name="dataset_versions")
    as_of = models.DateTimeField(_("as of"))
    content_hash = models.CharField(_("hash"), max_length=64)
    rows = models.PositiveIntegerField(_("rows"))
    lives = models.PositiveIntegerField(_("lives"))
    failures = models.PositiveIntegerField(_("failures"))
    folder = models.CharField(_("folder"), max_length=255)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["DatasetVersion"].as_manager()

    class Meta:
        ordering: ClassVar = ["failure_mode", "-as_of"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["failure_mode", "content_hash"], name="dataset_once_by_content"
            )
        ]

    def __str__(self) -> str:
        return f"{self.failure_mode} {self.content_hash[:12]}"


class ModelVersionQuerySet(SiteScopedQuerySet["ModelVersion"]):
    def champions(self) -> Self:
        return self.filter(state=ModelState.CHAMPION)

    def with_files(self) -> Self:
        return self.exclude(artefact="")


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
    dataset = models.ForeignKey(
        DatasetVersion, models.PROTECT, null=True, blank=True, related_name="model_versions"
    )
    profile = models.JSONField(_("reference profile of features and forecasts"), default=dict)
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

    @property
    def may_serve(self) -> bool:
        """It does not yet, and its files are still kept."""
        return self.state != ModelState.CHAMPION and bool(self.artefact)


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


class TrainingRun(SiteScoped):
    """One challenger against the model that serves: what was compared, and the verdict."""

    SITE_PATH = "failure_mode__asset_class__site"

    failure_mode = models.ForeignKey(FailureMode, models.CASCADE, related_name="training_runs")
    operation = models.ForeignKey(
        Operation, models.SET_NULL, null=True, blank=True, related_name="training_runs"
    )
    trigger = models.CharField(_("why now"), max_length=12, choices=Trigger)
    challenger = models.ForeignKey(ModelVersion, models.CASCADE, related_name="training_runs")
    champion_before = models.ForeignKey(
        ModelVersion, models.PROTECT, null=True, blank=True, related_name="+"
    )
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict)
    reason = models.CharField(_("reason"), max_length=240)
    comparison = models.JSONField(_("comparison"), default=dict)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["TrainingRun"].as_manager()

    class Meta:
        ordering: ClassVar = ["-recorded_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.challenger}: {self.get_verdict_display()}"


class Serving(SiteScoped):
    """Which version served when: what served on a day is one query."""

    SITE_PATH = "model_version__failure_mode__asset_class__site"

    failure_mode = models.ForeignKey(FailureMode, models.CASCADE, related_name="servings")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="servings")
    start = models.CharField(_("how it began"), max_length=10, choices=ServingStart)
    from_at = models.DateTimeField(_("from"))
    until_at = models.DateTimeField(_("until"), null=True, blank=True)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=240)

    objects = SiteScopedQuerySet["Serving"].as_manager()

    class Meta:
        ordering: ClassVar = ["failure_mode", "-from_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["failure_mode"],
                condition=models.Q(until_at=None),
                name="one_version_serves_a_failure_mode",
            ),
            models.CheckConstraint(
                name="serving_ends_after_start",
                condition=models.Q(until_at=None) | models.Q(until_at__gte=models.F("from_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} {self.from_at:%Y-%m-%d}"


class Label(SiteScoped):
    """What became of a forecast, known once its horizon has passed or its life has ended.

    A renewal before the horizon censors: nobody knows whether it would have failed.
    """

    SITE_PATH = "forecast__asset__site"

    forecast = models.OneToOneField(Forecast, models.CASCADE, related_name="label")
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    observed_days = models.FloatField(_("days observed"))
    matured_at = models.DateTimeField(_("known since"))
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["Label"].as_manager()

    class Meta:
        ordering: ClassVar = ["-matured_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="label_days_not_negative", condition=models.Q(observed_days__gte=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.forecast}: {self.get_outcome_display()}"


class DriftReport(SiteScoped):
    """How far the features and forecasts of the last days lie from those the model learnt."""

    SITE_PATH = "model_version__failure_mode__asset_class__site"

    model_version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="drift_reports")
    as_of = models.DateTimeField(_("as of"))
    statistics = models.JSONField(_("statistics"), default=dict)
    drifted = models.BooleanField(_("drifted"))
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["DriftReport"].as_manager()

    class Meta:
        ordering: ClassVar = ["-as_of", "model_version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model_version", "as_of"], name="drift_report_once")
        ]

    def __str__(self) -> str:
        return f"{self.model_version} {self.as_of:%Y-%m-%d}"


class AlertQuerySet(SiteScopedQuerySet["Alert"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def shown(self, *, now: dt.datetime) -> Self:
        """Open, and not silenced for now."""
        return self.open().filter(models.Q(silenced_until=None) | models.Q(silenced_until__lte=now))


class Alert(SiteScoped):
    """Something that somebody should look at; one open alert a kind and key."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="alerts")
    kind = models.CharField(_("kind"), max_length=16, choices=AlertKind)
    key = models.CharField(_("about"), max_length=120)
    parameters = models.JSONField(_("figures"), default=dict)
    model_version = models.ForeignKey(
        ModelVersion, models.CASCADE, null=True, blank=True, related_name="alerts"
    )
    point = models.ForeignKey(
        MeasurementPoint, models.CASCADE, null=True, blank=True, related_name="alerts"
    )
    opened_at = models.DateTimeField(_("opened at"))
    last_seen_at = models.DateTimeField(_("last seen at"))
    owner = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="alerts")
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=240, blank=True)
    silenced_until = models.DateTimeField(_("silenced until"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-opened_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "kind", "key"],
                condition=models.Q(closed_at=None),
                name="one_open_alert_a_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key}"
