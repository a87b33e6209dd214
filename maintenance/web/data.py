"""The data page: how fresh readings are, bringing files in, what became of them."""

from __future__ import annotations

import datetime as dt
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from maintenance import tasks
from maintenance.access import SiteRequest, requires
from maintenance.choices import ImportDoor, Permission
from maintenance.flow import ingest
from maintenance.models import Asset, Import, MeasurementPoint, RejectedRow, Site
from maintenance.queries import data as queries
from maintenance.sources import delimited, mappings, templates
from maintenance.web.csv_download import csv_download
from maintenance.web.data_forms import TABLE_WORDS, UploadForm

ASSETS_A_PAGE = 25
IMPORTS_A_PAGE = 15
ROWS_A_PAGE = 50
MACHINES = (ImportDoor.REST, ImportDoor.MQTT)
FIRST_COMMANDS = "manage.py write_templates FOLDER\nmanage.py import_data FOLDER"


@requires(Permission.READ_ASSETS)
@require_safe
def data(request: SiteRequest) -> HttpResponse:
    """htmx asks again for the imports while some run, and for the table of assets when it turns."""
    if request.site is None:
        raise PermissionDenied
    if request.GET.get("part") == "imports":
        return render(request, "data/list.html#imports", _imports(request, request.site))
    return _page(request, request.site, UploadForm())


@requires(Permission.IMPORT_DATA)
@require_POST
def upload(request: SiteRequest) -> HttpResponse:
    """Keep the file, record the import and leave the rest to a worker."""
    site = request.site
    if site is None or not _may_import(request, site):
        raise PermissionDenied
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, site, form, status=422)
    batch = _request_import(request, site, form.cleaned_data, timezone.now())
    return redirect("data_import", batch.pk)


@requires(Permission.READ_ASSETS)
@require_safe
def import_detail(request: SiteRequest, pk: int) -> HttpResponse:
    batch = _batch(request, pk)
    refused = RejectedRow.objects.for_user(request.user).filter(batch=batch)
    context = {
        "import_row": queries.import_row(batch),
        "batch": batch,
        "table_word": TABLE_WORDS.get(batch.table, batch.table),
        "page": Paginator(refused, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "may_retry": _header(batch) is not None,
        "table_id": "refused-rows",
    }
    part = "#state" if request.htmx and request.GET.get("part") == "state" else ""
    return render(request, f"data/import.html{part}", context)


@requires(Permission.READ_ASSETS)
@require_safe
def import_errors(request: SiteRequest, pk: int) -> HttpResponse:
    """The refused rows with their reasons; ?as=retry gives the lines alone, under their header."""
    batch = _batch(request, pk)
    refused = RejectedRow.objects.for_user(request.user).filter(batch=batch)
    if request.GET.get("as") == "retry":
        return _retry(batch, list(refused.order_by("row").values_list("row", "raw")))
    return csv_download(
        filename=f"refused-{batch.pk}.csv",
        head=[_("row"), _("field"), _("reason"), _("row as it came")],
        rows=refused.values_list("row", "field", "reason", "raw"),
    )


@requires(Permission.READ_ASSETS)
@require_safe
def template(_request: SiteRequest, name: str) -> HttpResponse:
    if name not in mappings.TABLE_NAMES:
        raise Http404
    response = HttpResponse(templates.template(name), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _page(request: SiteRequest, site: Site, form: UploadForm, *, status: int = 200) -> HttpResponse:
    context = {
        **_imports(request, site),
        **_freshness(request, site),
        "form": form,
        "may_import": _may_import(request, site),
        "tables": TABLE_WORDS.items(),
    }
    part = "#assets" if request.htmx and not request.htmx.boosted else ""
    return render(request, f"data/list.html{part}", context, status=status)


def _imports(request: SiteRequest, site: Site) -> dict[str, Any]:
    """Machines send all day: only what holds rows that were not taken is listed of theirs."""
    batches = Import.objects.for_user(request.user).of_site(site).select_related("operation", "by")
    listed = batches.exclude(door__in=MACHINES, refused=0, dead_lettered=0)
    page = Paginator(listed, IMPORTS_A_PAGE).get_page(request.GET.get("imports"))
    rows = [queries.import_row(batch) for batch in page]
    return {
        "import_page": page,
        "imports": [(row, TABLE_WORDS.get(row.batch.table, row.batch.table)) for row in rows],
        "first_commands": FIRST_COMMANDS,
        "imports_open": any(row.is_open for row in rows),
        "now": timezone.now(),
    }


def _freshness(request: SiteRequest, site: Site) -> dict[str, Any]:
    """Of the whole site, the most silent first; of a large one, page by page."""
    now = timezone.now()
    assets = Asset.objects.for_user(request.user).of_site(site).in_service(at=now)
    points = MeasurementPoint.objects.for_user(request.user).of_site(site)
    wanted = request.GET.get("page")
    if points.count() > queries.MOST_POINTS:
        page = Paginator(assets, ASSETS_A_PAGE).get_page(wanted)
        on_page = assets.filter(pk__in=[asset.pk for asset in page])
        rows = queries.freshness(on_page, points, now=now)
        return {"page": page, "rows": rows, "now": now, "table_id": "freshness"}
    found = queries.freshness(assets, points, now=now)
    page_of_all = Paginator(found, ASSETS_A_PAGE).get_page(wanted)
    return {
        "page": page_of_all,
        "rows": list(page_of_all),
        "states": dict(Counter(row.state for row in found)),
        "now": now,
        "table_id": "freshness",
    }


def _request_import(
    request: SiteRequest, site: Site, given: dict[str, Any], now: dt.datetime
) -> Import:
    path = _spooled(given["file"], site)
    with transaction.atomic():
        batch = ingest.open_batch(
            site=site,
            door=ImportDoor.UPLOAD,
            table=given["table"],
            file_name=given["file"].name or "",
            mapping=given["mapping"],
            dry_run=given["dry_run"],
            by=request.user,
            now=now,
        )
        arguments = {"import_id": batch.pk, "path": path, "language": get_language() or "en"}
        batch.operation = tasks.request_import(
            site=site, by=request.user, now=now, arguments=arguments
        )
        batch.save(update_fields=["operation"])
    return batch


def _spooled(file: UploadedFile[Any], site: Site) -> str:
    """Where below MEDIA_ROOT the upload waits; its name is ours, not the sender's."""
    name = f"{site.pk}/{secrets.token_hex(16)}.csv"
    path = Path(settings.MEDIA_ROOT) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as kept:
        for chunk in file.chunks():
            kept.write(chunk)
    return name


def _batch(request: SiteRequest, pk: int) -> Import:
    batches = Import.objects.for_user(request.user).select_related("operation", "by", "site")
    return get_object_or_404(batches, pk=pk)


def _may_import(request: SiteRequest, site: Site) -> bool:
    return Site.objects.for_user(request.user, Permission.IMPORT_DATA).contains(site)


def _header(batch: Import) -> str | None:
    """The first line of the upload, as long as it is kept: it is while rows are refused."""
    operation = batch.operation
    if operation is None or "path" not in operation.arguments:
        return None
    path = Path(settings.MEDIA_ROOT) / operation.arguments["path"]
    if path.suffix != ".csv" or not path.is_file():
        return None
    try:
        spec = mappings.load(batch.mapping).of_table(batch.table)
        return None if spec is None else delimited.header_line(path, spec.format)
    except mappings.MappingError:
        return None


def _retry(batch: Import, refused: list[tuple[int, str]]) -> HttpResponse:
    """A file to correct and send again: each refused line once, just as it came."""
    header = _header(batch)
    if header is None:
        raise Http404
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="retry-{batch.pk}.csv"'
    response.writelines(_lines(header, refused))
    return response


def _lines(header: str, refused: list[tuple[int, str]]) -> Iterator[str]:
    yield f"{header}\n"
    for raw in dict(refused).values():
        yield f"{raw}\n"
