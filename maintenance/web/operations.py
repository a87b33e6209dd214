"""Long work: how far it is, and stopping it."""

from __future__ import annotations

import json

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from maintenance import operations
from maintenance.access import SiteRequest, signed_in
from maintenance.models import Operation, Site
from maintenance.queries import operations as queries
from maintenance.web.asked import back

FRAGMENT = "operations/operation.html#progress"


@signed_in
@require_safe
@never_cache
def operation(request: SiteRequest, pk: int) -> HttpResponse:
    """A page; for htmx the line of progress that asks again; for scripts JSON."""
    found = get_object_or_404(Operation.objects.for_user(request.user), pk=pk)
    progress = queries.progress(found, now=timezone.now())
    if request.accepts("text/html"):
        return _drawn(request, progress)
    return JsonResponse(
        {
            "id": found.pk,
            "kind": found.kind,
            "state": found.state,
            "done": found.progress_done,
            "total": found.progress_total,
            "words": progress.words,
            "error": found.error,
            "result": found.result,
        }
    )


@signed_in
@require_POST
def cancel(request: SiteRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Operation.objects.for_user(request.user), pk=pk)
    if not _may_cancel(request, found):
        raise PermissionDenied
    stopped = operations.cancel(operation=found, by=request.user, now=timezone.now())
    found.refresh_from_db()
    if request.htmx:
        return _drawn(request, queries.progress(found, now=timezone.now()))
    if stopped:
        messages.success(request, _("It was stopped."))
    else:
        messages.info(request, _("It had ended already."))
    return back(request, "operation", found.pk)


def _drawn(request: SiteRequest, progress: queries.Progress) -> HttpResponse:
    found = progress.operation
    context = {
        "progress": progress,
        "operation": found,
        "may_cancel": found.is_open and _may_cancel(request, found),
        "outcome": queries.outcome(found) if progress.finished else None,
    }
    response = render(request, FRAGMENT if request.htmx else "operations/operation.html", context)
    if request.htmx and progress.finished:
        told = {"kind": found.kind, "state": found.state, "operation": found.pk}
        response["HX-Trigger"] = json.dumps({"vigia:operation": told})
    return response


def _may_cancel(request: SiteRequest, found: Operation) -> bool:
    if found.requested_by_id == request.user.pk:
        return True
    permission = queries.MAY_CANCEL[found.kind]
    return Site.objects.for_user(request.user, permission).contains(found.site)
