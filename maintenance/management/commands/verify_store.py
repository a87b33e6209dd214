"""Prove that the readings store holds what it promises."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from maintenance import store
from maintenance.instants import from_us

MOST_SHOWN = 100


class Command(BaseCommand):
    help = "Reads every stored reading and names what breaks a promise of the store."

    def handle(self, *_args: Any, **_options: Any) -> None:
        faults = 0
        for fault in store.verify():
            faults += 1
            if faults <= MOST_SHOWN:
                since = from_us(fault.start_us).isoformat()
                self.stderr.write(f"point {fault.point_id}, from {since}: {fault.reason}")
        if faults:
            self.stderr.write(f"{faults} faults.")
            raise SystemExit(1)
        self.stdout.write(f"{store.count()} readings, no fault.")
