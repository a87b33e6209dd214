"""The endpoints that read, and the description of all of them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from ninja import NinjaAPI, Query
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.docs import DocsBase
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.security import HttpBearer
from pydantic import AwareDatetime

from maintenance.access import by_token, public, signed_in
from maintenance.api import asked, describe, given, outages, readings, uploads
from maintenance.api.bodies import json_body, too_large
from maintenance.api.schemas import (
    AskForecast,
    AssetOut,
    AssetPage,
    ForecastNowOut,
    ForecastOut,
    GivenOut,
    ImportOut,
    Problem,
    ScheduleOut,
    TracedForecastOut,
    WorkOrderPage,
)
from maintenance.api.tokens import Problem as Refusal
from maintenance.api.tokens import token_of
from maintenance.choices import TokenScope, WorkOrderState
from maintenance.models import ApiToken, Asset, Forecast, Import, Schedule, Site, WorkOrder
from maintenance.queries import readings as readings_of

log = structlog.get_logger(__name__)

MOST_ITEMS = 500
MOST_REFUSED_ROWS = 1000
_MARKS = {"openapi-json": public, "openapi-view": signed_in, "api-root": public}

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class ByToken(HttpBearer):
    """A token of the header with one of the scopes."""

    def __init__(self, *scopes: TokenScope) -> None:
        super().__init__()
        self._scopes = scopes

    def __call__(self, request: HttpRequest) -> ApiToken:
        return token_of(request, self._scopes, timezone.now())

    def authenticate(self, request: HttpRequest, _token: str) -> ApiToken:
        return self(request)


class Bodies(Parser):
    """Bodies are read as those of readings are: the same limits, the same refusals."""

    def parse_body(self, request: HttpRequest) -> Any:
        return json.loads(json_body(request))


class DocsPage(DocsBase):
    """The description as a page of our own: it needs no script and nothing from elsewhere."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        schema = api.get_openapi_schema()
        context = {"endpoints": describe.endpoints(schema), "api": api}
        return render(request, "api/docs.html", context)


class Api(NinjaAPI):
    """Every generated route carries a mark of `maintenance.access`, as all views do.

    `urls` puts it on the callback of each pattern (`pattern.callback.access`): "token", but for
    the description ("public") and its page ("signed-in").
    """

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        patterns, application, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                mark = _MARKS.get(pattern.name or "", by_token)
                pattern.callback = mark(pattern.callback)
        return patterns, application, namespace

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**kwargs)
        describe.describe_readings(schema, self.get_root_path({}))
        return schema


api = Api(
    title="Vigía",
    version="1",
    urls_namespace="api",
    docs=DocsPage(),
    parser=Bodies(),
    description="Send readings; read assets, forecasts, work orders and the schedule.",
)

_ASSETS = ByToken(TokenScope.READ_ASSETS)
_WORK = ByToken(TokenScope.READ_WORK)
_IMPORTS = ByToken(TokenScope.WRITE_READINGS, TokenScope.READ_READINGS, TokenScope.READ_ASSETS)
_REFUSED: dict[int, Any] = {401: Problem, 403: Problem, 422: Problem}
_BODY_REFUSED: dict[int, Any] = {413: Problem, 415: Problem}


_UPLOADS = ByToken(TokenScope.WRITE_READINGS, TokenScope.READ_READINGS)
api.add_router("/uploads", uploads.router, auth=_UPLOADS)


@api.exception_handler(Refusal)
def _refused(_request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return refusal.response()


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _unserved(_request: HttpRequest, error: OperationalError | InterfaceError) -> HttpResponse:
    log.warning("database_unavailable", error=str(error))
    return outages.of(error).response()


@api.exception_handler(AuthenticationError)
def _unknown(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return Refusal(401, "no_token", "Send the header Authorization: Bearer vg_…").response()


@api.exception_handler(HttpError)
def _unreadable(_request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja wraps whatever the parser of bodies raises."""
    refusal = error.__cause__
    if not isinstance(refusal, Refusal):
        refusal = Refusal(422, "malformed_json", f"The body is not JSON: {refusal}"[:240])
    return refusal.response()


@api.exception_handler(RequestDataTooBig)
def _too_large(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return too_large(settings.MAX_BODY_BYTES).response()


@api.exception_handler(ValidationError)
def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    words = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors)
    return Refusal(422, "wrong_parameter", words).response()


def _token(request: HttpRequest) -> ApiToken:
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    return token


def _site(request: HttpRequest) -> Site:
    return _token(request).site


@api.get("/assets", auth=_ASSETS, response={200: AssetPage, **_REFUSED}, tags=["assets"])
def assets(request: HttpRequest, limit: Limit = 100, offset: Offset = 0) -> AssetPage:
    """Assets of the site, by code."""
    found = Asset.objects.of_site(_site(request)).select_related("asset_class", "location")
    page = found.order_by("code")[offset : offset + limit]
    return AssetPage(count=found.count(), items=[_asset(asset) for asset in page])


def _asset(asset: Asset) -> AssetOut:
    return AssetOut(
        code=asset.code,
        name=asset.name,
        external_id=asset.external_id,
        asset_class=asset.asset_class.code,
        location=asset.location.code if asset.location else None,
        criticality=asset.criticality,
        commissioned_at=asset.commissioned_at,
        retired_at=asset.retired_at,
        attributes=asset.attributes,
    )


@api.get(
    "/assets/{path:code}/forecasts",
    auth=_ASSETS,
    response={200: list[ForecastOut], 404: Problem, **_REFUSED},
    tags=["assets"],
)
def forecasts(request: HttpRequest, code: str) -> Any:
    """The latest forecast of each failure mode of an asset."""
    asset = Asset.objects.of_site(_site(request)).filter(code=code).first()
    if asset is None:
        raise Refusal(404, "no_asset", "The site has no asset of that code.")
    latest = Forecast.objects.filter(asset=asset).newest()
    return latest.select_related("failure_mode", "model_version").order_by("failure_mode__code")


@api.get(
    "/forecasts",
    auth=_ASSETS,
    response={200: list[TracedForecastOut], 404: Problem, **_REFUSED},
    tags=["forecasts"],
)
def latest_forecasts(request: HttpRequest, asset: str, failure_mode: str | None = None) -> Any:
    """The latest forecasts on record of an asset, with their reasons and what made them."""
    found = asked.asset_of(_site(request), asset)
    mode = asked.mode_of(found.asset_class, failure_mode)
    latest = Forecast.objects.filter(asset=found).newest()
    if mode is not None:
        latest = latest.filter(failure_mode=mode)
    whole = latest.select_related("asset", "failure_mode", "model_version")
    return whole.order_by("failure_mode__code")


@api.post(
    "/forecasts",
    auth=_ASSETS,
    response={
        200: list[ForecastNowOut],
        404: Problem,
        409: Problem,
        503: Problem,
        **_REFUSED,
        **_BODY_REFUSED,
    },
    tags=["forecasts"],
)
def forecast_now(request: HttpRequest, body: AskForecast) -> Any:
    """What the serving models say now, of an asset or of features that are given.

    Nothing is kept. A model that is promoted or rolled back answers from the next request on.
    """
    return asked.answer(_site(request), body, now=timezone.now())


@api.get("/work-orders", auth=_WORK, response={200: WorkOrderPage, **_REFUSED}, tags=["work"])
def work_orders(
    request: HttpRequest,
    state: WorkOrderState | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Any:
    """Work orders of the site, the newest first."""
    found = WorkOrder.objects.of_site(_site(request))
    if state is not None:
        found = found.filter(state=state)
    page = found.select_related("asset", "failure_mode", "job_plan").order_by("-number")
    return {"count": found.count(), "items": list(page[offset : offset + limit])}


@api.get(
    "/schedule", auth=_WORK, response={200: ScheduleOut, 404: Problem, **_REFUSED}, tags=["work"]
)
def schedule(request: HttpRequest) -> Any:
    """The published schedule: who does what, when."""
    published = Schedule.objects.of_site(_site(request)).published().select_related("site")
    assigned = "assignments__work_order__asset"
    found = published.prefetch_related(assigned, "assignments__technicians").first()
    if found is None:
        raise Refusal(404, "no_schedule", "No schedule is published.")
    return found


@api.post("/readings", auth=ByToken(TokenScope.WRITE_READINGS), tags=["readings"])
def send_readings(request: HttpRequest) -> HttpResponse:
    """Described in `describe`, from the types that the body is decoded by."""
    return readings.take(request, _token(request), now=timezone.now())


@api.get(
    "/readings",
    auth=ByToken(TokenScope.READ_READINGS),
    response={200: GivenOut, 404: Problem, **_REFUSED},
    tags=["readings"],
)
def read_readings(
    request: HttpRequest,
    asset: str,
    start: Annotated[AwareDatetime, Query(alias="from")],
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    point: Annotated[list[str], Query()] = [],  # noqa: B006  Read, never changed.
    max_points: Annotated[int | None, Query(ge=2, le=given.MOST_POINTS)] = None,
    method: readings_of.Method = "min_max",
    limit: Annotated[int, Query(ge=1, le=given.LONGEST_PAGE)] = 10_000,
    times: given.Times = "iso8601",
) -> HttpResponse:
    """Readings of an asset's points, from one instant to before another.

    With `max_points` each point has at most so many, chosen so that the line looks as that of all
    (`min_max` keeps every peak, `lttb` the shape). Without it all come, page by page: ask again
    with `from` as `next` says.
    """
    return given.give(
        _token(request),
        asset=asset,
        points=point,
        start=start,
        end=end,
        most=max_points,
        method=method,
        limit=limit,
        times=times,
        now=timezone.now(),
    )


@api.get(
    "/imports/{int:import_id}",
    auth=_IMPORTS,
    response={200: ImportOut, 404: Problem, **_REFUSED},
    tags=["readings"],
)
def import_state(
    request: HttpRequest,
    import_id: int,
    limit: Annotated[int, Query(ge=1, le=MOST_REFUSED_ROWS)] = 100,
    offset: Offset = 0,
) -> Any:
    """What became of a batch, and its refused rows, page by page."""
    batches = Import.objects.of_site(_site(request)).select_related("operation")
    found = batches.filter(pk=import_id).first()
    if found is None:
        raise Refusal(404, "no_import", "The site has no import of that number.")
    return ImportOut.of(found, limit=limit, offset=offset)
