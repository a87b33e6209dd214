"""The simulated plant: its truth, its history, and what happens when somebody intervenes."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from predictors.economics import Prices, age_replacement, propose, worth_proposing
from predictors.schema import DAY_US, HOUR_US, RiskCurve
from predictors.simulate import (
    ComponentDown,
    Plant,
    PlantConfig,
    PlantSimulator,
    SimulationError,
    Truth,
    observe,
    simulate,
)
from predictors.simulate.catalogue import ASSET_CLASSES, FailureMode, Wear
from predictors.simulate.lives import draw_life, true_risk

END_US = 1_763_334_000_000_000  # 2025-11-17 00:00 in Madrid
MODES = {mode.code: mode for kind in ASSET_CLASSES for mode in kind.modes}
WARNED = [code for code, mode in MODES.items() if mode.wear.warning_days >= 14]
RANDOM = [code for code, mode in MODES.items() if mode.wear.warning_days == 0]


@pytest.fixture(scope="module")
def plant() -> Plant:
    return simulate(PlantConfig(end_us=END_US))


def small(**choices: int) -> PlantConfig:
    return PlantConfig(end_us=END_US, assets=8, days=200, **choices)


def frames(part: object) -> dict[str, pd.DataFrame]:
    fields = dataclasses.fields(part)  # type: ignore[arg-type]
    return {field.name: getattr(part, field.name) for field in fields}


def test_the_same_seed_gives_the_same_plant() -> None:
    one, other = simulate(small(seed=3)), simulate(small(seed=3))
    for part in ("register", "history", "resources"):
        for name, frame in frames(getattr(one, part)).items():
            pd.testing.assert_frame_equal(frame, frames(getattr(other, part))[name])


def test_another_seed_gives_another_plant() -> None:
    one, other = simulate(small(seed=3)), simulate(small(seed=4))
    assert not one.history.failures.equals(other.history.failures)
    assert not one.history.readings.equals(other.history.readings)


def test_the_default_plant_is_as_large_as_promised(plant: Plant) -> None:
    register, history = plant.register, plant.history
    assert len(register.assets) == 64
    assert len(register.asset_classes) == 4
    assert len(register.failure_modes) == 10
    assert 1_200_000 <= len(history.readings) <= 1_600_000
    assert len(history.failures) >= 100
    assert (history.replacements["reason"] == "preventive").sum() >= 100
    assert len(plant.resources.technicians) == 16


def test_seven_modes_of_ten_warn_weeks_ahead_one_briefly_and_two_never() -> None:
    warnings = sorted(mode.wear.warning_days for mode in MODES.values())
    assert warnings[:2] == [0, 0]
    assert 2 <= warnings[2] <= 5
    assert all(14 <= days <= 42 for days in warnings[3:])


def test_a_failure_costs_four_to_twenty_times_its_prevention() -> None:
    for mode in MODES.values():
        assert 4 <= mode.c_fail / mode.c_prev <= 20


def test_every_mode_fails_often_enough_to_be_learnt(plant: Plant) -> None:
    counts = plant.history.failures["mode"].value_counts()
    assert counts.reindex(list(MODES), fill_value=0).min() >= 8


def test_failures_agree_with_the_truth(plant: Plant) -> None:
    lives = plant.truth.lives()
    ended = lives[(lives["end"] == "failure") & (lives["ended_us"] > plant.config.start_us)]
    truth = set(zip(ended["asset"], ended["mode"], ended["ended_us"].astype(int), strict=True))
    seen = plant.history.failures
    assert truth == set(zip(seen["asset"], seen["mode"], seen["failed_us"], strict=True))


def test_a_prevented_failure_does_not_occur(plant: Plant) -> None:
    lives = plant.truth.lives()
    prevented = lives[lives["end"] == "renewal"]
    assert (prevented["fails_us"] >= prevented["ended_us"]).all()
    seen = plant.history.failures
    failed = set(zip(seen["asset"], seen["mode"], seen["failed_us"], strict=True))
    would = zip(prevented["asset"], prevented["mode"], prevented["fails_us"], strict=True)
    assert not failed & set(would)


def test_the_truth_never_reaches_what_the_doors_deliver(plant: Plant) -> None:
    hidden = {"severity", "life_factor", "fails_us", "damage_us", "remaining_days"}
    for part in (plant.register, plant.history, plant.resources):
        for name, frame in frames(part).items():
            assert not hidden & set(frame.columns), name


def test_components_in_place_and_replacements_make_unbroken_lives(plant: Plant) -> None:
    lives = plant.truth.lives()
    known = lives[(lives["ended_us"].isna()) | (lives["ended_us"] > plant.config.start_us)]
    known = known[known["installed_us"] <= plant.config.end_us]
    starts = set(zip(known["asset"], known["mode"], known["installed_us"], strict=True))
    first, later = plant.installations, plant.history.replacements
    told = set(zip(first["asset"], first["mode"], first["installed_us"], strict=True))
    told |= set(zip(later["asset"], later["mode"], later["replaced_us"], strict=True))
    assert told == starts


def test_nothing_is_measured_while_an_asset_stands_still(plant: Plant) -> None:
    downtimes = plant.history.downtimes
    longest = downtimes.loc[(downtimes["ends_us"] - downtimes["starts_us"]).idxmax()]
    readings = plant.history.readings
    points = plant.register.points
    own = readings["point"].isin(points.loc[points["asset"] == longest["asset"], "code"])
    inside = readings["at_us"].between(longest["starts_us"], longest["ends_us"] - 1)
    assert longest["ends_us"] - longest["starts_us"] > 4 * HOUR_US
    assert not (own & inside).any()


def test_readings_are_sorted_plausible_and_inside_the_history(plant: Plant) -> None:
    readings = plant.history.readings
    at_us = readings["at_us"].to_numpy()
    codes = readings["point"].cat.codes.to_numpy()
    assert ((np.diff(codes) > 0) | (np.diff(at_us) > 0)).all()
    assert at_us.min() > plant.config.start_us
    assert at_us.max() <= plant.config.end_us
    assert np.isfinite(readings["value"]).all()
    points = plant.register.points.set_index("code")
    by_point = readings.groupby("point", observed=True)["value"].agg(["min", "max"])
    by_point = by_point.join(points)
    assert (by_point["min"] >= by_point["plausible_min"]).all()
    assert (by_point["max"] <= by_point["plausible_max"]).all()


def test_some_readings_are_missing_but_most_are_there(plant: Plant) -> None:
    expected = sum(
        plant.config.days * 24 * 60 // minutes
        for minutes in plant.register.points["sampling_minutes"]
    )
    assert 0.9 < len(plant.history.readings) / expected < 0.995


def test_sensors_warn_of_warned_modes_and_not_of_random_ones(plant: Plant) -> None:
    ahead = {code: auc_of_deviation(plant, MODES[code], days_ahead=4) for code in WARNED}
    assert min(ahead.values()) > 0.8, ahead
    assert np.mean(list(ahead.values())) > 0.9, ahead
    for code in RANDOM:
        assert auc_of_deviation(plant, MODES[code], days_ahead=1) == pytest.approx(0.5, abs=0.2)


def test_error_codes_gather_before_the_failures_they_announce(plant: Plant) -> None:
    events, failures = plant.history.error_events, plant.history.failures
    mode = MODES["CP-VLV"]
    own = events[events["code"] == mode.error_code]
    failed = failures[failures["mode"] == mode.code]
    before = 0
    for failure in failed.itertuples():
        since = failure.failed_us - 10 * DAY_US
        on_asset = own[own["asset"] == failure.asset]
        before += int(on_asset["at_us"].between(since, failure.failed_us).sum())
    usual = len(own) / (16 * plant.config.days)
    assert before / (10 * len(failed)) > 5 * usual


def test_true_risk_agrees_with_lives_that_are_drawn() -> None:
    wear, factor = Wear(shape=2.6, scale_days=60, warning_days=20), 0.9
    lasted = [
        draw_life(wear, factor=factor, installed_us=0, key=(7, 0, 0, number)).worked_days[-1]
        for number in range(3000)
    ]
    risk = true_risk(wear, factor=factor, worked_days=0, severity=0, horizon_days=150)
    drawn = np.searchsorted(np.sort(lasted), np.arange(151), side="right") / len(lasted)
    assert np.abs(risk - drawn).max() < 0.03


def test_true_risk_agrees_with_lives_that_are_worn() -> None:
    wear = Wear(shape=2.6, scale_days=60, warning_days=20)
    left, states = [], []
    for number in range(2000):
        life = draw_life(wear, factor=1, installed_us=0, key=(8, 0, 0, number))
        worked = life.worked_days[1] + 8
        if worked < life.worked_days[-1]:
            left.append(life.worked_days[-1] - worked)
            states.append(float(np.interp(worked, life.worked_days, life.severity)))
    curves = [
        true_risk(wear, factor=1, worked_days=50, severity=state, horizon_days=30)
        for state in states
    ]
    drawn = np.searchsorted(np.sort(left), np.arange(31), side="right") / len(left)
    assert np.abs(np.mean(curves, axis=0) - drawn).max() < 0.03


def test_worse_damage_is_never_less_risk() -> None:
    wear = Wear(shape=2.6, scale_days=60, warning_days=20)
    curves = [
        true_risk(wear, factor=1, worked_days=50, severity=damage, horizon_days=30)
        for damage in (0.05, 0.3, 0.6, 0.95)
    ]
    assert (np.diff(curves, axis=0) >= -1e-12).all()


def test_advancing_day_by_day_gives_the_plant_that_advancing_at_once_does() -> None:
    config = small()
    at_once, daily = PlantSimulator(config), PlantSimulator(config)
    at_once.advance(END_US)
    for day_us in range(config.birth_us, END_US + 1, DAY_US):
        daily.advance(day_us)
    pd.testing.assert_frame_equal(Truth(at_once).lives(), Truth(daily).lives())
    since_us, middle_us = END_US - 20 * DAY_US, END_US - 3 * DAY_US - 5
    whole = observe(at_once, since_us, END_US)
    parts = [observe(daily, since_us, middle_us), observe(daily, middle_us, END_US)]
    for name in ("readings", "error_events"):
        joined = pd.concat([getattr(part, name) for part in parts])
        keys = list(joined.columns)
        expected = getattr(whole, name).sort_values(keys, ignore_index=True)
        pd.testing.assert_frame_equal(joined.sort_values(keys, ignore_index=True), expected)


def test_a_renewal_prevents_the_failure_and_starts_the_next_life() -> None:
    simulator = run_until(END_US - 100 * DAY_US)
    doomed = soonest(simulator)
    at_us = simulator.now_us + round((doomed["remaining_days"] - 0.1) * DAY_US)
    event = simulator.renew(asset=doomed["asset"], mode=doomed["mode"], at_us=at_us)
    failures = simulator.advance(at_us + 5 * DAY_US)
    named = {(failure.asset.code, failure.mode.code) for failure in failures}
    assert (doomed["asset"], doomed["mode"]) not in named
    assert event.restarted_us - at_us == event.mode.plan.duration_p50_minutes * 60_000_000
    last = simulator.lives(doomed["asset"], doomed["mode"])[-1]
    assert (last.number, last.installed_us) == (event.life_number + 1, event.restarted_us)


def test_what_was_found_follows_the_damage() -> None:
    simulator = run_until(END_US - 100 * DAY_US)
    states = Truth(simulator).states(simulator.now_us)
    fresh = states[states["severity"] == 0].iloc[0]
    worn = states[states["severity"] > 0].nsmallest(1, "remaining_days").iloc[0]
    renewal = simulator.renew(asset=fresh["asset"], mode=fresh["mode"], at_us=simulator.now_us)
    assert renewal.as_found == "nothing_found"
    fails_us = simulator.lives(worn["asset"], worn["mode"])[-1].fails_us
    renewal = simulator.renew(asset=worn["asset"], mode=worn["mode"], at_us=fails_us - HOUR_US)
    assert renewal.as_found == "confirmed"


def test_policies_share_the_lives_they_do_not_touch() -> None:
    idle, busy = run_until(END_US - 100 * DAY_US), run_until(END_US - 100 * DAY_US)
    doomed = soonest(busy)
    busy.renew(asset=doomed["asset"], mode=doomed["mode"], at_us=busy.now_us)
    idle.advance(END_US)
    busy.advance(END_US)
    apart = Truth(idle).lives().query("asset != @doomed.asset").reset_index(drop=True)
    alike = Truth(busy).lives().query("asset != @doomed.asset").reset_index(drop=True)
    pd.testing.assert_frame_equal(apart, alike)
    mode = doomed["mode"]
    drawn = zip(idle.lives(doomed["asset"], mode), busy.lives(doomed["asset"], mode), strict=False)
    for one, other in drawn:
        np.testing.assert_array_equal(one.worked_days, other.worked_days)


def test_a_component_that_waits_for_its_repair_cannot_be_renewed() -> None:
    simulator = run_until(END_US - 200 * DAY_US)
    failure = next(iter(simulator.advance(END_US - 100 * DAY_US)))
    earlier = run_until(failure.failed_us)
    with pytest.raises(ComponentDown, match=failure.asset.code):
        earlier.renew(
            asset=failure.asset.code, mode=failure.mode.code, at_us=failure.failed_us + HOUR_US
        )


def test_time_does_not_go_back_and_unknown_names_are_refused() -> None:
    simulator = run_until(END_US - 200 * DAY_US)
    with pytest.raises(SimulationError, match="until_us"):
        simulator.advance(simulator.now_us - 1)
    with pytest.raises(SimulationError, match="XX-1"):
        simulator.renew(asset="XX-1", mode="PU-BRG", at_us=simulator.now_us)
    with pytest.raises(SimulationError, match="CV-BLT"):
        simulator.renew(asset="PU-101", mode="CV-BLT", at_us=simulator.now_us)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("assets", 3),
        ("days", 0),
        ("seed", -1),
        ("technicians", 0),
        ("sampling_minutes", 7),
        ("postponed", 1.5),
        ("outlook_days", -1),
        ("time_zone", "Mars/Base"),
    ],
)
def test_a_plant_that_cannot_be_simulated_is_refused_by_field(
    field: str, value: float | str
) -> None:
    with pytest.raises(SimulationError, match=field):
        PlantConfig(end_us=END_US, **{field: value})  # type: ignore[arg-type]


def test_thirty_to_sixty_jobs_are_worth_doing_when_the_plant_is_handed_over(plant: Plant) -> None:
    worth = 0
    for state in plant.truth.states(END_US).itertuples():
        mode = MODES[state.mode]
        new = plant.truth.risk_when_new(state.asset, state.mode, 900)
        policy = age_replacement(np.arange(901), 1 - new, c_fail=mode.c_fail, c_prev=mode.c_prev)
        proposal = propose(
            key=f"{state.asset}/{state.mode}",
            curve=RiskCurve.certain(
                horizon_days=60, risk=plant.truth.risk(state.asset, state.mode, END_US, 60)
            ),
            prices=Prices(mode.c_fail, mode.c_prev, policy.cost_rate),
            schedule_end_day=14,
            crew_hours=mode.plan.crew_hours,
        )
        worth += worth_proposing(proposal)
        if state.mode in RANDOM:
            assert not worth_proposing(proposal)
    assert 30 <= worth <= 60


def test_every_job_fits_a_shift_and_somebody_holds_its_skills(plant: Plant) -> None:
    skills = plant.resources.technician_skills
    for role in plant.register.job_plan_roles.itertuples():
        able = skills[(skills["skill"] == role.skill) & (skills["level"] >= role.level)]
        assert len(able) >= role.count
    assert plant.register.job_plans["duration_p80_minutes"].max() <= 480


def test_names_of_other_frames_lead_somewhere(plant: Plant) -> None:
    register, resources = plant.register, plant.resources
    for frame, column, target in (
        (register.assets, "asset_class", register.asset_classes["code"]),
        (register.assets, "location", register.locations["code"]),
        (register.points, "asset", register.assets["code"]),
        (register.failure_modes, "asset_class", register.asset_classes["code"]),
        (register.components, "mode", register.failure_modes["code"]),
        (register.job_plans, "mode", register.failure_modes["code"]),
        (register.job_plan_roles, "skill", resources.skills["code"]),
        (register.job_plan_tools, "tool_type", resources.tool_types["code"]),
        (register.job_plan_parts, "part", resources.parts["code"]),
        (resources.technician_skills, "technician", resources.technicians["code"]),
        (resources.shifts, "technician", resources.technicians["code"]),
        (resources.absences, "technician", resources.technicians["code"]),
        (resources.tools, "tool_type", resources.tool_types["code"]),
        (resources.deliveries, "part", resources.parts["code"]),
        (resources.access_windows, "asset", register.assets["code"]),
        (plant.history.failures, "mode", register.failure_modes["code"]),
        (plant.history.error_events, "code", register.error_codes["code"]),
    ):
        assert set(frame[column]) <= set(target), column
    assert set(plant.history.readings["point"].cat.categories) <= set(register.points["code"])


def test_intervals_end_after_they_start_and_windows_do_not_overlap(plant: Plant) -> None:
    resources = plant.resources
    for frame in (resources.absences, resources.access_windows, plant.history.downtimes):
        assert (frame["ends_us"] > frame["starts_us"]).all()
    windows = resources.access_windows.sort_values(["asset", "starts_us"])
    same = windows["asset"].to_numpy()[1:] == windows["asset"].to_numpy()[:-1]
    apart = windows["starts_us"].to_numpy()[1:] >= windows["ends_us"].to_numpy()[:-1]
    assert apart[same].all()


def run_until(at_us: int) -> PlantSimulator:
    simulator = PlantSimulator(PlantConfig(end_us=END_US, assets=16, days=200))
    simulator.advance(at_us)
    return simulator


def soonest(simulator: PlantSimulator) -> pd.Series:
    states = Truth(simulator).states(simulator.now_us)
    return states.loc[states["remaining_days"].idxmin()]


def auc_of_deviation(plant: Plant, mode: FailureMode, *, days_ahead: float) -> float:
    """How well one sensor tells failing from healthy: its days before, less its month before.

    The sensor is the first of the mode's signature, for a random mode any; the share of (failing,
    healthy) pairs in which the failing one deviates more, in the signature's direction.
    """
    quantity, amount = mode.signature[0] if mode.signature else ("motor_current", 1.0)
    failures = plant.history.failures[plant.history.failures["mode"] == mode.code]
    assets = sorted(set(plant.register.components.query("mode == @mode.code")["asset"]))
    readings = plant.history.readings.set_index("point")
    lives = plant.truth.lives().query("mode == @mode.code")
    failing: list[float] = []
    healthy: list[float] = []
    for asset in assets:
        own = readings.loc[f"{asset}.{quantity}"]
        at_us, values = own["at_us"].to_numpy(), np.sign(amount) * own["value"].to_numpy()
        failed = failures.loc[failures["asset"] == asset, "failed_us"]
        failing += [deviation(at_us, values, int(at - days_ahead * DAY_US)) for at in failed]
        for life in lives[lives["asset"] == asset].itertuples():
            middle_us = life.installed_us + 60 * DAY_US
            if life.fails_us - middle_us > 60 * DAY_US and middle_us > plant.config.start_us:
                healthy.append(deviation(at_us, values, middle_us))
    pairs = np.subtract.outer(without_gaps(failing), without_gaps(healthy))
    return float((pairs > 0).mean())


def deviation(at_us: npt.NDArray[np.int64], values: npt.NDArray[np.float64], now_us: int) -> float:
    edges = [now_us - days * DAY_US for days in (50, 36, 7, 0)]
    first, then, since, until = np.searchsorted(at_us, edges)
    if then - first < 20 or until - since < 20:
        return np.nan
    return float(values[since:until].mean() - values[first:then].mean())


def without_gaps(values: list[float]) -> npt.NDArray[np.float64]:
    found = np.array(values)
    return found[np.isfinite(found)]
