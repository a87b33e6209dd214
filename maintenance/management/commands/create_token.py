"""Make an API token; its secret is shown once."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from maintenance.choices import TokenScope
from maintenance.flow import entrance
from maintenance.models import Site


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
        parser.add_argument("--days", type=int, help="how long it is valid; for good without it")

    def handle(self, *_args: Any, **options: Any) -> None:
        site, now, days = site_called(options["site"]), timezone.now(), options["days"]
        if days is not None and days < 1:
            raise CommandError(f"--days: {days} is not at least 1.")
        try:
            secret = entrance.make_token(
                site=site,
                name=options["name"],
                scopes=[TokenScope(scope) for scope in options["scope"]],
                by=None,
                now=now,
                expires_at=None if days is None else now + dt.timedelta(days=days),
            )
        except IntegrityError:
            raise CommandError(f"The site has a token called {options['name']!r}.") from None
        self.stdout.write(secret)


def site_called(code: str) -> Site:
    site = Site.objects.filter(code=code).first()
    if site is None:
        known = ", ".join(Site.objects.values_list("code", flat=True)) or "none yet"
        raise CommandError(f"There is no site {code!r}. Known: {known}.")
    return site
