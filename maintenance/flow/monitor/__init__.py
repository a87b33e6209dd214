"""What the models read and say is watched: drift, forecasts that prove worse, sensors gone silent.

`watch` looks back from an instant at what is stored and writes reports and alerts; it can be run
again, or over history. Each question about the last nights is asked of the data anew, so that an
answer does not depend on how often the watch was run.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db import transaction

from maintenance.flow.monitor import drift
from maintenance.flow.monitor.alerts import Refused, acknowledge, close, settle, silence
from maintenance.flow.monitor.findings import Finding
from maintenance.flow.monitor.promises import worse_forecasts
from maintenance.flow.monitor.silent import silent_points
from maintenance.models import AssetClass, ModelVersion, Site
from maintenance.operations import Fence, unfenced

__all__ = ["Refused", "acknowledge", "close", "silence", "watch"]


def watch(
    *, site: Site, as_of: dt.datetime, now: dt.datetime, fence: Fence = unfenced
) -> dict[str, Any]:
    """Report on every serving model that has a profile; open, refresh and close alerts.

    An alert whose cause is gone closes by itself. `without_profile` names the models that cannot
    be watched for drift since nothing says what they learnt from.
    """
    champions = list(
        ModelVersion.objects.champions()
        .filter(failure_mode__asset_class__site=site)
        .select_related("failure_mode__asset_class", "feature_set")
    )
    by_class: dict[AssetClass, list[ModelVersion]] = defaultdict(list)
    for version in champions:
        by_class[version.failure_mode.asset_class].append(version)
    reports, findings = list[drift.Judged](), list[Finding]()
    for asset_class, versions in by_class.items():
        judged, found = drift.watch_class(asset_class, versions, as_of=as_of)
        reports += judged
        findings += found
    findings += worse_forecasts(champions, as_of=as_of)
    findings += silent_points(site, as_of=as_of)
    with transaction.atomic():
        for report in reports:
            drift.write(report, as_of=as_of, now=now)
        result = {
            "reports": len(reports),
            "drifted": sum(report.drifted for report in reports),
            "without_profile": [str(version) for version in champions if not version.profile],
            **settle(site, findings, now=now),
        }
        fence(result)
    return result
