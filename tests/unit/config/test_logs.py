"""Logging belongs to a whole process: each case is a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SPEAK = """
import logging, sys, structlog
from config.logs import configure
configure({"level": "INFO", "format": sys.argv[1]})
structlog.get_logger("vigia").info("readings stored", new=3)
logging.getLogger("other").warning("slow: %s s", 5)
logging.getLogger("other").debug("nobody asked")
try:
    password = "hunter2"
    1 / 0
except ZeroDivisionError:
    logging.getLogger("other").exception("it broke")
"""


def said(style: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", SPEAK, style],
        cwd=Path(settings.BASE_DIR),
        capture_output=True,
        text=True,
        check=True,
    ).stderr


def test_machines_get_one_json_object_a_line() -> None:
    ours, theirs, broken = [json.loads(line) for line in said("json").splitlines()]
    assert ours["event"] == "readings stored"
    assert ours["new"] == 3
    assert ours["level"] == "info"
    assert ours["timestamp"].endswith("Z")
    assert theirs["event"] == "slow: 5 s"
    assert "ZeroDivisionError" in broken["exception"]


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_tells_no_secret(style: str) -> None:
    text = said(style)
    assert "ZeroDivisionError" in text
    assert "'hunter2'" not in text
    assert "nobody asked" not in text
