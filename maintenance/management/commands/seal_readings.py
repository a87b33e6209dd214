"""Seal whole days of readings now rather than tonight."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from maintenance.flow import keep


class Command(BaseCommand):
    help = "Moves whole days of readings that are over into compressed segments, as every night."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"{keep.seal(now=timezone.now())} readings sealed.")
