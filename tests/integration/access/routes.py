"""Every route of the URL configuration, and what one has to know to call it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver
from django_celery_beat.models import PeriodicTask

from maintenance.choices import Permission
from maintenance.models import (
    Import,
    ModelVersion,
    ReportPhoto,
    TopicTemplate,
    UnknownTopic,
)
from tests.plants import Plant

Kwargs = dict[str, Any]
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\^?\(\?P<(\w+)>[^)]*\)|\$$")


@dataclass(frozen=True)
class Route:
    """`access` is the mark of the view; "superuser" for the admin's; None when nobody gave one.

    `one_of`: the permissions of which an "every-site" route wants one, at each site.
    """

    name: str
    path: str
    parameters: tuple[str, ...]
    access: str | None
    one_of: frozenset[Permission] = frozenset()

    def __str__(self) -> str:
        return f"{self.name} (/{self.path})"

    def url(self, plant: Plant) -> str:
        """The path with a row of the plant in it; some of the admin's routes have no name."""
        given = self.kwargs(plant)
        return "/" + PARAMETER.sub(
            lambda found: str(given.get(found[1] or found[2] or "", "")), self.path
        )

    def kwargs(self, plant: Plant) -> Kwargs:
        if not self.parameters:
            return {}
        given = _admin_kwargs(self) if self.access == "superuser" else _kwargs(self.name, plant)
        assert set(given) >= set(self.parameters), (
            f"{self} takes {', '.join(self.parameters)}: "
            "tell tests/integration/access/routes.py which row stands for it"
        )
        return {name: given[name] for name in self.parameters}

    @property
    def is_about_a_row(self) -> bool:
        """Whether a parameter names a row of a site."""
        return bool(self.parameters) and self.name not in NOT_ROWS


def _asset(plant: Plant) -> Kwargs:
    return {"pk": plant.asset("P-1").pk}


def _point(plant: Plant) -> Kwargs:
    return {"pk": plant.asset("P-1").points.earliest("code").pk}


def _work_order(plant: Plant) -> Kwargs:
    return {"pk": plant.site.work_orders.proposed().earliest("number").pk}


def _schedule(plant: Plant) -> Kwargs:
    return {"pk": plant.site.schedules.draft().get().pk}


def _operation(plant: Plant) -> Kwargs:
    return {"pk": plant.site.operations.get().pk}


def _import(plant: Plant) -> Kwargs:
    batch = Import.objects.get(site=plant.site, file_name__startswith="upload")
    return {"pk": batch.pk, "import_id": batch.pk, "upload_id": batch.pk}


def _my_work(plant: Plant) -> Kwargs:
    """Work of the technician; at the other plant nobody signs in, and any work will do."""
    own = plant.site.work_orders.to_schedule().filter(assigned_to__user__isnull=False)
    row = own.first() or plant.site.work_orders.to_schedule().earliest("number")
    return {"pk": row.pk}


def _photo(plant: Plant) -> Kwargs:
    return {"pk": ReportPhoto.objects.of_site(plant.site).get().pk}


def _failure_mode(plant: Plant) -> Kwargs:
    return {"pk": plant.mode("bearing").pk}


def _model_version(plant: Plant) -> Kwargs:
    return {"pk": ModelVersion.objects.of_site(plant.site).earliest("pk").pk}


def _alert(plant: Plant) -> Kwargs:
    return {"pk": plant.site.alerts.get().pk}


def _unknown_topic(plant: Plant) -> Kwargs:
    return {"pk": UnknownTopic.objects.of_site(plant.site).get().pk}


def _topic_template(plant: Plant) -> Kwargs:
    return {"pk": TopicTemplate.objects.of_site(plant.site).get().pk}


def _task(_plant: Plant) -> Kwargs:
    return {"pk": PeriodicTask.objects.earliest("pk").pk}


SAMPLES: Mapping[str, Callable[[Plant], Kwargs]] = {
    "asset": _asset,
    "asset_readings": _asset,
    "work_order": _work_order,
    "work_order_accept": _work_order,
    "work_order_dismiss": _work_order,
    "work_order_reopen": _work_order,
    "work_order_cancel": _work_order,
    "my_work_order": _my_work,
    "my_work_start": _my_work,
    "my_work_pause": _my_work,
    "my_work_close": _my_work,
    "report_photo": _photo,
    "model": _failure_mode,
    "model_roll_back": _failure_mode,
    "model_version": _model_version,
    "model_promote": _model_version,
    "alert_acknowledge": _alert,
    "alert_silence": _alert,
    "alert_close": _alert,
    "timetable_edit": _task,
    "schedule_events": _schedule,
    "schedule_move": _schedule,
    "schedule_pin": _schedule,
    "schedule_remove": _schedule,
    "schedule_undo": _schedule,
    "schedule_edit": _schedule,
    "schedule_publish": _schedule,
    "schedule_csv": _schedule,
    "operation": _operation,
    "operation_cancel": _operation,
    "data_import": _import,
    "data_import_errors": _import,
    "data_point": _point,
    "data_point_edit": _point,
    "data_topic_point": _unknown_topic,
    "data_topic_template_remove": _topic_template,
    "data_template": lambda _plant: {"name": "assets"},
    "api:forecasts": lambda plant: {"code": plant.asset("P-1").code},
    "api:import_state": _import,
    "api:upload_state": _import,
    "api:upload_errors": _import,
}
# Their parameters name something that all sites share.
NOT_ROWS = {"data_template", "timetable_edit"}


def _kwargs(name: str, plant: Plant) -> Kwargs:
    sample = SAMPLES.get(name)
    return sample(plant) if sample else {}


def _admin_kwargs(route: Route) -> Kwargs:
    """A row of the table that the route is about, where there is one."""
    tables = {f"{m._meta.app_label}_{m._meta.model_name}": m for m in admin.site._registry}
    model = tables.get(route.name.removeprefix("admin:").rpartition("_")[0])
    row = model._default_manager.first() if model else None
    return {
        "object_id": str(row.pk) if row else "1",
        "app_label": "maintenance",
        "content_type_id": 1,
        "id": 1,
        "url": "nowhere",
    }


def routes() -> list[Route]:
    return list(_routes(get_resolver(), prefix="", namespaces=(), parameters=()))


def _routes(
    resolver: URLResolver,
    *,
    prefix: str,
    namespaces: tuple[str, ...],
    parameters: tuple[str, ...],
) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        taken = (*parameters, *entry.pattern.converters, *entry.pattern.regex.groupindex)
        taken = tuple(dict.fromkeys(taken))
        if isinstance(entry, URLPattern):
            yield _route(entry, path, namespaces, taken)
        else:
            inner = (*namespaces, entry.namespace) if entry.namespace else namespaces
            yield from _routes(entry, prefix=path, namespaces=inner, parameters=taken)


def _route(
    entry: URLPattern, path: str, namespaces: tuple[str, ...], parameters: tuple[str, ...]
) -> Route:
    name = ":".join((*namespaces, entry.name)) if entry.name else path
    access = "superuser" if namespaces[:1] == ("admin",) else None
    return Route(
        name=name,
        path=path,
        parameters=parameters,
        access=str(getattr(entry.callback, "access", "") or "") or access,
        one_of=getattr(entry.callback, "one_of", frozenset()),
    )
