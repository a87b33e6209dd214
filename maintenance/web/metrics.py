"""Figures for Prometheus: of the plant from the database, of requests from the processes."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from maintenance.queries import metrics as queries
from maintenance.web import request_counts


class Plant(Collector):
    """The figures of the database, asked for at each scrape."""

    def collect(self) -> Iterable[Metric]:
        yield _version()
        for metric in queries.all_metrics(now=timezone.now()):
            yield from _family(metric)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponseBase:
    """For Prometheus with its token, and for superusers."""
    if "Authorization" in request.headers:
        if not _has_token(request):
            refused = HttpResponse("wrong token\n", status=401, content_type="text/plain")
            refused["WWW-Authenticate"] = "Bearer"
            return refused
    elif not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    elif not request.user.is_superuser:
        raise PermissionDenied
    return HttpResponse(_text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


# Closed to all but superusers; the token is the machine's way in.
metrics = login_not_required(metrics)
cast("Any", metrics).access = "superuser"


def _has_token(request: HttpRequest) -> bool:
    scheme, _space, given = request.headers["Authorization"].partition(" ")
    expected: str = settings.METRICS_TOKEN
    if scheme.lower() != "bearer" or not expected:
        return False
    return hmac.compare_digest(given.strip().encode(), expected.encode())


def _text() -> bytes:
    with request_counts.held():
        registry = request_counts.registry()
        registry.register(Plant())
        return generate_latest(registry)


def _family(metric: queries.Metric) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily(f"vigia_{metric.name}", metric.help, labels=metric.labels)
    for sample in metric.samples:
        family.add_metric(sample.labels, sample.value)
    yield family


def _version() -> GaugeMetricFamily:
    names = ("django", "celery", "xgboost", "ortools")
    family = GaugeMetricFamily("vigia_build_info", "Versions that run", labels=("version", *names))
    family.add_metric((settings.VERSION, *(_installed(name) for name in names)), 1)
    return family


def _installed(name: str) -> str:
    for distribution in (name, f"{name}-cpu"):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "none"
