"""Lives of components: each installation ends where the next begins.

A component's first life starts when its asset was commissioned, unless a replacement is known
from before that.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from maintenance.models import Asset, Component, FailureMode, Installation, Site

COMMISSIONING = "commissioning"
"""The source of an installation that nobody told us of: the component came with its asset."""


def ensure_components(*, site: Site, now: dt.datetime) -> None:
    """A component for each position that a failure mode of the asset's class can happen to."""
    positions: dict[int, set[str]] = defaultdict(set)
    for asset_class, code in FailureMode.objects.of_site(site).values_list(
        "asset_class_id", "component_code"
    ):
        positions[asset_class].add(code)
    assets = Asset.objects.of_site(site).values_list("pk", "asset_class_id")
    known = set(Component.objects.of_site(site).values_list("asset_id", "code"))
    missing = [
        Component(asset_id=asset, code=code, name=code, recorded_at=now)
        for asset, asset_class in assets
        for code in sorted(positions[asset_class])
        if (asset, code) not in known
    ]
    Component.objects.bulk_create(missing, batch_size=2000)
    without = Component.objects.of_site(site).filter(installations=None)
    install(dict.fromkeys(without.values_list("pk", flat=True), ()), now=now)


def install(starts: Mapping[int, Iterable[dt.datetime]], *, now: dt.datetime) -> None:
    """Add the starts of lives (by component) and lay the components' lives end to end."""
    components = list(starts)
    commissioned = dict(
        Component.objects.filter(pk__in=components).values_list("pk", "asset__commissioned_at")
    )
    known: dict[int, list[Installation]] = defaultdict(list)
    for installation in Installation.objects.filter(component__in=components):
        known[installation.component_id].append(installation)
    gone: list[int] = []
    kept: list[Installation] = []
    made: list[Installation] = []
    for component, instants in starts.items():
        told = {i.installed_at: i for i in known[component] if i.source != COMMISSIONING}
        for at in instants:
            if at not in told:
                told[at] = Installation(component_id=component, installed_at=at, recorded_at=now)
        life = list(told.values())
        came_with_asset = [i for i in known[component] if i.source == COMMISSIONING]
        if not told or commissioned[component] < min(told):
            life.append(_first(came_with_asset, component, commissioned[component], now))
            came_with_asset = came_with_asset[1:]
        gone += [installation.pk for installation in came_with_asset]
        _lay_end_to_end(life)
        kept += [installation for installation in life if installation.pk]
        made += [installation for installation in life if not installation.pk]
    Installation.objects.filter(pk__in=gone).delete()
    # Closed before the next is opened: a component has one open installation at most.
    Installation.objects.bulk_update(kept, ["installed_at", "removed_at"], batch_size=500)
    Installation.objects.bulk_create(made, batch_size=2000)


def _first(
    known: list[Installation], component: int, at: dt.datetime, now: dt.datetime
) -> Installation:
    if known:
        known[0].installed_at = at
        return known[0]
    return Installation(
        component_id=component, installed_at=at, source=COMMISSIONING, recorded_at=now
    )


def _lay_end_to_end(life: list[Installation]) -> None:
    life.sort(key=lambda installation: installation.installed_at)
    for installation, following in pairwise(life):
        end = following.installed_at
        if installation.removed_at is None or installation.removed_at > end:
            installation.removed_at = end
