"""Forecasts asked for at a steady pace while versions are promoted and rolled back.

The pace does not wait for answers: each request has its instant, and its latency counts from then.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plant_doors import Doors, Records, free_port
from benchmarks.swaps_killed import Process
from tests.installation import Installation

START_SECONDS = 90
ROLLBACKS = 5
AT_ONCE = 64
SWAPS_AT = (0.2, 0.4, 0.6, 0.8)

FILL = """
from django.utils import timezone
from maintenance.flow import retrain
from maintenance.models import Asset, ModelVersion, Site
site, now = Site.objects.get(), timezone.now()
retrain.train(site=site, as_of=now, now=now)
boosted = ModelVersion.objects.filter(family="hazard").order_by("failure_mode", "version")
twice = [v for v in [*boosted, *ModelVersion.objects.order_by("failure_mode", "version")]
         if v.failure_mode.model_versions.count() > 1]
mode = twice[0].failure_mode
champion = mode.model_versions.champions().get()
other = mode.model_versions.exclude(pk=champion.pk).latest("version")
assets = Asset.objects.filter(site=site).order_by("code")
print(json.dumps({
    "mode": mode.pk, "mode_code": mode.code, "old": [champion.pk, champion.version],
    "new": [other.pk, other.version],
    "asset": assets.filter(asset_class=mode.asset_class).first().code,
    "assets": list(assets.values_list("code", flat=True)),
}))
"""

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Asked:
    """One request: when it was due, sent and answered, and by which version."""

    due: float
    sent: float
    answered: float
    status: int
    version: int | None


class Served:
    """The plant's web server as it is deployed, with two versions of one failure mode."""

    def __init__(self, plant: Installation, *, assets: int) -> None:
        plant.manage("migrate", "--verbosity", "0")
        plant.manage("demo", "--assets", str(assets), "--seconds", "1")
        self.told: dict[str, Any] = plant.python(FILL)
        port = free_port()
        self.doors = Doors.of(plant, port=port)
        self.web = Process(plant, "web.sh", {"PORT": str(port)})
        self.records = Records(plant)

    def promote(self) -> None:
        self._press(f"/models/versions/{self.told['new'][0]}/promote/")

    def roll_back(self) -> None:
        self._press(f"/models/{self.told['mode']}/roll-back/", to=self.told["old"][1])

    def _press(self, path: str, **fields: object) -> None:
        answer = self.doors.press(path, reason="a benchmark", **fields)
        if answer.status != 302:
            raise RuntimeError(f"{path}: {answer.status} {answer.body[:400]!r}")

    def version(self, body: Any) -> int | None:
        """Which version of the failure mode answered, if any did."""
        made = [one for one in body if one["failure_mode"] == self.told["mode_code"]]
        return made[0]["model"]["version"] if made else None

    def ask(self, asset: str, due: float) -> Asked:
        sent = time.monotonic()
        status, version = 0, None
        try:
            answer = self.doors.ask(asset=asset)
            status = answer.status
            version = self.version(answer.json()) if status == 200 else None
        except (OSError, http.client.HTTPException):
            pass
        return Asked(due, sent, time.monotonic(), status, version)

    def back_in(self) -> float:
        """Seconds from the click to a forecast by the old version, in whichever process answers."""
        self.promote()
        started = time.monotonic()
        self.roll_back()
        while self.ask(self.told["asset"], started).version != self.told["old"][1]:
            pass
        return time.monotonic() - started


def run(
    plant: Installation, *, assets: int, rate: int, seconds: float, tell: Tell
) -> dict[str, Any]:
    """Rollbacks timed alone, then the steady pace with two promotions and two rollbacks in it."""
    served = Served(plant, assets=assets)
    served.web.start()
    try:
        end = time.monotonic() + START_SECONDS
        while not served.doors.alive():
            if time.monotonic() > end:
                raise RuntimeError(plant.log[-4000:])
        for asset in served.told["assets"]:
            served.ask(asset, 0.0)
        took = [served.back_in() for _ in range(ROLLBACKS)]
        tell(f"from click to forecast: {', '.join(f'{one:.2f}' for one in took)} s")
        before = _cpu_seconds(served.web.children())
        asked, swaps = _under_load(served, rate=rate, seconds=seconds)
        cpu_ms = 1000 * (_cpu_seconds(served.web.children()) - before) / len(asked)
    finally:
        served.web.end()
        served.records.close()
    return {
        "rollback_to_forecast_seconds": round(max(took), 3),
        "server_cpu_ms": round(cpu_ms, 1),
    } | _figures(asked, swaps)


def _cpu_seconds(pids: list[int]) -> float:
    """Of processor time that these processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _under_load(
    served: Served, *, rate: int, seconds: float
) -> tuple[list[Asked], list[tuple[float, float, int]]]:
    """Every request; and each swap: when it was clicked, when confirmed, what served from then."""
    assets = served.told["assets"]
    swaps: list[tuple[float, float, int]] = []

    def swap_when_due(begun: float) -> None:
        for number, share in enumerate(SWAPS_AT):
            time.sleep(max(0.0, begun + share * seconds - time.monotonic()))
            clicked = time.monotonic()
            (served.roll_back if number % 2 else served.promote)()
            now_serves = served.told["old" if number % 2 else "new"][1]
            swaps.append((clicked, time.monotonic(), now_serves))

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        begun = time.monotonic()
        swapping = pool.submit(swap_when_due, begun)
        asked: list[Future[Asked]] = []
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            asked.append(pool.submit(served.ask, assets[number % len(assets)], due))
        answers = [one.result() for one in asked]
        swapping.result()
    return answers, swaps


def _figures(asked: list[Asked], swaps: list[tuple[float, float, int]]) -> dict[str, Any]:
    latency_ms = np.array([1000 * (one.answered - one.due) for one in asked])
    lasted = max(one.due for one in asked) - min(one.due for one in asked)
    p50, p99 = np.percentile(latency_ms, (50, 99))
    return {
        "requests": len(asked),
        "requests_per_second": round((len(asked) - 1) / lasted, 1),
        "swaps": len(swaps),
        "failures": sum(one.status != 200 for one in asked),
        "stale_answers": sum(_stale(one, swaps) for one in asked),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "answered_in_seconds": round(max(o.answered for o in asked) - min(o.due for o in asked), 1),
    }


def _stale(one: Asked, swaps: list[tuple[float, float, int]]) -> bool:
    """Answered by a version that had been replaced before the request was sent."""
    confirmed = [serves for _clicked, done, serves in swaps if done < one.sent]
    under_way = any(clicked < one.answered and one.sent < done for clicked, done, _ in swaps)
    return bool(
        confirmed and not under_way and one.version is not None and one.version != confirmed[-1]
    )
