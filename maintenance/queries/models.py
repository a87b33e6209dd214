"""Models as pages tell them: what serves, how it was judged, what it learnt from, what it made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from maintenance.choices import Outcome, Permission
from maintenance.models import (
    DriftReport,
    FailureMode,
    Forecast,
    Label,
    ModelVersion,
    Serving,
    Site,
    TrainingRun,
    User,
)
from maintenance.queries.model_words import feature_words

ROLES: Mapping[str, Promise] = {
    "challenger": _("Challenger"),
    "champion": _("Champion"),
    "baseline": _("Baseline: age alone"),
}
MOST_FEATURES = 15
MOST_SHIFTS = 8
MOST_LABELS = 8
PLOT_SIZE = 100.0


@dataclass(frozen=True)
class Row:
    """One failure mode: what serves, since when, and how the last training ended."""

    mode: FailureMode
    champion: ModelVersion | None
    serving: Serving | None
    last_run: TrainingRun | None
    drift: DriftReport | None


@dataclass(frozen=True)
class Line:
    """One measure of several models; `decimals` is how it is told, `unit` stands behind it."""

    label: Promise | str
    values: list[float | None]
    decimals: int
    unit: str = ""


@dataclass(frozen=True)
class Difference:
    """Challenger less rival with its interval: below zero the challenger is better."""

    label: Promise
    value: float
    low: float
    high: float
    decimals: int
    unit: str

    @property
    def tone(self) -> str:
        if self.high < 0:
            return "low"
        return "critical" if self.low > 0 else "neutral"


@dataclass(frozen=True)
class Against:
    rival: Promise
    differences: list[Difference]


@dataclass(frozen=True)
class Scores:
    """A table of measures, a column a model, and the challenger against each of the others."""

    columns: list[Promise]
    lines: list[Line]
    against: list[Against]
    rows: int
    assets: int
    failed_lives: int
    from_at: dt.datetime
    until_at: dt.datetime
    champion_saw_rows: bool
    review_days: int


@dataclass(frozen=True)
class PlotPoint:
    """A bin of the calibration plot: shares of one, and where it is drawn."""

    forecast: float
    failed: float
    x: float
    y: float


@dataclass(frozen=True)
class Plot:
    points: list[PlotPoint]
    days: int
    top: float


def modes(user: User) -> QuerySet[FailureMode]:
    """The failure modes whose models the user may see."""
    found = FailureMode.objects.for_user(user, Permission.READ_WORK)
    return found.select_related("asset_class__site")


def versions(user: User) -> QuerySet[ModelVersion]:
    found = ModelVersion.objects.for_user(user, Permission.READ_WORK)
    return found.select_related("failure_mode__asset_class__site", "feature_set", "dataset")


def overview(user: User, site: Site) -> list[Row]:
    """Every failure mode of the site, by class."""
    found = modes(user).filter(asset_class__site=site).order_by("asset_class__code", "code")
    champions = ModelVersion.objects.of_site(site).champions().defer("profile", "metrics")
    serving = Serving.objects.of_site(site).filter(until_at=None)
    champion_of = {version.failure_mode_id: version for version in champions}
    serving_of = {row.failure_mode_id: row for row in serving}
    runs, reports = _newest_runs(site), _newest_reports(site)
    return [_row(mode, champion_of, serving_of, runs, reports) for mode in found]


def _row(
    mode: FailureMode,
    champion_of: Mapping[int, ModelVersion],
    serving_of: Mapping[int, Serving],
    runs: Mapping[int, TrainingRun],
    reports: Mapping[int, DriftReport],
) -> Row:
    champion = champion_of.get(mode.pk)
    return Row(
        mode=mode,
        champion=champion,
        serving=serving_of.get(mode.pk),
        last_run=runs.get(mode.pk),
        drift=reports.get(champion.pk) if champion else None,
    )


def _newest_runs(site: Site) -> dict[int, TrainingRun]:
    """By failure mode; the newest wins."""
    runs = TrainingRun.objects.of_site(site).order_by("recorded_at", "pk")
    return {run.failure_mode_id: run for run in runs.defer("comparison")}


def _newest_reports(site: Site) -> dict[int, DriftReport]:
    serving = Q(model_version__servings__until_at=None)
    reports = DriftReport.objects.of_site(site).filter(serving).order_by("as_of")
    return {report.model_version_id: report for report in reports.defer("statistics")}


def of_mode(user: User, mode: FailureMode) -> QuerySet[ModelVersion]:
    """Its versions, the newest first, each with the run that judged it first."""
    runs = TrainingRun.objects.defer("comparison").order_by("pk")
    return (
        versions(user)
        .filter(failure_mode=mode)
        .defer("profile", "metrics")
        .prefetch_related(Prefetch("training_runs", runs, to_attr="runs"))
        .order_by("-version")
    )


def servings(mode: FailureMode) -> QuerySet[Serving]:
    """What served when, the newest first."""
    return mode.servings.select_related("model_version", "by").order_by("-pk")


def served_between(
    user: User, site: Site, *, start: dt.datetime, end: dt.datetime
) -> QuerySet[Serving]:
    """What served at some instant of the period: one query."""
    return (
        Serving.objects.for_user(user, Permission.READ_WORK)
        .of_site(site)
        .filter(Q(until_at=None) | Q(until_at__gt=start), from_at__lt=end)
        .exclude(until_at=F("from_at"))
        .select_related("failure_mode__asset_class", "model_version__dataset", "by")
        .annotate(
            forecasts=Count(
                "model_version__forecasts",
                filter=Q(
                    Q(until_at=None) | Q(model_version__forecasts__recorded_at__lt=F("until_at")),
                    model_version__forecasts__recorded_at__gte=Greatest("from_at", start),
                    model_version__forecasts__recorded_at__lt=end,
                ),
            )
        )
        .order_by("failure_mode__asset_class__code", "failure_mode__code", "pk")
    )


def newest_forecasts(version: ModelVersion, *, most: int = 10) -> list[Forecast]:
    """The last forecasts of a version, with what they were made from."""
    made = version.forecasts.select_related("asset", "feature_row")
    thin = made.defer("risk", "risk_low", "risk_high", "reasons", "feature_row__values")
    return list(thin.order_by("-as_of", "asset__code")[:most])


def scores(comparison: Mapping[str, Any]) -> Scores | None:
    """What the gate compared, as a table; None where nothing could be compared."""
    by_role = comparison.get("scores")
    if not by_role:
        return None
    roles = [role for role in ROLES if role in by_role]
    return Scores(
        columns=[ROLES[role] for role in roles],
        lines=list(_lines([by_role[role] for role in roles])),
        against=[
            Against(ROLES[role], list(_differences(comparison["against"][role])))
            for role in roles
            if role in comparison["against"]
        ],
        rows=comparison["rows"],
        assets=comparison["assets"],
        failed_lives=comparison["failed_lives"],
        from_at=_instant(comparison["from_us"]),
        until_at=_instant(comparison["until_us"]),
        champion_saw_rows=comparison["champion_saw_rows"],
        review_days=comparison["review_days"],
    )


def _instant(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us // 1_000_000, dt.UTC)


def _lines(told: list[Mapping[str, Any]]) -> Iterable[Line]:
    def of(name: str) -> list[float | None]:
        return [one[name] for one in told]

    first = told[0]
    within = {"days": first["alarm_days"]}
    yield Line(_("Cost of its decisions, an asset-year"), of("cost"), 0, "money")
    for day in first["brier"]:
        label = ngettext_lazy("Brier score, %(days)s day", "Brier score, %(days)s days", int(day))
        yield Line(label % {"days": day}, [one["brier"].get(day) for one in told], 4)
    precision = [one["average_precision"].get(str(first["alarm_days"])) for one in told]
    yield Line(_("PR-AUC, %(days)s days") % within, precision, 3)
    yield Line(_("Accuracy of the alarm, %(days)s days") % within, of("accuracy"), 3)
    yield Line(_("Precision"), of("precision"), 3)
    yield Line(_("Recall"), of("recall"), 3)
    yield Line(_("F1"), of("f1"), 3)
    yield Line(_("Calibration error"), of("calibration_error"), 4)
    lasting = {"days": first["rul_days"]}
    yield Line(_("RUL up to %(days)s days: MSE") % lasting, of("rul_mse"), 1)
    yield Line(_("RUL up to %(days)s days: MAE, days") % lasting, of("rul_mae"), 2)
    yield Line(_("RUL up to %(days)s days: RMSE, days") % lasting, of("rul_rmse"), 2)


_PAIRED: Mapping[str, tuple[Promise, int, str]] = {
    "cost": (_("Cost an asset-year"), 0, "money"),
    "brier": (_("Brier score"), 4, ""),
    "calibration": (_("Calibration error"), 4, ""),
}


def _differences(pair: Mapping[str, Any]) -> Iterable[Difference]:
    for name, (label, decimals, unit) in _PAIRED.items():
        told = pair.get(name)
        if told and None not in told.values():
            yield Difference(label, told["value"], told["low"], told["high"], decimals, unit)


def calibration(comparison: Mapping[str, Any]) -> Plot | None:
    """Forecast against what happened, for the challenger's own bins."""
    told = comparison.get("scores", {}).get("challenger")
    if not told or not told["calibration"]:
        return None
    bins = told["calibration"]
    top = max(0.02, *(max(one["forecast"], one["failed"]) for one in bins)) * 1.05
    points = [
        PlotPoint(
            forecast=one["forecast"],
            failed=one["failed"],
            x=round(PLOT_SIZE * one["forecast"] / top, 2),
            y=round(PLOT_SIZE * (1 - one["failed"] / top), 2),
        )
        for one in bins
    ]
    return Plot(points=points, days=told["alarm_days"], top=top)


def features(version: ModelVersion) -> list[tuple[str, str]]:
    """The features that move its forecasts most, largest first: name, and what it measures."""
    names = list(version.profile.get("features", {}))[:MOST_FEATURES]
    return list(feature_words(version, names).items())


@dataclass(frozen=True)
class Outcomes:
    """What became of the forecasts of a version: how many of each, and the newest labels."""

    made: int
    counts: list[tuple[Outcome, int]]
    newest: list[Label]

    @property
    def open(self) -> int:
        return self.made - sum(count for _outcome, count in self.counts)


def outcomes(version: ModelVersion) -> Outcomes:
    labels = Label.objects.filter(forecast__model_version=version)
    counted = dict(labels.order_by().values_list("outcome").annotate(Count("pk")))
    newest = labels.select_related("forecast__asset").order_by("-matured_at", "-pk")
    thin = newest.only(
        "outcome",
        "observed_days",
        "matured_at",
        "forecast__as_of",
        "forecast__risk_14_days",
        "forecast__asset__code",
    )
    return Outcomes(
        made=version.forecasts.count(),
        counts=[(outcome, counted.get(outcome.value, 0)) for outcome in Outcome],
        newest=list(thin[:MOST_LABELS]),
    )


@dataclass(frozen=True)
class Moved:
    """One feature of a drift report, or the risks: how far it lies from what was learnt."""

    label: str
    psi: float | None
    limit: float | None
    distance: float
    moved: bool


@dataclass(frozen=True)
class Drift:
    """The newest drift report of a version, and how many of its reports told of drift."""

    report: DriftReport
    rows: int
    units: int
    shifts: list[Moved]
    risk: Moved | None
    points: list[Mapping[str, Any]]
    reports: int
    drifted: int


def drift(version: ModelVersion) -> Drift | None:
    """None before the first night that the version served."""
    reports = version.drift_reports
    newest = reports.order_by("-as_of").first()
    if newest is None:
        return None
    told = newest.statistics
    shifts = told.get("features", [])[:MOST_SHIFTS]
    words = feature_words(version, [one["name"] for one in shifts])
    risk = told.get("risk_14_days")
    return Drift(
        report=newest,
        rows=told.get("rows", 0),
        units=told.get("units", 0),
        shifts=[_moved(words[one["name"]], one) for one in shifts],
        risk=_moved(gettext("Failure risk, 14 days"), risk) if risk else None,
        points=told.get("points", []),
        reports=reports.count(),
        drifted=reports.filter(drifted=True).count(),
    )


def _moved(label: str, told: Mapping[str, Any]) -> Moved:
    return Moved(label, told["psi"], told["limit"], told["distance"], told["moved"])
