"""The JSON that a machine sends, as columns: rows, or blocks of values of one asset.

Well-formed bodies are read whole columns at a time. Where something is not as it should be, each
reading is looked at by itself, so that what is wrong is named and the rest is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from django.utils.translation import gettext as _
from msgspec import UNSET, UnsetType

from maintenance.api.tokens import Problem
from maintenance.flow import ingest
from maintenance.flow.ingest import Floats, Ints

MOST_ROWS = 50_000
MOST_DIGITS = 400
"""Of a number without a point; one of more digits is beyond all numbers."""

# An instant without its offset is refused here: a machine can say which it means.
READING = ingest.Reading(zone=None)

At: TypeAlias = str | int | float
Times: TypeAlias = Literal["iso8601", "epoch_ms", "epoch_s"]
Wrong: TypeAlias = dict[int, tuple[str, str]]


class Reading(msgspec.Struct, gc=False):
    """One value of one measurement point."""

    asset: str
    point: str
    at: At
    value: float


class Columns(msgspec.Struct):
    """Values of one asset: of each point as many as there are instants; null is no reading."""

    asset: str
    at: list[At]
    values: dict[str, list[float | None]]


class Readings(msgspec.Struct):
    """Either rows or columns. `times` says how every `at` is written."""

    readings: list[Reading] | UnsetType = UNSET
    columns: list[Columns] | UnsetType = UNSET
    times: Times = "iso8601"


@dataclass(frozen=True)
class Told:
    """Readings of a request; `place` tells where a refused one stands in it."""

    lines: ingest.TypedLines
    place: Callable[[ingest.RowError], ingest.RowError] = field(default=lambda error: error)


def told_in(body: bytes) -> Told:
    """Raises Problem: 413 for too many rows, 422 for what is neither rows nor columns."""
    try:
        told = msgspec.json.decode(body, type=Readings)
        return _columns_told(told) if _by_columns(told.readings, told.columns) else _rows_told(told)
    except (msgspec.DecodeError, RecursionError, OverflowError, TypeError, pa.ArrowException):
        return _one_by_one(_object_in(body))


def _rows_told(told: Readings) -> Told:
    rows = told.readings or []
    _check_count(len(rows))
    at_us, wrong = _instants([row.at for row in rows], told.times)
    return Told(_lines(rows, at_us, {i: ("at", why) for i, why in wrong.items()}))


def _lines(rows: Sequence[Reading], at_us: Ints, wrong: Wrong) -> ingest.TypedLines:
    points = pa.array([row.point for row in rows], pa.string()).dictionary_encode()
    return ingest.TypedLines(
        rows=np.arange(1, len(rows) + 1),
        assets=pa.array([row.asset for row in rows], pa.string()).dictionary_encode(),
        at_us=at_us,
        signals=[
            ingest.TypedSignal(
                point=points, values=np.array([row.value for row in rows], np.float64)
            )
        ],
        raw=lambda i: _written(rows[i]),
        wrong=wrong,
    )


def _columns_told(told: Readings) -> Told:
    """A line a value, whose number is the place of its instant, counted through all blocks."""
    blocks = told.columns or []
    _check_lengths([(len(block.at), block.values) for block in blocks])
    flat = _Flat.of(blocks)
    at_us, wrong_at = _instants(flat.ats, told.times)
    wrong: Wrong = {}
    if wrong_at:
        bad = np.flatnonzero(np.isin(flat.instant, list(wrong_at)))
        wrong = {i: ("at", wrong_at[int(flat.instant[i])]) for i in bad.tolist()}
    lines = ingest.TypedLines(
        rows=np.arange(1, len(flat.values) + 1),
        assets=_coded(flat.column, flat.assets),
        at_us=at_us[flat.instant],
        signals=[ingest.TypedSignal(point=_coded(flat.column, flat.points), values=flat.values)],
        raw=lambda i: _written(flat.reading(i)),
        wrong=wrong,
    )
    return Told(lines, _placed(flat.instant + 1, lambda i: flat.points[int(flat.column[i])]))


@dataclass(frozen=True)
class _Flat:
    """Blocks laid end to end: each value with its column and the place of its instant."""

    assets: list[str]
    points: list[str]
    ats: list[At]
    values: Floats
    column: Ints
    instant: Ints

    @classmethod
    def of(cls, blocks: Sequence[Columns]) -> _Flat:
        named = [(block.asset, name) for block in blocks for name in block.values]
        cells = [cell for block in blocks for cell in block.values.values()]
        before = np.cumsum([0, *(len(block.at) for block in blocks)])
        first = np.repeat(before[:-1], [len(block.values) for block in blocks])
        lengths = np.array([len(cell) for cell in cells], np.int64)
        values = np.array(list(chain.from_iterable(cells)), np.float64)
        column = np.repeat(np.arange(len(cells)), lengths)
        instant = np.arange(len(values)) + np.repeat(first + lengths - np.cumsum(lengths), lengths)
        given = ~np.isnan(values)
        if not given.all():
            values, column, instant = values[given], column[given], instant[given]
        return cls(
            assets=[asset for asset, _name in named],
            points=[name for _asset, name in named],
            ats=[at for block in blocks for at in block.at],
            values=values,
            column=column,
            instant=instant,
        )

    def reading(self, i: int) -> Reading:
        column, at = int(self.column[i]), self.ats[int(self.instant[i])]
        return Reading(self.assets[column], self.points[column], at, float(self.values[i]))


def _coded(which: Ints, names: list[str]) -> pa.DictionaryArray:
    """A column of text, of which each line holds one of the names."""
    known = {name: i for i, name in enumerate(dict.fromkeys(names))}
    code = np.array([known[name] for name in names] or [0], np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(code[which], pa.int32()), pa.array(list(known), pa.string())
    )


def _placed(
    instants: Sequence[int] | Ints, name: Callable[[int], str]
) -> Callable[[ingest.RowError], ingest.RowError]:
    def place(error: ingest.RowError) -> ingest.RowError:
        if error.row is None:
            return error
        i = error.row - 1
        column = f"values.{name(i)}" if error.field == "value" else error.field
        return replace(error, row=int(instants[i]), field=column)

    return place


def _instants(ats: list[Any], times: Times) -> tuple[Ints, dict[int, str]]:
    """Each distinct text is read once: a gateway tells of many points at one instant.

    Raises TypeError where one is not written as declared.
    """
    if times != "iso8601":
        if not {int, float}.issuperset(map(type, ats)):
            raise TypeError("an instant is not a number")
        return ingest.counted(np.array(ats, np.float64), ingest.EPOCH_UNITS[times])
    told = pa.array(ats, pa.string()).dictionary_encode()
    which = told.indices.to_numpy()
    at_us, wrong = ingest.instants(told.dictionary, reading=READING)
    problems: dict[int, str] = {}
    if wrong:
        bad = np.flatnonzero(np.isin(which, list(wrong)))
        problems = {i: wrong[int(which[i])] for i in bad.tolist()}
    return at_us[which], problems


def _written(reading: Reading) -> str:
    return msgspec.json.encode(reading).decode()


def _object_in(body: bytes) -> dict[str, Any]:
    """The body, by a reader that lets values such as NaN through to be named."""
    try:
        told = json.loads(body, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise Problem(422, "malformed_json", f"The body is not JSON: {error}"[:240]) from None
    if not isinstance(told, dict):
        raise _malformed()
    return told


def _whole(digits: str) -> float:
    return int(digits) if len(digits) <= MOST_DIGITS else float("inf")


def _one_by_one(told: dict[str, Any]) -> Told:
    times = told.get("times", "iso8601")
    if times not in ("iso8601", *ingest.EPOCH_UNITS):
        raise Problem(422, "malformed", 'times is "iso8601", "epoch_ms" or "epoch_s".')
    rows, columns = told.get("readings", UNSET), told.get("columns", UNSET)
    if _by_columns(rows, columns):
        return _blocks_one_by_one(columns, times)
    if not isinstance(rows, list):
        raise _malformed()
    _check_count(len(rows))
    return Told(_checked(rows, times))


def _blocks_one_by_one(blocks: Any, times: Times) -> Told:
    if not isinstance(blocks, list) or not all(map(_is_block, blocks)):
        raise _malformed()
    _check_lengths([(len(block["at"]), block["values"]) for block in blocks])
    rows, instants, offset = [], [], 0
    for block in blocks:
        for name, column in block["values"].items():
            for i, value in enumerate(column):
                if value is not None:
                    row = {"asset": block.get("asset"), "point": name}
                    rows.append(row | {"at": block["at"][i], "value": value})
                    instants.append(offset + i + 1)
        offset += len(block["at"])
    return Told(_checked(rows, times), _placed(instants, lambda i: str(rows[i]["point"])))


def _is_block(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    at, values = block.get("at"), block.get("values")
    if not isinstance(at, list) or not isinstance(values, dict):
        return False
    return all(isinstance(column, list) for column in values.values())


def _checked(rows: list[Any], times: Times) -> ingest.TypedLines:
    """Rows of which some are wrong; what is wrong with a row is named once."""
    read, wrong = [], {}
    nothing = Reading("", "", "" if times == "iso8601" else 0, 0.0)
    for i, row in enumerate(rows):
        try:
            read.append(_reading(row, times))
        except ingest.Refused as refusal:
            wrong[i] = (refusal.field, refusal.reason)
            read.append(nothing)
    at_us, wrong_at = _instants([row.at for row in read], times)
    wrong = {**{i: ("at", why) for i, why in wrong_at.items()}, **wrong}
    return replace(
        _lines(read, at_us, wrong),
        raw=lambda i: ingest.storable(json.dumps(rows[i], ensure_ascii=False)),
    )


def _reading(told: Any, times: Times) -> Reading:
    if not isinstance(told, dict):
        raise ingest.Refused("row", _("is not an object"))
    return Reading(
        asset=_text("asset", told.get("asset")),
        point=_text("point", told.get("point")),
        at=_text("at", told.get("at")) if times == "iso8601" else _number("at", told.get("at")),
        value=_number("value", told.get("value")),
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ingest.Refused(name, _("is missing") if value is None else _("is not a text"))
    if problem := ingest.text_problem(value, ingest.LONGEST_NAME):
        raise ingest.Refused(name, problem)
    return value


def _number(name: str, value: Any) -> float:
    if value is None:
        raise ingest.Refused(name, _("is missing"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        words = {"value": ingest.storable(json.dumps(value)[:60])}
        raise ingest.Refused(name, _("%(value)s is not a number") % words)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not np.isfinite(number):
        raise ingest.Refused(name, _("is not a finite number"))
    return number


def _by_columns(rows: Any, columns: Any) -> bool:
    if (rows is UNSET) == (columns is UNSET):
        raise _malformed()
    return columns is not UNSET


def _check_count(count: int) -> None:
    if count > MOST_ROWS:
        raise Problem(413, "too_many_rows", f"Send at most {MOST_ROWS} readings: {count} came.")


def _check_lengths(blocks: Iterable[tuple[int, dict[str, list[Any]]]]) -> None:
    count = 0
    for number, (length, values) in enumerate(blocks):
        for name, column in values.items():
            count += len(column)
            if len(column) != length:
                words = f"has {len(column)} values for {length} instants"
                where = ingest.storable(f"columns[{number}].values.{name}", 160)
                raise Problem(422, "malformed", f"{where} {words}.")
    _check_count(count)


def _malformed() -> Problem:
    return Problem(
        422,
        "malformed",
        'Send {"readings": [{"asset": …, "point": …, "at": …, "value": …}, …]} or '
        '{"columns": [{"asset": …, "at": […], "values": {"POINT": […]}}, …]}.',
    )
