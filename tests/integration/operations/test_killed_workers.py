"""Worker killed -9 in the middle of training and of solving, as `make run` supervises it.

Another takes the operation up when the lease has run out, and it is in effect once.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.installation import BIN, Installation, command_of, descendants, once, parent_of

LEASE_SECONDS = 4
# The worker starts again, the lease runs out, the timetable sweeps; on a busy machine, slowly.
AGAIN_SECONDS = 60
DONE_SECONDS = 120

FILL = """
from django_celery_beat.models import IntervalSchedule
from django.utils import timezone
from maintenance.models import SparePart
from tests.plants import with_history, work_order
plant = with_history(assets=8, days=240, now=timezone.now())
plans = [plant.plan("renew-bearing"), plant.plan("renew-seal")]
for number in range(28):
    work_order(plant, f"P-{number % 8 + 1}", priority=number % 4 + 1, job_plan=plans[number % 2])
SparePart.objects.update(stock=100)
IntervalSchedule.objects.update(every=1)
"""
ASK = """
from django.utils import timezone
from maintenance import tasks
from maintenance.choices import Trigger
from maintenance.models import Site
asked = tasks.request_{what}(site=Site.objects.get(), by=None, now=timezone.now(){more})
print(json.dumps(asked.pk))
"""
EFFECTS = """
from maintenance.models import ModelVersion, Schedule
print(json.dumps({
    "models": list(ModelVersion.objects.values_list("failure_mode__code", "version")),
    "schedules": list(Schedule.objects.values_list("number", "state")),
}))
"""

pytestmark = [
    once,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes in /proc"),
]


@pytest.fixture(scope="module")
def plant(tmp_path_factory) -> Iterator[Installation]:
    lease = {"VIGIA_OPERATION_LEASE_SECONDS": str(LEASE_SECONDS)}
    plant = Installation(tmp_path_factory.mktemp("plant"), lease)
    plant.manage("migrate", "--verbosity", "0")
    plant.python(FILL)
    with plant.running([str(BIN / "honcho"), "--env", "/dev/null", "start", "worker"]) as honcho:
        plant.wait_for(lambda: worker_of(honcho.pid), seconds=AGAIN_SECONDS, what="a worker")
        plant.environment["honcho"] = str(honcho.pid)
        yield plant


def worker_of(honcho: int) -> int | None:
    """The worker itself: the process that the keeper keeps."""
    for pid in descendants(honcho):
        parent = parent_of(pid)
        if "celery" in command_of(pid) and parent and "keep_running.py" in command_of(parent):
            return pid
    return None


def row(plant: Installation, operation: int) -> dict[str, Any]:
    with sqlite3.connect(plant.folder / "vigia.sqlite3", timeout=20) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM maintenance_operation WHERE id = ?"
        return dict(connection.execute(query, [operation]).fetchone())


def killed_in_the_middle(
    plant: Installation, what: str, middle: Any, *, more: str = ""
) -> dict[str, Any]:
    """Ask, wait until a run is under way, kill its worker, wait for the end."""
    operation = plant.python(ASK.format(what=what, more=more))
    honcho = int(plant.environment["honcho"])
    plant.wait_for(
        lambda: middle(row(plant, operation)), seconds=AGAIN_SECONDS, what=f"{what} under way"
    )
    killed = worker_of(honcho)
    os.kill(killed, signal.SIGKILL)
    assert row(plant, operation)["state"] == "running", "it was done before it was killed"
    plant.wait_for(
        lambda: row(plant, operation)["run"] > 1,
        seconds=LEASE_SECONDS + AGAIN_SECONDS,
        what=f"{what} taken up again",
    )
    assert worker_of(honcho) != killed
    plant.wait_for(
        lambda: row(plant, operation)["state"] != "running",
        seconds=DONE_SECONDS,
        what=f"the end of {what}",
    )
    return row(plant, operation)


def test_a_worker_killed_while_it_trains_leaves_one_model_of_each_mode(plant):
    def under_way(row: dict[str, Any]) -> bool:
        return row["state"] == "running" and row["heartbeat_at"] > row["started_at"]

    done = killed_in_the_middle(plant, "training", under_way, more=", trigger=Trigger.BUTTON")
    assert (done["state"], done["run"], done["error"]) == ("succeeded", 2, "")
    effects = plant.python(EFFECTS)
    assert sorted(effects["models"]) == [["bearing", 1], ["seal", 1]]


def test_a_worker_killed_while_it_solves_leaves_one_draft(plant):
    def under_way(row: dict[str, Any]) -> bool:
        return row["state"] == "running" and row["progress_done"] == 1

    done = killed_in_the_middle(plant, "schedule", under_way)
    assert (done["state"], done["run"], done["error"]) == ("succeeded", 2, "")
    assert plant.python(EFFECTS)["schedules"] == [[1, "draft"]]
