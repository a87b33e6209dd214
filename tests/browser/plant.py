"""A demo plant in a folder of its own, filled once and copied for each test."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "vigia.sqlite3"
SIGN_IN = re.compile(r"Sign in as (\w+) with password (\S+)")
FURNISH = "import django; django.setup(); from tests.browser import furnish; furnish.main()"
ASSETS = 24
SOLVER_SECONDS = 5


@dataclass(frozen=True)
class Plant:
    """Where everything is kept, who signs in with which password, and where its pages are."""

    folder: Path
    passwords: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """For programs of this plant: nothing of the caller's settings comes along."""
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VIGIA_", "DJANGO_", "CELERY_", "DATABASE_"))
        }
        return outside | {
            "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
            "VIGIA_VAR_DIR": str(self.folder),
            "VIGIA_LOG_LEVEL": "WARNING",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *arguments: str) -> str:
        """Run Python on this plant and give what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """What the database answers to a question in SQL."""
        with closing(sqlite3.connect(self.folder / DATABASE)) as database:
            return database.execute(question).fetchall()

    def copied_to(self, folder: Path) -> Plant:
        """The same plant, which can then go its own way."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("artefacts", "staticfiles", "uploads"):
            if (self.folder / name).is_dir():
                shutil.copytree(self.folder / name, folder / name)
        shutil.copy2(self.folder / "secret-key", folder / "secret-key")
        with (
            closing(sqlite3.connect(self.folder / DATABASE)) as here,
            closing(sqlite3.connect(folder / DATABASE)) as there,
        ):
            here.backup(there)
        return replace(self, folder=folder)


def demo_plant(folder: Path, *, assets: int = ASSETS) -> Plant:
    """What `make demo` fills, as small as the pages need, with its static files collected."""
    plant = Plant(folder)
    plant.run("manage.py", "collectstatic", "--noinput", "--verbosity", "0")
    plant.run("manage.py", "migrate", "--verbosity", "0")
    said = plant.run("manage.py", "demo", f"--assets={assets}", f"--seconds={SOLVER_SECONDS}")
    return replace(plant, passwords=dict(SIGN_IN.findall(said)))


def furnished(plant: Plant, folder: Path) -> Plant:
    """A copy with something to see on every page: see `furnish`."""
    copy = plant.copied_to(folder)
    said = copy.run("-c", FURNISH)
    paths = json.loads(said.rpartition("paths: ")[2])
    return Plant(folder, passwords=copy.passwords | dict(SIGN_IN.findall(said)), paths=paths)
