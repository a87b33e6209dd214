"""Readings from any door: points found by name, values and instants checked, the rest stored."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from django.db import connection
from django.utils.translation import gettext as _

from maintenance.flow.ingest import arrivals
from maintenance.flow.ingest.columns import (
    PLAIN,
    Floats,
    Ints,
    Problems,
    Reading,
    Texts,
    implausible,
    instants,
    numbers,
    text_problem,
)
from maintenance.flow.ingest.refusals import Outcome, RowError, storable
from maintenance.flow.ingest.upsert import Names
from maintenance.models import Asset, Site

LONGEST_NAME = 120
_NAMES_A_QUERY = 500
_UNKNOWN = -1
_NONE: Mapping[str, int] = {}


@dataclass(frozen=True)
class Signal:
    """Values of a block: all of one point (a wide table), or each of the point it names."""

    point: str | Texts
    values: Texts | Floats
    field: str = "value"


@dataclass(frozen=True)
class ReadingLines:
    """A block of lines. An empty value of a wide table is no reading; of a long one, a mistake."""

    rows: Sequence[int] | Ints
    assets: Texts
    at: Texts
    signals: Sequence[Signal]
    raw: Callable[[int], str]
    reading: Reading = PLAIN


@dataclass(frozen=True)
class Series:
    """Readings of one point as arrays, for what is computed rather than read from a file."""

    asset: str
    point: str
    at_us: Ints
    values: Floats


@dataclass(frozen=True)
class Found:
    """Readings that may be stored, beside what is wrong with the others."""

    point_ids: Ints
    at_us: Ints
    values: Floats
    received: int
    errors: list[RowError]

    @classmethod
    def nothing(cls, received: int = 0, errors: Sequence[RowError] = ()) -> Found:
        """So many rows came, and none of them is a reading."""
        none = np.empty(0, np.int64)
        return cls(none, none, np.empty(0, np.float64), received, list(errors))

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        return cls(
            np.concatenate([part.point_ids for part in parts]),
            np.concatenate([part.at_us for part in parts]),
            np.concatenate([part.values for part in parts]),
            received=sum(part.received for part in parts),
            errors=[error for part in parts for error in part.errors],
        )


def take_readings(*, site: Site, lines: ReadingLines, now: dt.datetime) -> Outcome:
    """Store what a door was told, line by line; each refused line is named once a bad field."""
    points = Points(site)
    points.load(_dictionary(lines.assets)[0])
    return take_found(found_in(lines, points=points, now=now), now=now)


def found_in(lines: ReadingLines, *, points: Points, now: dt.datetime) -> Found:
    """What a door was told, checked and not yet stored. `points` must be loaded."""
    at_us, wrong_at = _instants(lines, now)
    lines_refused: dict[int, RowError] = {
        i: _error(lines, i, "at", reason) for i, reason in wrong_at.items()
    }
    found = [_of_signal(lines, signal, at_us, points, lines_refused) for signal in lines.signals]
    errors = [*lines_refused.values(), *(error for part in found for error in part.errors)]
    return replace(Found.joined(found), errors=sorted(errors, key=lambda error: error.row or 0))


def take_found(found: Found, *, now: dt.datetime) -> Outcome:
    """Store what was found right; call it inside the transaction that counts it."""
    return _stored(
        found.point_ids,
        found.at_us,
        found.values,
        now=now,
        received=found.received,
        errors=found.errors,
    )


def take_series(*, site: Site, series: Iterable[Series], now: dt.datetime) -> Outcome:
    """Store whole series; each reading counts as a row, numbered from 1 in the order given."""
    given = list(series)
    points = Points(site)
    points.load(one.asset for one in given)
    ids, at_us, values, errors, received = [], [], [], [], 0
    for one in given:
        point_id, field, reason = points.find(one.asset, one.point)
        wrong = dict.fromkeys(range(len(one.at_us)), (field, reason)) if reason else {}
        wrong |= {i: ("at", why) for i, why in implausible(one.at_us, now=now).items()}
        unreal = np.flatnonzero(~np.isfinite(one.values))
        wrong |= {int(i): ("value", _("is not a finite number")) for i in unreal}
        keep = np.ones(len(one.at_us), bool)
        keep[list(wrong)] = False
        ids.append(np.full(int(keep.sum()), point_id, np.int64))
        at_us.append(one.at_us[keep])
        values.append(one.values[keep])
        errors += [
            RowError(received + i + 1, field, why, f"{one.asset} {one.point} {one.at_us[i]}")
            for i, (field, why) in sorted(wrong.items())
        ]
        received += len(one.at_us)
    if not given:
        return Outcome()
    return _stored(
        np.concatenate(ids),
        np.concatenate(at_us),
        np.concatenate(values),
        now=now,
        received=received,
        errors=errors,
    )


def _stored(
    ids: Ints,
    at_us: Ints,
    values: Floats,
    *,
    now: dt.datetime,
    received: int,
    errors: list[RowError],
) -> Outcome:
    appended = arrivals.append(ids, at_us, values, now=now)
    return Outcome(
        received=received,
        new=appended.new,
        duplicate=appended.duplicate,
        refused=received - len(values),
        errors=tuple(errors),
    )


def _instants(lines: ReadingLines, now: dt.datetime) -> tuple[Ints, Problems]:
    at_us, wrong = instants(lines.at, reading=lines.reading)
    return at_us, {**implausible(at_us, now=now), **wrong}


def _of_signal(
    lines: ReadingLines,
    signal: Signal,
    at_us: Ints,
    points: Points,
    lines_refused: dict[int, RowError],
) -> Found:
    """A line that is refused for its instant or asset is refused whole, and named once."""
    values, wrong_values, given = _values(signal, lines.reading)
    ids, wrong_names = _point_ids(lines, signal, points)
    for i, (field, reason) in wrong_names.items():
        if field == "asset" and given[i]:
            lines_refused.setdefault(i, _error(lines, i, field, reason))
    keep = given.copy()
    keep[list(lines_refused)] = False
    errors = []
    wrong = {**wrong_names, **{i: (signal.field, why) for i, why in wrong_values.items()}}
    for i, (field, reason) in sorted(wrong.items()):
        if keep[i]:
            errors.append(_error(lines, i, field, reason))
            keep[i] = False
    return Found(ids[keep], at_us[keep], values[keep], int(given.sum()), errors)


def _values(signal: Signal, reading: Reading) -> tuple[Floats, Problems, np.ndarray]:
    """Values, what is wrong with some, and which are given at all."""
    if isinstance(signal.values, np.ndarray):
        unreal = np.flatnonzero(~np.isfinite(signal.values))
        wrong = {int(i): _("is not a finite number") for i in unreal}
        return signal.values, wrong, np.ones(len(signal.values), bool)
    values, wrong = numbers(signal.values, reading=reading)
    given = np.ones(len(values), bool)
    if isinstance(signal.point, str):
        empty = [i for i in wrong if not signal.values[i].as_py().strip()]
        given[empty] = False
        wrong = {i: reason for i, reason in wrong.items() if given[i]}
    return values, wrong, given


def _point_ids(
    lines: ReadingLines, signal: Signal, points: Points
) -> tuple[Ints, dict[int, tuple[str, str]]]:
    """The point of each line; each pair of names is looked up once."""
    assets, which_asset = _dictionary(lines.assets)
    if isinstance(signal.point, str):
        codes, which_code = [signal.point], np.zeros(len(which_asset), np.int64)
    else:
        codes, which_code = _dictionary(signal.point)
    pairs = which_asset * max(1, len(codes)) + which_code
    unique, which = np.unique(pairs, return_inverse=True)
    found = [points.find(assets[p // len(codes)], codes[p % len(codes)]) for p in unique]
    ids = np.array([point_id for point_id, _field, _why in found] or [_UNKNOWN], np.int64)
    wrong = {
        int(i): (found[which[i]][1], found[which[i]][2])
        for i in np.flatnonzero(ids[which] == _UNKNOWN)
    }
    return ids[which], wrong


def _dictionary(column: Texts) -> tuple[list[str], Ints]:
    """The distinct trimmed texts of a column, and which of them each line holds."""
    encoded = column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = [name.strip() for name in encoded.dictionary.to_pylist()]
    return names, encoded.indices.to_numpy().astype(np.int64)


def _error(lines: ReadingLines, i: int, field: str, reason: str) -> RowError:
    return RowError(int(lines.rows[i]), field, reason, storable(lines.raw(i)))


_NAMED = """
SELECT asset.code, asset.external_id,
       {as_json}(point.code, point.id) FILTER (WHERE point.id IS NOT NULL){text},
       {as_json}(point.external_id, point.id) FILTER (WHERE point.external_id <> ''){text}
FROM maintenance_asset AS asset
LEFT JOIN maintenance_measurementpoint AS point ON point.asset_id = asset.id
WHERE asset.site_id = %s AND (asset.code {among} OR asset.external_id {among})
GROUP BY asset.id, asset.code, asset.external_id
"""
_NAMED_POSTGRESQL = _NAMED.format(as_json="json_object_agg", text="::text", among="= ANY(%s)")
_NAMED_SQLITE = _NAMED.format(
    as_json="json_group_object", text="", among="IN (SELECT value FROM json_each(%s))"
)


def _named(site: Site, names: list[str]) -> list[tuple[str, str, str | None, str | None]]:
    """Code and external id of each asset, and its points by code and by external id, as JSON.

    A row of text an asset: as a row a point, it would cost as much as to read the request.
    """
    postgresql = connection.vendor == "postgresql"
    wanted = names if postgresql else json.dumps(names)
    with connection.cursor() as cursor:
        statement = _NAMED_POSTGRESQL if postgresql else _NAMED_SQLITE
        cursor.execute(statement, [site.pk, wanted, wanted])
        found: list[tuple[str, str, str | None, str | None]] = cursor.fetchall()
    return found


def _decoded(points: str | None) -> dict[str, int]:
    return msgspec.json.decode(points, type=dict[str, int]) if points else {}


class Points:
    """The points of the assets that a batch names, by code or external id."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._points: dict[str, dict[str, int]] = {}
        self._by_external_id: dict[str, dict[str, int]] = {}
        self._loaded: set[str] = set()
        self._names = Names()

    def load(self, assets: Iterable[str]) -> None:
        """Look up the assets of these names that were not looked up before."""
        wanted = {name.strip() for name in assets} - self._loaded
        self._loaded |= wanted
        names = sorted(name for name in wanted if not text_problem(name, LONGEST_NAME))
        for start in range(0, len(names), _NAMES_A_QUERY):
            self._load(names[start : start + _NAMES_A_QUERY])

    def _load(self, names: list[str]) -> None:
        for asset, external_id, points, others in _named(self._site, names):
            of_asset = {**_decoded(others), **_decoded(points)}
            self._points[asset] = of_asset
            if external_id:
                self._by_external_id[external_id] = of_asset

    def of(self, asset: str) -> Mapping[str, int]:
        """The points of an asset by name; of an unknown one, none."""
        return self._points.get(asset) or self._by_external_id.get(asset) or _NONE

    def find(self, asset: str, point: str) -> tuple[int, str, str]:
        """The point's id; or none, with the field that is wrong and why."""
        for field, name in (("asset", asset), ("point", point)):
            problem = text_problem(name, LONGEST_NAME) if name else _("is missing")
            if problem:
                return _UNKNOWN, field, problem
        of_asset = self._points.get(asset, self._by_external_id.get(asset))
        if of_asset is None:
            return _UNKNOWN, "asset", self._names.unknown(asset, self._all_assets)
        found = of_asset.get(point)
        if found is None:
            return _UNKNOWN, "point", self._names.unknown(point, lambda: of_asset)
        return found, "", ""

    def _all_assets(self) -> list[str]:
        return list(Asset.objects.of_site(self._site).values_list("code", flat=True))
