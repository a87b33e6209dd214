"""A component is new again: one life ends, the next begins."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from maintenance.flow.execute.refusals import Refusal
from maintenance.models import Asset, Component, FailureMode, Installation
from maintenance.queries.words import moment_words


def renew(*, asset: Asset, failure_mode: FailureMode, at: dt.datetime, now: dt.datetime) -> None:
    """Take the item out of the mode's component position, and put the next one in."""
    code = failure_mode.component_code
    component, _made = Component.objects.get_or_create(
        asset=asset, code=code, defaults={"name": code, "recorded_at": now}
    )
    old = Installation.objects.select_for_update().filter(component=component).open().first()
    if old is not None:
        _end(old, at)
    Installation.objects.create(component=component, installed_at=at, recorded_at=now)


def _end(installation: Installation, at: dt.datetime) -> None:
    if installation.installed_at >= at:
        words = _("%(component)s was put in on %(at)s, not before that.")
        put_in = moment_words(installation.installed_at)
        named = {"component": installation.component.name, "at": put_in}
        raise Refusal("finished_at", words % named)
    installation.removed_at = at
    installation.save(update_fields=["removed_at"])
