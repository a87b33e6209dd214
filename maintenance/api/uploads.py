"""POST /api/v1/uploads: files of readings of any size, and what became of them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any
from zoneinfo import available_timezones

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from maintenance import tasks
from maintenance.api.schemas import Problem as ProblemOut
from maintenance.api.schemas import RefusedRowOut
from maintenance.api.tokens import Problem, one_more
from maintenance.choices import ImportDoor, ImportState, TokenScope
from maintenance.flow import ingest
from maintenance.models import ApiToken, Import, RejectedRow
from maintenance.sources import spool, uploads

FORMATS = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
ENDINGS = {"csv": "csv", "txt": "csv", "ndjson": "ndjson", "jsonl": "ndjson", "parquet": "parquet"}
DOORS = (ImportDoor.UPLOAD, ImportDoor.FOLDER)
PIECE_BYTES = 64 * 1024
NO_ROOM_SECONDS = 300
ERRORS_HEADER = ("row", "field", "reason", "raw")
_DATE_FORMAT = re.compile(r"epoch_s|epoch_ms|(?=.*%).{2,40}")

router = Router(tags=["readings"])


class Asked(Schema):
    """How a file is to be read; without a word, as its type and header say."""

    name: str = ""
    format: str = ""
    layout: str = "auto"
    time_zone: str = ""
    date_format: str = ""
    decimal_comma: bool = False
    again: bool = False


class UploadOut(Schema):
    """An upload and what became of its rows so far.

    `repeated`: the same upload was sent before; this is the record of then, and nothing changed.
    `errors` holds the first hundred refused rows, the file at `errors_url` up to ten thousand.
    """

    id: int
    state: str
    progress: float
    repeated: bool = False
    file_name: str
    received: int
    new: int
    duplicate: int
    refused: int
    error: str
    recorded_at: dt.datetime
    finished_at: dt.datetime | None
    errors: list[RefusedRowOut]
    url: str
    errors_url: str


_REFUSED: dict[int, Any] = dict.fromkeys((401, 403, 408, 411, 413, 415, 422, 429, 503), ProblemOut)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DESCRIPTION = """CSV, NDJSON or Parquet, plain or gzip, of up to VIGIA_MAX_UPLOAD_MB unpacked.

The table is long (`asset, point, at, value`) or wide (`asset, at`, and a column for each point).
The answer comes when the file is safe on disk; a worker then stores its readings. Bad rows are
refused by number and the others are stored. The same file sent again changes nothing: the answer
is 200, with `repeated`. `again=true` takes it once more, after missing points were made say."""


@router.post(
    "",
    response={202: UploadOut, 200: UploadOut, **_REFUSED},
    operation_id="send_file",
    url_name="send_file",
    summary="Send a file of readings",
    description=_DESCRIPTION,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "asset,point,at,value\nP-101,vibration,2026-01-31T23:59:00Z,2.4\n",
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": _BINARY,
            },
        }
    },
)
def send(request: HttpRequest, asked: Annotated[Asked, Query()]) -> Status[UploadOut]:
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    if not token.allows(TokenScope.WRITE_READINGS):
        wanted = TokenScope.WRITE_READINGS.value
        raise Problem(403, "wrong_scope", f"The token does not have the scope {wanted}.")
    now = timezone.now()
    how = _how(request, asked)
    with one_more(token):
        spooled = _spooled(request)
    with spooled:
        how = _as_it_is(spooled, how)
        batch, known = tasks.request_upload(
            site=token.site,
            door=ImportDoor.UPLOAD,
            spooled=spooled,
            how=how,
            file_name=asked.name or f"upload.{how.format}",
            sender=f"token {token.pk}",
            token=token,
            again=asked.again,
            now=now,
        )
    spool.forget(now=now)
    return Status(200 if known else 202, _out(request, batch, repeated=known))


@router.get(
    "/{int:upload_id}",
    response={200: UploadOut, 404: ProblemOut, 401: ProblemOut, 403: ProblemOut},
    operation_id="upload_state",
    url_name="upload_state",
    summary="The state of an upload",
)
def state(request: HttpRequest, upload_id: int) -> UploadOut:
    """How far it is, and what became of its rows so far."""
    return _out(request, _upload(request, upload_id))


@router.get(
    "/{int:upload_id}/errors.csv",
    response={200: str, 404: ProblemOut, 401: ProblemOut, 403: ProblemOut},
    operation_id="upload_errors",
    url_name="upload_errors",
    summary="The refused rows of an upload, as CSV",
)
def errors(request: HttpRequest, upload_id: int) -> StreamingHttpResponse:
    """Row number, field, reason and the row as it came, of the first ten thousand."""
    batch = _upload(request, upload_id)
    rows = RejectedRow.objects.filter(batch=batch).order_by("row", "pk")
    told = rows.values_list("row", "field", "reason", "raw")
    response = StreamingHttpResponse(_csv(told.iterator()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="upload-{batch.pk}.errors.csv"'
    return response


def _csv(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(ERRORS_HEADER)
    for row in rows:
        writer.writerow(row)
        if line.tell() > spool.CHUNK_BYTES:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def _upload(request: HttpRequest, upload_id: int) -> Import:
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    known = Import.objects.of_site(token.site).filter(door__in=DOORS)
    found = known.select_related("operation").filter(pk=upload_id).first()
    if found is None:
        raise Problem(404, "no_upload", "The site has no upload of that number.")
    return found


def _how(request: HttpRequest, asked: Asked) -> uploads.HowToRead:
    """Refuses what makes no sense before a byte is read. Raises Problem."""
    kind = asked.format or FORMATS.get(request.content_type or "", "")
    kind = kind or ENDINGS.get(asked.name.removesuffix(".gz").rpartition(".")[2].lower(), "")
    if kind not in uploads.FORMATS:
        types = ", ".join(FORMATS)
        raise Problem(415, "wrong_type", f"Say which: Content-Type of {types}, or ?format=csv.")
    if asked.layout not in uploads.LAYOUTS:
        raise Problem(422, "wrong_parameter", "layout is none of auto, long and wide.")
    if asked.time_zone and asked.time_zone not in available_timezones():
        raise Problem(422, "wrong_parameter", "time_zone is none such as Europe/Madrid.")
    if asked.date_format and not _DATE_FORMAT.fullmatch(asked.date_format):
        words = "date_format is neither epoch_s nor epoch_ms nor a pattern such as %d/%m/%Y %H:%M."
        raise Problem(422, "wrong_parameter", words)
    if problem := ingest.text_problem(asked.name, 255):
        raise Problem(422, "wrong_parameter", f"name {problem}.")
    packing = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip"):
        raise Problem(415, "wrong_encoding", "Send Content-Encoding: gzip, or none.")
    return uploads.HowToRead(
        format=kind,
        layout=asked.layout,
        time_zone=asked.time_zone,
        date_format=asked.date_format,
        decimal_comma=asked.decimal_comma,
    )


def _as_it_is(spooled: spool.Spooled, how: uploads.HowToRead) -> uploads.HowToRead:
    if not spooled.size:
        raise Problem(422, "empty", "The file is empty.")
    try:
        return how.of(spooled)
    except spool.NotParquetError:
        words = "The file is no Parquet, or it is cut off."
        raise Problem(422, "broken_parquet", words) from None


def _spooled(request: HttpRequest) -> spool.Spooled:
    """The body on disk. Raises Problem."""
    body = _Body(request, _length(request))
    try:
        with body.watched():
            return spool.keep(body.read, most_bytes=settings.MAX_UPLOAD_BYTES)
    except spool.TooLargeError:
        raise _too_large() from None
    except spool.BrokenGzipError as error:
        raise Problem(422, "broken_gzip", f"The packed body is damaged: {error}.") from None
    except UnreadablePostError:
        raise Problem(422, "broken_body", "The request ended before its body did.") from None
    except OSError as error:
        words = f"The file cannot be kept now: {error.strerror}."
        raise Problem(503, "disk_full", words, retry_after=NO_ROOM_SECONDS) from None


def _length(request: HttpRequest) -> int | None:
    """The length of the body; None where it comes in chunks that tell their end."""
    told = request.META.get("CONTENT_LENGTH") or ""
    if told.isdecimal():
        if int(told) > settings.MAX_UPLOAD_BYTES:
            raise _too_large()
        return int(told)
    if request.META.get("wsgi.input_terminated"):
        return None
    raise Problem(411, "no_length", "Send Content-Length, or Transfer-Encoding: chunked.")


class _Body:
    """The body as it comes. One that ends early is an error, not a shorter file."""

    def __init__(self, request: HttpRequest, length: int | None) -> None:
        self._left = length
        # Django reads no further than Content-Length says, which a body in chunks has not.
        self._stream: Any = request if length is not None else request.META["wsgi.input"]
        self._wire: socket.socket | None = request.META.get("gunicorn.socket")
        self._pieces = 0
        self._is_late = threading.Event()
        self._is_over = threading.Event()

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(min(size, PIECE_BYTES))
        except OSError as error:
            data, broken = b"", str(error)
        else:
            broken = ""
        if self._is_late.is_set():
            seconds = settings.SLOWEST_BODY_SECONDS
            raise Problem(408, "too_slow", f"{PIECE_BYTES} bytes took more than {seconds} s.")
        self._pieces += 1
        if self._left is not None:
            self._left -= len(data)
        if broken or (not data and self._left):
            raise UnreadablePostError(broken)
        return data

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Each piece must come in time: a client that sends nothing holds a thread meanwhile."""
        if self._wire is None:
            yield
            return
        watch = threading.Thread(target=self._watch, args=[self._wire], daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._is_over.set()
            watch.join()

    def _watch(self, wire: socket.socket) -> None:
        pieces = -1
        while not self._is_over.wait(settings.SLOWEST_BODY_SECONDS):
            if self._pieces == pieces:
                self._is_late.set()
                with suppress(OSError):
                    wire.shutdown(socket.SHUT_RD)
                return
            pieces = self._pieces


def _too_large() -> Problem:
    most = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
    return Problem(413, "too_large", f"The file is larger than {most} MB: send it in parts.")


def _out(request: HttpRequest, batch: Import, *, repeated: bool = False) -> UploadOut:
    rows = batch.rejected_rows.all()[:100]
    root = request.path[: request.path.index("/uploads")]
    url = request.build_absolute_uri(f"{root}/uploads/{batch.pk}")
    return UploadOut(
        id=batch.pk,
        state=_state(batch),
        progress=_progress(batch),
        repeated=repeated,
        file_name=batch.file_name,
        received=batch.received,
        new=batch.new,
        duplicate=batch.duplicate,
        refused=batch.refused,
        error=batch.error or (batch.operation.error if batch.operation else ""),
        recorded_at=batch.recorded_at,
        finished_at=batch.finished_at,
        errors=[RefusedRowOut(row=row.row, field=row.field, reason=row.reason) for row in rows],
        url=url,
        errors_url=f"{url}/errors.csv",
    )


def _state(batch: Import) -> str:
    """queued, running, done, failed or cancelled."""
    if batch.state != ImportState.RUNNING or batch.operation is None:
        return batch.state
    return batch.operation.state


def _progress(batch: Import) -> float:
    operation = batch.operation
    if batch.state == ImportState.DONE:
        return 1.0
    if operation is None or not operation.progress_total:
        return 0.0
    return operation.progress_done / operation.progress_total
