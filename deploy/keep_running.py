"""Keep a command running: start it again whenever it dies.

Asked to stop (SIGTERM, SIGINT), it asks the command to stop, waits, and then ends all that the
command started. When the command is killed, so are the processes it leaves behind: a timetable
that outlives its worker would ring twice.

    python deploy/keep_running.py COMMAND [ARGUMENT ...]
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

PATIENCE_SECONDS = 4
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# A command that lived this long was well: the next pause is short again.
WELL_AFTER_SECONDS = 60.0


class Keeper:
    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        pause_seconds = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._run_once()
            if time.monotonic() - started > WELL_AFTER_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            if not self._stopping.is_set():
                sys.stderr.write(f"{self._command[0]} ended ({code}): starting it again\n")
                sys.stderr.flush()
            self._stopping.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _run_once(self) -> int:
        # A session of its own: what the command starts can be ended together.
        self._child = subprocess.Popen(self._command, start_new_session=True)
        if self._stopping.is_set():  # Asked between the two: the signal found no child yet.
            self._child.terminate()
        code = self._child.wait()
        self._kill()
        self._child = None
        return code

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping.set()
        if self._child is not None:
            self._child.terminate()
            signal.alarm(PATIENCE_SECONDS)

    def _kill(self, signum: int = 0, frame: FrameType | None = None) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python deploy/keep_running.py COMMAND [ARGUMENT ...]")
    Keeper(sys.argv[1:]).run()
