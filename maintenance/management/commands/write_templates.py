"""Write the plain templates for one's own data."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from maintenance.sources import templates


class Command(BaseCommand):
    help = "Writes one CSV template a table, and a README of their columns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="where to write; made if it is not there")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            written = templates.write(options["folder"])
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Wrote {len(written)} files to {options['folder']}.")
