#!/bin/sh
# The listener of a site to an MQTT broker: VIGIA_MQTT_URL, VIGIA_MQTT_SITE.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec python manage.py listen_mqtt
