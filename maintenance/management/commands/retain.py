"""Delete readings that are older than they are to be kept."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from maintenance.flow import keep


class Command(BaseCommand):
    help = (
        "Deletes readings older than keep_days of their measurement point, or else "
        "keep_readings_days of their site. Without either they are kept for good."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"{keep.retain(now=timezone.now())} readings deleted.")
