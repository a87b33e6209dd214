"""Fills the database of DATABASE_URL with the large plant, so that its pages can be looked at.

``DJANGO_SETTINGS_MODULE=config.settings python -m tests.integration.web.fill``
"""

import datetime as dt
import sys

import django

django.setup()

from tests.integration.web.plant import PASSWORD, large_plant, with_draft  # noqa: E402

now = dt.datetime.now(dt.UTC)
plant = with_draft(large_plant(now), now)
sys.stdout.write(f"{plant.planner} / {PASSWORD}: {plant.schedule}\n")
