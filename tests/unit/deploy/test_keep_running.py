"""The command kept is a shell script that writes a line each time it starts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

KEEPER = Path(settings.BASE_DIR) / "deploy" / "keep_running.py"
Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def keep(script: str) -> "subprocess.Popen[bytes]":
        started.append(
            subprocess.Popen(
                [sys.executable, str(KEEPER), "sh", "-c", script],
                cwd=tmp_path,
                stderr=subprocess.DEVNULL,
            )
        )
        return started[-1]

    yield keep
    for keeper in started:
        if keeper.poll() is None:
            keeper.terminate()
            keeper.wait(10)


def wait_until(true: Callable[[], object]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within 10 s")


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc to look into")


def test_a_command_that_is_killed_is_started_again(start: Start, tmp_path: Path) -> None:
    start("echo $$ >> pids; exec sleep 60")
    wait_until(lambda: len(lines(tmp_path / "pids")) == 1)
    os.kill(int(lines(tmp_path / "pids")[0]), signal.SIGKILL)
    wait_until(lambda: len(lines(tmp_path / "pids")) == 2)


@needs_proc
def test_what_a_killed_command_left_behind_is_ended(start: Start, tmp_path: Path) -> None:
    start("sleep 60 & echo $! >> children; echo $$ >> pids; wait")
    wait_until(lambda: lines(tmp_path / "pids"))
    child = int(lines(tmp_path / "children")[0])
    assert alive(child)
    os.kill(int(lines(tmp_path / "pids")[0]), signal.SIGKILL)
    wait_until(lambda: not alive(child))


@needs_proc
def test_asked_to_stop_it_lets_the_command_finish(start: Start, tmp_path: Path) -> None:
    keeper = start(
        "trap 'echo bye > said; exit' TERM; echo $$ >> pids; while :; do sleep 0.1; done"
    )
    wait_until(lambda: lines(tmp_path / "pids"))
    keeper.terminate()
    assert keeper.wait(10) == 0
    assert lines(tmp_path / "said") == ["bye"]
    assert len(lines(tmp_path / "pids")) == 1


@needs_proc
def test_a_command_that_will_not_stop_is_ended(start: Start, tmp_path: Path) -> None:
    keeper = start("trap '' TERM; echo $$ >> pids; while :; do sleep 0.1; done")
    wait_until(lambda: lines(tmp_path / "pids"))
    keeper.terminate()
    assert keeper.wait(10) == 0
    assert not alive(int(lines(tmp_path / "pids")[0]))


def test_without_a_command_it_says_how_it_is_used() -> None:
    answer = subprocess.run(
        [sys.executable, str(KEEPER)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "usage:" in answer.stderr
