"""Take an API token away."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from maintenance.flow import entrance
from maintenance.management.commands.create_token import site_called
from maintenance.models import ApiToken


class Command(BaseCommand):
    help = "Revokes an API token of a site: from now on no request with it is taken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", required=True, help="code of the site")
        parser.add_argument("--name", required=True, help="the name it was made with")

    def handle(self, *_args: Any, **options: Any) -> None:
        tokens = ApiToken.objects.of_site(site_called(options["site"])).filter(revoked_at=None)
        token = tokens.filter(name=options["name"]).first()
        if token is None or not entrance.revoke_token(token=token, by=None, now=timezone.now()):
            known = ", ".join(tokens.values_list("name", flat=True)) or "none"
            raise CommandError(f"No token in use is called {options['name']!r}. In use: {known}.")
        self.stdout.write(f"{options['name']} is revoked.")
