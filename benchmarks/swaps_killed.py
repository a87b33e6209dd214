"""kill -9 of whoever trains, promotes or rolls back, while somebody outside keeps looking.

Trainings are done by a worker, promotions and rollbacks by the web server, asked for as people ask:
by the buttons. Whoever was killed is started again, and what got no answer is asked for again.

Half of the trainings lose the whole worker. The other half lose the process of the pool that is at
work, but not on the filesystem broker: there the processes of a pool wait for work under one lock,
and one that is killed between two tasks takes it along.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.plant_doors import Doors, Records, free_port
from predictors import registry
from predictors.errors import ArtefactError
from tests.installation import ROOT, Installation, descendants

LEASE_SECONDS = 3
START_SECONDS = 90
DONE_SECONDS = 180
POLL_SECONDS = 0.005
LOOK_SECONDS = 0.01
MOST_ATTEMPTS = 40
WRITING_SECONDS = 0.02
MODE = "bearing"

FILL = """
import datetime as dt
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule
from maintenance.flow import retrain
from maintenance.models import FailureMode
from tests.plants import with_history
now = timezone.now()
plant = with_history(assets=6, days=240, now=now)
retrain.train(site=plant.site, as_of=now - dt.timedelta(days=150), now=now)
IntervalSchedule.objects.update(every=1)
print(json.dumps(FailureMode.objects.get(code="bearing").pk))
"""
LOOK = """
SELECT m.code,
  (SELECT count(*) FROM maintenance_modelversion v
    WHERE v.failure_mode_id = m.id AND v.state = 'champion'),
  (SELECT count(*) FROM maintenance_serving s
    WHERE s.failure_mode_id = m.id AND s.until_at IS NULL),
  (SELECT count(*) FROM maintenance_serving s
    JOIN maintenance_modelversion v ON v.id = s.model_version_id
    WHERE s.failure_mode_id = m.id AND s.until_at IS NULL AND v.state = 'champion')
FROM maintenance_failuremode m
"""
CHAMPION = """
SELECT id, version FROM maintenance_modelversion WHERE failure_mode_id = %s AND state = 'champion'
"""
NEWEST = "SELECT max(id) FROM maintenance_modelversion WHERE failure_mode_id = %s"
NEWEST_SERVED = "SELECT max(model_version_id) FROM maintenance_serving WHERE failure_mode_id = %s"
SERVINGS = "SELECT count(*) FROM maintenance_serving WHERE failure_mode_id = %s"
OPERATION = """
SELECT state, run, progress_done, progress_total FROM maintenance_operation WHERE id = %s
"""
RUNS = """
SELECT m.code, r.challenger_id, r.verdict,
  (SELECT count(*) FROM maintenance_serving s
    WHERE s.model_version_id = r.challenger_id AND s.start = 'promotion')
FROM maintenance_trainingrun r JOIN maintenance_failuremode m ON m.id = r.failure_mode_id
WHERE r.operation_id = %s
"""
FOLDERS = "SELECT artefact, artefact_sha256 FROM maintenance_modelversion WHERE artefact <> ''"
CHAIN = "SELECT failure_mode_id, from_at, until_at FROM maintenance_serving ORDER BY id"
SWAPS_AUDITED = """
SELECT count(*) FROM maintenance_auditentry WHERE action IN ('promote model', 'roll back model')
"""
ALL_SERVINGS = "SELECT count(*) FROM maintenance_serving"

Tell = Callable[[str], object]


@dataclass
class Watcher:
    """Looks at which versions serve, again and again, from a thread and connection of its own."""

    plant: Installation
    looks: int = 0
    champions: Counter[int] = field(default_factory=Counter)
    inconsistent: int = 0
    _stop: Event = field(default_factory=Event)

    @contextmanager
    def looking(self) -> Iterator[Watcher]:
        """Until the block ends; every failure mode has a champion when it begins."""
        thread = Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _look(self) -> None:
        with closing(Records(self.plant)) as records:
            while not self._stop.wait(LOOK_SECONDS):
                for _mode, champions, serving, both in records.rows(LOOK):
                    self.champions[champions] += 1
                    self.inconsistent += not champions == serving == both
                self.looks += 1


@dataclass
class Process:
    """A process of the plant with all that it starts, which can be killed and started again."""

    plant: Installation
    script: str
    settings: dict[str, str]
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.plant.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(  # noqa: S603  Our own scripts.
                ["/bin/sh", str(ROOT / "deploy" / self.script)],
                env=self.plant.variables | self.settings,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.running is not None  # noqa: S101  It was started.
        return self.running.pid

    def children(self) -> list[int]:
        return descendants(self.pid)

    def end(self) -> None:
        """All of it, at once."""
        if self.running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()


@dataclass
class Found:
    """What the kills came to."""

    kills: Counter[str] = field(default_factory=Counter)
    in_effect_at_kill: Counter[str] = field(default_factory=Counter)
    once: int = 0
    promoted_by_training: int = 0
    wrong: list[str] = field(default_factory=list)
    half: set[str] = field(default_factory=set)


class Trial:
    """One plant, its processes, and an engineer who does not give up."""

    def __init__(self, plant: Installation, *, seed: int, tell: Tell) -> None:
        self.plant = plant
        self.tell = tell
        self.random = random.Random(seed)
        self.found = Found()
        self.embedded = "CELERY_BROKER_URL" not in plant.environment
        plant.environment["VIGIA_OPERATION_LEASE_SECONDS"] = str(LEASE_SECONDS)
        plant.manage("migrate", "--verbosity", "0")
        self.mode: int = plant.python(FILL)
        port = free_port()
        self.doors = Doors.of(plant, port=port)
        self.records = Records(plant)
        # Loaded before it forks, a web process that died is there again at once.
        arguments = {"GUNICORN_CMD_ARGS": "--preload"}
        web = {"PORT": str(port), "VIGIA_WEB_PROCESSES": "1"} | arguments
        self.web = Process(plant, "web.sh", web)
        self.worker = Process(
            plant, "worker.sh", {"VIGIA_BEAT": "0", "VIGIA_WORKER_PROCESSES": "1"}
        )
        self.beat = Process(plant, "beat.sh", {})
        self.training_seconds = 0.0
        self.swap_seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.callback(self.records.close)
            for process in (self.web, self.worker, self.beat):
                process.start()
                stack.callback(process.end)
            self.wait(self.doors.alive, START_SECONDS, "the web server")
            yield

    def rehearse(self) -> None:
        """Each operation once, undisturbed: how long it takes, and two versions to swap."""
        self.finished(self.asked_to_train())
        operation = self.asked_to_train()
        self.under_way(operation)
        started = time.monotonic()
        self.finished(operation)
        self.training_seconds = time.monotonic() - started
        if self.champion()[1] == 1:
            self.press(*self.promotion(self.newest()))
        target = self.champion()[0]
        self.back_to_the_first()
        os.kill(self.web.children()[0], signal.SIGKILL)
        self.wait(self.doors.alive, START_SECONDS, "the web server")
        started = time.monotonic()
        self.press(*self.promotion(target))
        self.swap_seconds = time.monotonic() - started  # by a process that has just begun
        self.back_to_the_first()
        told = f"training {self.training_seconds:.1f} s, a swap {self.swap_seconds * 1000:.0f} ms"
        self.tell(told)

    def round(self) -> None:
        """A training, a rollback and a promotion, each killed."""
        self.killed_training()
        if self.champion()[1] == 1:
            self.press(*self.promotion(self.newest()))
        target = self.champion()[0]
        self.killed_swap("rollback", self.rollback)
        self.killed_swap("promotion", lambda: self.promotion(target))
        self.back_to_the_first()
        self.found.half |= self.half_artefacts()

    # Trainings

    def asked_to_train(self) -> int:
        place = self.doors.press("/models/train/").place
        return int(place.strip("/").rpartition("/")[2])

    def killed_training(self) -> None:
        """At a random moment of it, or as it writes; the whole worker, or the process at work."""
        for _attempt in range(MOST_ATTEMPTS):
            self.back_to_the_first()
            operation = self.asked_to_train()
            as_it_writes = self.random.random() < 0.5
            self.under_way(operation)
            started = time.monotonic()
            if as_it_writes:
                self.judged(operation)
                time.sleep(self.random.uniform(0, WRITING_SECONDS))
            else:
                time.sleep(self.random.uniform(0, self.training_seconds))
            during = self.kill_worker(operation)
            self.finished(operation)
            if during:
                self.found.kills["training"] += 1
                self.judge_training(operation)
                return
            self.training_seconds = min(self.training_seconds, time.monotonic() - started)

    def kill_worker(self, operation: int) -> bool:
        """Whether the operation was under way."""
        children = self.worker.children()
        whole = self.embedded or self.random.random() < 0.5 or not children
        before = self.state(operation)[0]
        if whole:
            os.kill(self.worker.pid, signal.SIGKILL)
            time.sleep(self.random.uniform(0, 0.5))  # what it started may live on for a while
            self.worker.end()
            self.worker.start()
        else:
            os.kill(children[-1], signal.SIGKILL)
        return before == "running" and self.state(operation)[0] == "running"

    def under_way(self, operation: int) -> None:
        self.wait(lambda: self.state(operation)[0] != "queued", DONE_SECONDS, "a run")

    def judged(self, operation: int) -> None:
        """All its challengers are: what is left is to write."""

        def told() -> bool:
            state, _run, done, total = self.state(operation)
            return state != "running" or 0 < total == done

        self.wait(told, DONE_SECONDS, "verdicts")

    def state(self, operation: int) -> tuple[str, int, int, int]:
        [row] = self.records.rows(OPERATION, operation)
        return row

    def finished(self, operation: int) -> None:
        over = ("succeeded", "failed", "cancelled")
        self.wait(lambda: self.state(operation)[0] in over, DONE_SECONDS, "the end of training")

    def judge_training(self, operation: int) -> None:
        """One run a failure mode, each challenger served as often as it was promoted."""
        runs = self.records.rows(RUNS, operation)
        modes = sorted(row[0] for row in runs)
        served = all(count == (verdict == "promoted") for _, _, verdict, count in runs)
        state = self.state(operation)[0]
        self.found.promoted_by_training += any(row[2] == "promoted" for row in runs)
        if state == "succeeded" and modes == ["bearing", "seal"] and served:
            self.found.once += 1
        else:
            self.found.wrong.append(f"training {operation}: {state}, {runs}")

    # Promotions and rollbacks

    def promotion(self, version: int) -> tuple[str, dict[str, object]]:
        return f"/models/versions/{version}/promote/", {"reason": "a benchmark"}

    def rollback(self) -> tuple[str, dict[str, object]]:
        return f"/models/{self.mode}/roll-back/", {"reason": "a benchmark", "to": 1}

    def press(self, path: str, fields: dict[str, object]) -> None:
        """Until there is an answer, however often the server dies."""
        for _attempt in range(MOST_ATTEMPTS):
            with suppress(OSError, http.client.HTTPException):
                answer = self.doors.press(path, **fields)
                if answer.status == 302:
                    return
                raise RuntimeError(f"{path}: {answer.status} {answer.body[:400]!r}")
            time.sleep(0.05)
        raise RuntimeError(f"{path}: no answer")

    def back_to_the_first(self) -> None:
        if self.champion()[1] != 1:
            self.press(*self.rollback())

    def killed_swap(self, what: str, asked: Callable[[], tuple[str, dict[str, object]]]) -> None:
        """The web process dies at a random moment of the request, or as soon as it has committed.

        Then it is asked again.
        """
        for _attempt in range(MOST_ATTEMPTS):
            start_champion, servings = self.champion(), self.servings()
            path, fields = asked()
            during = self.killed_request(path, fields)
            at_kill = self.servings() - servings
            self.press(path, fields)
            if not during:  # it had answered before: undone, and once more
                undo = self.promotion(start_champion[0]) if what == "rollback" else self.rollback()
                self.press(*undo)
                self.swap_seconds *= 0.8
                continue
            self.found.kills[what] += 1
            self.found.in_effect_at_kill[what] += at_kill
            if self.servings() == servings + 1 and self.champion() != start_champion:
                self.found.once += 1
            else:
                told = f"{what}: {self.servings() - servings} servings, {self.champion()} serves"
                self.found.wrong.append(told)
            return

    def killed_request(self, path: str, fields: dict[str, object]) -> bool:
        """Whether the server died before it had answered."""
        answered = Event()

        def send() -> None:
            with suppress(OSError, http.client.HTTPException):
                self.doors.press(path, **fields)
                answered.set()

        self.wait(self.doors.alive, START_SECONDS, "the web server")
        [victim, *_] = self.web.children()
        before, request = self.servings(), Thread(target=send)
        request.start()
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, self.swap_seconds))
        else:
            while self.servings() == before and request.is_alive():
                pass
        during = not answered.is_set()
        os.kill(victim, signal.SIGKILL)
        request.join()
        return during and not answered.is_set()

    def champion(self) -> tuple[int, int]:
        """Key and number of the version that serves."""
        [row] = self.records.rows(CHAMPION, self.mode)
        return row

    def newest(self) -> int:
        newest: int = self.records.one(NEWEST, self.mode)
        return newest

    def servings(self) -> int:
        count: int = self.records.one(SERVINGS, self.mode)
        return count

    # Files

    def half_artefacts(self) -> set[str]:
        """Folders to be seen that are not whole, and registered versions whose files are not."""
        artefacts = self.plant.folder / "artefacts"
        half = {str(folder) for folder in _folders(artefacts) if not _whole(folder)}
        for name, sha256 in self.records.rows(FOLDERS):
            folder = artefacts / name
            if not _whole(folder) or registry.read_manifest(folder).artefact_hash != sha256:
                half.add(name)
        return half

    def flipped_bytes(self) -> tuple[int, int]:
        """A byte of each file of a version, one after the other: how many, and how many refused.

        Refused: the version is not promoted, and a process that loads it is told so.
        """
        name = self.records.one(
            "SELECT artefact FROM maintenance_modelversion WHERE id = %s", self.newest_served()
        )
        folder = self.plant.folder / "artefacts" / name
        files = sorted(folder.iterdir())
        return len(files), sum(self.refuses(file) for file in files)

    def refuses(self, file: Path) -> bool:
        raw, before = file.read_bytes(), self.servings()
        place = self.random.randrange(len(raw))
        flipped = bytes([raw[place] ^ (1 << self.random.randrange(8))])
        file.write_bytes(raw[:place] + flipped + raw[place + 1 :])
        try:
            registry.load(file.parent)
            loaded = registry.read_manifest(file.parent).artefact_hash == self.sha_of(file.parent)
        except (ArtefactError, ValueError):
            loaded = False
        self.press(*self.promotion(self.newest_served()))
        promoted = self.servings() != before
        file.write_bytes(raw)
        return not loaded and not promoted

    def sha_of(self, folder: Path) -> str:
        name = str(folder.relative_to(self.plant.folder / "artefacts"))
        query = "SELECT artefact_sha256 FROM maintenance_modelversion WHERE artefact = %s"
        found: str = self.records.one(query, name)
        return found

    def newest_served(self) -> int:
        newest: int = self.records.one(NEWEST_SERVED, self.mode)
        return newest

    def chained(self) -> bool:
        """Each serving begins when the one before ended, and each swap was audited once."""
        last: dict[int, Any] = {}
        for mode, from_at, until_at in self.records.rows(CHAIN):
            if mode in last and last[mode] != from_at:
                return False
            last[mode] = until_at
        return bool(self.records.one(ALL_SERVINGS) == self.records.one(SWAPS_AUDITED))

    def wait(self, happened: Callable[[], object], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > end:
                raise RuntimeError(f"{what}: not within {seconds} s\n{self.plant.log[-6000:]}")
            time.sleep(POLL_SECONDS)


def run(plant: Installation, *, kills: int, seed: int, tell: Tell) -> dict[str, Any]:
    """So many kills of each of training, rollback and promotion; what was seen meanwhile."""
    trial = Trial(plant, seed=seed, tell=tell)
    started = time.monotonic()
    with trial.running():
        trial.rehearse()
        with Watcher(plant).looking() as watcher:
            for number in range(kills):
                trial.round()
                tell(f"{number + 1}: {trial.found}")
        tried, refused = trial.flipped_bytes()
        chained = trial.chained()
    found = trial.found
    return {
        "kills": sum(found.kills.values()),
        "kills_by_operation": dict(found.kills),
        "champions_seen_min": min(watcher.champions),
        "champions_seen_max": max(watcher.champions),
        "looks": watcher.looks,
        "inconsistent_looks": watcher.inconsistent,
        "operations_done_once": found.once,
        "swaps_in_effect_at_kill": sum(found.in_effect_at_kill.values()),
        "promoted_by_training": found.promoted_by_training,
        "wrong": found.wrong,
        "servings_consistent": chained,
        "half_artefacts": len(found.half),
        "flipped_bytes": tried,
        "flipped_byte_refused": tried == refused,
        "seconds": round(time.monotonic() - started, 1),
    }


def _folders(artefacts: Path) -> Iterator[Path]:
    """Folders of versions and datasets; one that is being written hides behind a dot."""
    for pattern in ("*/*/*", "datasets/*/*/*"):
        for folder in artefacts.glob(pattern):
            parents = folder.relative_to(artefacts).parts
            is_dataset = parents[0] == "datasets"
            if len(parents) == (4 if is_dataset else 3) and not folder.name.startswith("."):
                yield folder


def _whole(folder: Path) -> bool:
    try:
        registry.read_folder(folder)
    except ArtefactError:
        return False
    return True
