"""Make an API token; its secret is shown once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from maintenance.choices import TokenScope
from maintenance.models import ApiToken, Site


class Command(BaseCommand):
    help = "Makes an API token of a site and prints its secret, which is not kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", required=True, help="code of the site")
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=TokenScope.values,
            help="what it may do; may be given again",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        site = Site.objects.filter(code=options["site"]).first()
        if site is None:
            known = ", ".join(Site.objects.values_list("code", flat=True)) or "none yet"
            raise CommandError(f"There is no site {options['site']!r}. Known: {known}.")
        secret = ApiToken.new_secret()
        try:
            ApiToken.objects.create(
                site=site,
                name=options["name"],
                digest=ApiToken.digest_of(secret),
                scopes=sorted(set(options["scope"])),
                recorded_at=timezone.now(),
            )
        except IntegrityError:
            raise CommandError(f"The site has a token called {options['name']!r}.") from None
        self.stdout.write(secret)
