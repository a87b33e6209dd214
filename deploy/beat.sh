#!/bin/sh
# The timetable alone, where several workers run: exactly one of these, and VIGIA_BEAT=0 for the workers.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec celery --app config beat --loglevel "${VIGIA_LOG_LEVEL:-INFO}"
