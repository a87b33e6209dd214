"""Weeks of the simulated plant lived through every stage, and what the truth says of them."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils.dateparse import parse_datetime

from maintenance.choices import AlertKind, OperationKind, Outcome, Verdict
from maintenance.instants import from_us, local_midnight, to_us
from maintenance.management.weeks import lived
from maintenance.models import (
    Alert,
    Failure,
    Label,
    ModelVersion,
    Operation,
    Site,
    TrainingRun,
    User,
)
from maintenance.queries import artefacts, histories
from maintenance.sources import demo_plant, demo_weeks
from maintenance.sources.demo_weeks import People
from predictors.errors import SimulationError
from predictors.features import build_features
from predictors.schema import DAY_US, FeatureSet, Floats, Instants
from predictors.simulate import Plant, PlantConfig, RenewalEvent, simulate

JUDGED_DAYS = 7
RISK_DAYS = 14
DRAWS = 4000
CONFIDENCE = 0.95
RECALIBRATED, GAIN = 6, 1.4
"""How many sensors are recalibrated, each on another asset, and what they multiply from then on."""
TOLD_WITHIN_DAYS = 7.0

Night = dict[tuple[str, str], float]
"""True risk within 14 days, by asset and failure mode; a component in repair has none."""

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Stage:
    """A plant at the beginning of its weeks, known to an empty database."""

    plant: Plant
    site: Site
    people: People
    until: dt.datetime

    @property
    def start(self) -> dt.datetime:
        """Where the history ends and the weeks begin."""
        return from_us(self.plant.config.end_us)

    def midnight(self, days: int) -> dt.datetime:
        """So many nights after the first."""
        return local_midnight(self.start, ZoneInfo(self.site.time_zone), days=days)


@dataclass(frozen=True)
class Recalibrated:
    """A sensor that says something else from `at` on; ``days_alone`` since its asset's repair."""

    asset: str
    quantity: str
    at: dt.datetime
    days_alone: float | None

    def __str__(self) -> str:
        return f"{self.asset} {self.quantity}"


@dataclass
class Truths:
    """What only the simulator knows, noted while it happens: later it could not be told exactly."""

    plant: Plant
    nights: dict[dt.datetime, Night] = field(default_factory=dict)
    recalibrated: list[Recalibrated] = field(default_factory=list)

    def recalibrate(self, at: dt.datetime) -> None:
        """Change what some sensors say, drawn from all assets in service whatever their past."""
        simulator = self.plant.simulator
        random = np.random.default_rng(simulator.config.seed)
        in_service = [one for one in simulator.assets if one.commissioned_us <= to_us(at)]
        chosen = random.permutation(len(in_service))[:RECALIBRATED]
        for asset in [in_service[number] for number in chosen.tolist()]:
            quantity = str(random.choice([one.quantity for one in asset.asset_class.signals]))
            simulator.recalibrate(asset=asset.code, quantity=quantity, gain=GAIN)
            restarted_us = [stop.end_us for stop in simulator.stops(asset.code)]
            alone = (to_us(at) - max(restarted_us)) / DAY_US if restarted_us else None
            self.recalibrated.append(Recalibrated(asset.code, quantity, at, alone))

    def note(self, at: dt.datetime) -> None:
        """True risks at this instant."""
        night: Night = {}
        for asset in self.plant.simulator.assets:
            for mode in asset.asset_class.modes:
                try:
                    risk = self.plant.truth.risk(asset.code, mode.code, to_us(at), RISK_DAYS)
                except SimulationError:
                    continue
                night[asset.code, mode.code] = float(risk[RISK_DAYS])
        self.nights[at] = night


@dataclass(frozen=True)
class Judged:
    """A promoted version against the one before it, on the nights of the following week.

    ``brier`` is the mean squared distance from the true risk. With outcomes drawn from the truth
    the Brier score is that plus the same constant for both, so their difference is exactly the
    expected difference of Brier scores, without the luck of one week. ``low`` and ``high``: its
    paired interval, over assets, simultaneous for all promotions of the run.
    """

    asset_class: str
    failure_mode: str
    before: int
    promoted: int
    nights: int
    brier_before: float
    brier: float
    low: float
    high: float

    @property
    def not_worse(self) -> bool:
        """The interval does not lie above zero."""
        return self.low <= 0


def run(
    *,
    weeks: int,
    assets: int,
    days: int,
    seed: int,
    seconds: float,
    recalibrate_week: int | None,
    end: str,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Live the weeks in an empty database, and measure them: all figures."""
    began, cpu = time.perf_counter(), time.process_time()
    until = parse_datetime(end)
    if until is None or until.tzinfo is None:
        raise SystemExit(f"--end: {end!r} is not ISO 8601 with an offset")
    stage = settle(until=until, weeks=weeks, assets=assets, days=days, seed=seed)
    changed_at = None if recalibrate_week is None else stage.midnight(7 * (recalibrate_week - 1))
    truths = live(stage, seconds=seconds, recalibrate_at=changed_at, tell=tell)
    found = measure(stage, truths)
    return {
        "weeks": weeks,
        **found,
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


def settle(*, until: dt.datetime, weeks: int, assets: int, days: int, seed: int) -> Stage:
    """A plant with its history up to the first night, and who decides in it."""
    zone = ZoneInfo(PlantConfig(end_us=to_us(until)).time_zone)
    start = local_midnight(until, zone, days=-7 * weeks)
    config = PlantConfig(
        end_us=to_us(start),
        seed=seed,
        assets=assets,
        days=days,
        outlook_days=7 * weeks + demo_weeks.OUTLOOK_DAYS,
    )
    plant = simulate(config)
    site = demo_plant.feed(plant, language="en", now=start)
    people = People(
        planner=User.objects.create_user("planner"),
        supervisor=User.objects.create_user("supervisor"),
    )
    return Stage(plant, site, people, until)


def live(
    stage: Stage,
    *,
    seconds: float,
    recalibrate_at: dt.datetime | None = None,
    tell: Tell | None = None,
) -> Truths:
    """Live to the end; the truth of every night."""
    truths = Truths(stage.plant)
    began = time.perf_counter()
    for due in lived(
        stage.plant, site=stage.site, until=stage.until, people=stage.people, seconds=seconds
    ):
        if due.kind == OperationKind.FORECAST:
            truths.note(due.at)
            if due.at == recalibrate_at:
                truths.recalibrate(due.at)
        if tell is not None:
            tell(f"{time.perf_counter() - began:7.1f} s  {due.at:%Y-%m-%d %H:%M}  {due.kind.label}")
    return truths


def measure(stage: Stage, truths: Truths) -> dict[str, Any]:
    """What happened, and what the truth says of it."""
    runs = TrainingRun.objects.exclude(champion_before=None)
    trainings = Operation.objects.filter(kind=OperationKind.TRAIN)
    alerts = Alert.objects.filter(site=stage.site)
    kinds = Counter(alerts.values_list("kind", flat=True))
    judged = judge(truths)
    drift = list(
        alerts.filter(kind=AlertKind.DRIFT).select_related("point__asset").order_by("opened_at")
    )
    return {
        "retrainings": max(0, trainings.count() - 1),
        "triggers": Counter(runs.order_by().values_list("trigger", flat=True)),
        "promotions": runs.filter(verdict=Verdict.PROMOTED).count(),
        "rejected": runs.filter(verdict=Verdict.REJECTED).count(),
        "labels": Label.objects.count(),
        "labels_by_outcome": Counter(Label.objects.order_by().values_list("outcome", flat=True)),
        "censored": Label.objects.filter(outcome=Outcome.CENSORED).count(),
        "failures": Failure.objects.filter(occurred_at__gt=stage.start).count(),
        "renewals": len(_renewals(stage)),
        "prevented": sum(_prevented(stage, renewal) for renewal in _renewals(stage)),
        "prevented_labelled_negative": prevented_labelled_negative(stage),
        "alerts": alerts.count(),
        "alerts_by_kind": kinds,
        "drift_alerts": [f"{alert.opened_at:%Y-%m-%d} {_about(alert)}" for alert in drift],
        **told_of(truths.recalibrated, drift),
        "champion_versions": {
            version.failure_mode.code: version.version
            for version in ModelVersion.objects.champions().select_related("failure_mode")
        },
        "promoted_not_worse": all(one.not_worse for one in judged),
        "judged": [asdict(one) | {"not_worse": one.not_worse} for one in judged],
    }


def judge(truths: Truths) -> list[Judged]:
    """Every promotion that replaced a version and had nights to be judged on."""
    promoted = TrainingRun.objects.filter(verdict=Verdict.PROMOTED).exclude(champion_before=None)
    found = []
    for one in promoted.select_related("challenger__failure_mode__asset_class", "champion_before"):
        nights = [
            at
            for at in sorted(truths.nights)
            if one.recorded_at < at <= one.recorded_at + dt.timedelta(days=JUDGED_DAYS)
        ]
        if nights and one.champion_before is not None:
            found.append((one.challenger, one.champion_before, nights))
    level = 1 - (1 - CONFIDENCE) / max(1, len(found))
    return [_judge(new, old, nights, truths, level=level) for new, old, nights in found]


def _judge(
    new: ModelVersion,
    old: ModelVersion,
    nights: list[dt.datetime],
    truths: Truths,
    *,
    level: float,
) -> Judged:
    mode = new.failure_mode
    errors = []
    for version in (old, new):
        risk = risks(version, nights)
        errors.append(
            {
                (asset, at): (value - truths.nights[at][asset, mode.code]) ** 2
                for (asset, at), value in risk.items()
                if (asset, mode.code) in truths.nights[at]
            }
        )
    before, after = errors
    by_asset: dict[str, list[float]] = {}
    for (asset, at), error in after.items():
        by_asset.setdefault(asset, []).append(error - before[asset, at])
    low, high = paired_interval(by_asset, level=level)
    return Judged(
        asset_class=mode.asset_class.code,
        failure_mode=mode.code,
        before=old.version,
        promoted=new.version,
        nights=len(nights),
        brier_before=float(np.mean(list(before.values()))),
        brier=float(np.mean(list(after.values()))),
        low=low,
        high=high,
    )


def risks(version: ModelVersion, nights: list[dt.datetime]) -> dict[tuple[str, dt.datetime], float]:
    """Risk within 14 days by asset and night, as this version would have said."""
    forecaster = artefacts.load(version).forecaster
    declared = FeatureSet.from_dict(version.feature_set.declaration)
    origins_us: Instants = np.array([to_us(at) for at in nights], dtype=np.int64)
    known = histories.to_score(
        version.failure_mode.asset_class, as_of=nights, feature_sets=[declared]
    )
    return {
        (history.asset_id, at): float(risk)
        for history in known
        for at, risk in zip(
            nights,
            forecaster.risk(build_features(history, origins_us, declared))[:, RISK_DAYS],
            strict=True,
        )
    }


def paired_interval(by_asset: dict[str, list[float]], *, level: float) -> tuple[float, float]:
    """Interval of the mean difference, whole assets drawn again."""
    sums: Floats = np.array([sum(values) for values in by_asset.values()])
    counts: Floats = np.array([float(len(values)) for values in by_asset.values()])
    random = np.random.default_rng(0)
    drawn = random.integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def prevented_labelled_negative(stage: Stage) -> int:
    """Labels that say "survived" though the component was renewed before the horizon."""
    renewed: dict[tuple[str, str], list[int]] = {}
    for renewal in stage.plant.simulator.renewals:
        key = renewal.asset.code, renewal.mode.code
        renewed.setdefault(key, []).append(renewal.replaced_us)
    survived = Label.objects.filter(outcome=Outcome.SURVIVED).values_list(
        "forecast__asset__code",
        "forecast__failure_mode__code",
        "forecast__as_of",
        "forecast__horizon_days",
    )
    return sum(
        any(
            to_us(as_of) < at_us <= to_us(as_of) + horizon_days * DAY_US
            for at_us in renewed.get((asset, mode), [])
        )
        for asset, mode, as_of, horizon_days in survived
    )


def _renewals(stage: Stage) -> list[RenewalEvent]:
    start_us = stage.plant.config.end_us
    return [one for one in stage.plant.simulator.renewals if one.replaced_us > start_us]


def _prevented(stage: Stage, renewal: RenewalEvent) -> bool:
    """Whether it would have failed within the forecast's horizon, had nobody come."""
    lives = stage.plant.simulator.lives(renewal.asset.code, renewal.mode.code)
    fails_us = lives[renewal.life_number].fails_us
    return fails_us < renewal.replaced_us + stage.site.forecast_horizon_days * DAY_US


def told_of(recalibrated: Sequence[Recalibrated], drift: Sequence[Alert]) -> dict[str, Any]:
    """How long after its recalibration the first alert named each sensor (None: never).

    Alerts that name none of these sensors after its recalibration are without cause.
    """
    opened: dict[str, list[dt.datetime]] = {}
    for alert in drift:
        opened.setdefault(_about(alert), []).append(alert.opened_at)
    days: dict[str, float | None] = {}
    for one in recalibrated:
        waits = [(at - one.at) / dt.timedelta(days=1) for at in opened.get(str(one), [])]
        days[str(one)] = min((round(wait, 2) for wait in waits if wait > 0), default=None)
    in_time = sum(wait is not None and wait <= TOLD_WITHIN_DAYS for wait in days.values())
    changed = {str(one): one.at for one in recalibrated}
    caused = sum(
        _about(alert) in changed and alert.opened_at > changed[_about(alert)] for alert in drift
    )
    return {
        "recalibrated": list(days),
        "days_since_repair": {
            str(one): None if one.days_alone is None else round(one.days_alone, 1)
            for one in recalibrated
        },
        "drift_alert_days": days,
        "first_sensor_drift_alert_days": next(iter(days.values()), None),
        "alerted_within_7_days": f"{in_time} of {len(days)}",
        "drift_alerts_without_cause": len(drift) - caused,
    }


def _about(alert: Alert) -> str:
    if alert.point is not None:
        return f"{alert.point.asset.code} {alert.point.code}"
    return f"{alert.parameters['asset_class']} {alert.parameters['quantity']}"
