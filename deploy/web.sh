#!/bin/sh
# The web server. GUNICORN_CMD_ARGS adds to, or overrides, what stands here.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec gunicorn config.wsgi \
  --bind "${VIGIA_BIND:-127.0.0.1}:${PORT:-8000}" \
  --workers "${VIGIA_WEB_PROCESSES:-2}" \
  --threads 4 \
  --timeout 60 \
  --max-requests 5000 --max-requests-jitter 500 \
  --no-control-socket
