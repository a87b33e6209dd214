#!/bin/sh
# A worker of the queues VIGIA_QUEUES. One worker, and only one, also keeps the timetable: set
# VIGIA_BEAT=0 for the others.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
beat=
[ "${VIGIA_BEAT:-1}" = 0 ] || beat=--beat
exec celery --app config worker $beat \
  --pool prefork \
  --concurrency "${VIGIA_WORKER_PROCESSES:-2}" \
  --queues "${VIGIA_QUEUES:-celery,ingest,learn,plan}" \
  --loglevel "${VIGIA_LOG_LEVEL:-INFO}" \
  --without-gossip --without-mingle
