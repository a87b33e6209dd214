"""Listen to an MQTT broker and store the readings that machines publish."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from maintenance.models import Site
from maintenance.sources import mqtt


class Command(BaseCommand):
    help = "Listens to an MQTT broker for the readings of a site, until it is stopped."
    # It serves no page: nothing that the checks look at is used here.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--site", default=settings.MQTT_SITE, help="code of the site (VIGIA_MQTT_SITE)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        site = _site(options["site"])
        listening = mqtt.Listening(site, _broker(site), self._tell)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: listening.stop())
        listening.run()

    def _tell(self, topics: str) -> None:
        self.stdout.write(f"Listening to {topics}")
        self.stdout.flush()


def _site(code: str) -> Site:
    sites = Site.objects.filter(code=code) if code else Site.objects.all()
    if len(found := list(sites[:2])) == 1:
        return found[0]
    known = ", ".join(Site.objects.values_list("code", flat=True)) or "none yet"
    wanted = f"There is no site {code!r}" if code else "Say which site: --site CODE"
    raise CommandError(f"{wanted}. Known: {known}.")


def _broker(site: Site) -> mqtt.Broker:
    files = (settings.MQTT_CA_FILE, settings.MQTT_CERTIFICATE_FILE, settings.MQTT_KEY_FILE)
    for file in files:
        if file and not Path(file).is_file():
            raise CommandError(f"There is no file {file}.")
    ca_file, certificate_file, key_file = files
    return mqtt.Broker(
        **settings.MQTT_BROKER,
        topics=settings.MQTT_TOPICS,
        client_id=settings.MQTT_CLIENT_ID or f"vigia-{site.code}",
        session_days=settings.MQTT_SESSION_DAYS,
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
    )
