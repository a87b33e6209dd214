"""The commands a developer types do what they say: read from make without running it."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(*arguments: str) -> str:
    """As typed by hand: a make that runs the tests hands nothing down."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def would_run(*arguments: str) -> str:
    return make("--dry-run", *arguments)


@needs_make
def test_make_test_hides_every_service_from_pytest() -> None:
    assert re.search(r"VIGIA_HIDE_SERVICES=1 .*/pytest ", would_run("test"))


@needs_make
def test_make_test_all_runs_on_both_databases() -> None:
    sqlite, postgresql = re.findall(r"^env .*/pytest .*$", would_run("test-all"), re.MULTILINE)
    assert "VIGIA_HIDE_SERVICES=1" not in sqlite + postgresql
    assert "VIGIA_TEST_DATABASE_URL=postgresql://" in postgresql


@needs_make
@pytest.mark.parametrize(
    "tool",
    ["ruff check", "ruff format", "mypy", "lint-imports", "djlint", "makemigrations --check"],
)
def test_make_check_asks_each_tool(tool: str) -> None:
    assert tool in would_run("check")


@needs_make
def test_a_demo_that_does_not_serve_prints_nothing_after_the_demo() -> None:
    last = would_run("demo", "DEMO_SERVE=0").strip().splitlines()[-1]
    assert last.endswith("manage.py demo")


@needs_make
def test_a_demo_serves_where_it_is_told() -> None:
    assert "honcho --env /dev/null start --port 8123" in would_run("demo", "PORT=8123")


@needs_make
def test_each_command_is_listed_with_what_it_does() -> None:
    listed = set(re.findall(r"^  make ([a-z-]+) +\S", make("help"), re.MULTILINE))
    wanted = ["setup", "demo", "run", "check", "test", "test-all", "bench", "screenshots", "clean"]
    assert set(wanted) <= listed


def test_each_process_of_the_procfile_is_kept_running() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["web", "worker"]
    for line in lines:
        assert "deploy/keep_running.py" in line
        assert os.access(ROOT / line.split()[-1], os.X_OK)


def test_what_runs_before_a_commit_is_what_ci_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["make check", "make test"]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_each_requirement_is_pinned_and_says_why(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r")):
            assert re.match(r"[A-Za-z0-9_\-\[\],]+==[0-9.]+ .*# \S+", line), line


def test_the_clock_may_be_read_only_at_the_edges() -> None:
    ignores = PROJECT["tool"]["ruff"]["lint"]["per-file-ignores"]
    edges = {pattern for pattern, rules in ignores.items() if "TID251" in rules}
    assert not [
        edge for edge in edges if re.search("flow|models|queries|predictors|scheduler", edge)
    ]


def test_every_module_of_the_application_has_its_layer() -> None:
    contracts = {
        contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]
    }
    assert contracts["application"]["exhaustive"]
    assert set(contracts["application"]["exhaustive_ignores"]) == {
        "apps",
        "checks",
        "migrations",
        "staticfiles",
        "templatetags",
    }
