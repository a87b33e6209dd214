"""Readings of large files: typed columns become readings of points, whole columns at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from maintenance.choices import ImportDoor, ImportState
from maintenance.flow.ingest.batches import MOST_KEPT_ROWS, add_to_batch
from maintenance.flow.ingest.columns import DAY_US, Flags, Floats, Ints
from maintenance.flow.ingest.readings import Found, Points, ReadingLines, found_in, take_found
from maintenance.flow.ingest.refusals import Outcome, RowError, storable
from maintenance.instants import to_us
from maintenance.models import Import, Site, User
from maintenance.operations import Fence

_UNKNOWN = -1
_MOST_PAIRS = 4_000_000


@dataclass(frozen=True)
class TypedSignal:
    """Numbers of a block: all of one point (a wide table), or each of the point it names.

    Where a number is not given there is no reading. One that is given and not finite is refused.
    """

    point: str | pa.DictionaryArray
    values: Floats
    given: Flags | None = None
    field: str = "value"


@dataclass(frozen=True)
class TypedLines:
    """A block of lines whose columns could be read at once.

    `wrong` names lines that cannot be taken, by position: the field and why.
    """

    rows: Sequence[int] | Ints
    assets: pa.DictionaryArray
    at_us: Ints
    signals: Sequence[TypedSignal]
    raw: Callable[[int], str]
    wrong: Mapping[int, tuple[str, str]] = field(default_factory=dict)


class Finder:
    """Finds the points that the blocks of a file name; what it looked up once it remembers.

    `allowed` holds the points of a token that may not write others.
    """

    def __init__(
        self, site: Site, *, now: dt.datetime, allowed: frozenset[int] | None = None
    ) -> None:
        self._points = Points(site)
        self._latest_us = to_us(now) + DAY_US
        self._now = now
        self._allowed = None if allowed is None else np.array(sorted(allowed), np.int64)

    def in_text(self, lines: ReadingLines) -> Found:
        """Lines of which something cannot be read as its type: each bad field is named."""
        self._points.load(lines.assets.unique().to_pylist())
        return self._of_token(found_in(lines, points=self._points, now=self._now), lines)

    def in_columns(self, lines: TypedLines) -> Found:
        assets = [name.strip() for name in lines.assets.dictionary.to_pylist()]
        self._points.load(assets)
        which_asset = lines.assets.indices.to_numpy().astype(np.int64)
        wrong_lines = _Wrong(lines)
        wrong_lines.add_all(lines.wrong)
        wrong_lines.add(lines.at_us < 0, "at", _("before 1970"))
        ahead = _("in the future: more than a day after now")
        wrong_lines.add(lines.at_us > self._latest_us, "at", ahead)
        parts = [self._pairs(signal, assets, which_asset) for signal in lines.signals]
        for signal, (ids, whys) in zip(lines.signals, parts, strict=True):
            wrong_lines.add_named(ids, whys, "asset", signal.given)
        found = [
            self._of_signal(signal, lines, ids, whys, wrong_lines)
            for signal, (ids, whys) in zip(lines.signals, parts, strict=True)
        ]
        errors = [*wrong_lines.errors, *(error for part in found for error in part.errors)]
        joined = Found.joined(found)
        return Found(
            joined.point_ids,
            joined.at_us,
            joined.values,
            received=joined.received,
            errors=sorted(errors, key=lambda error: error.row or 0)[:MOST_KEPT_ROWS],
        )

    def _of_signal(
        self,
        signal: TypedSignal,
        lines: TypedLines,
        ids: Ints,
        whys: _Whys,
        wrong_lines: _Wrong,
    ) -> Found:
        count = len(ids) if signal.given is None else int(signal.given.sum())
        skipped = wrong_lines.flags
        if signal.given is not None:
            skipped = skipped | ~signal.given
        wrong = _Wrong(lines, skipped)
        wrong.add_named(ids, whys, "point")
        wrong.add(~np.isfinite(signal.values), signal.field, _("is not a finite number"))
        if self._allowed is not None:
            wrong.add(~_among(ids, self._allowed), "point", _not_of_token())
        if not wrong.any:
            return Found(ids, lines.at_us, signal.values, count, wrong.errors)
        keep = ~wrong.flags
        return Found(ids[keep], lines.at_us[keep], signal.values[keep], count, wrong.errors)

    def _pairs(
        self, signal: TypedSignal, assets: list[str], which_asset: Ints
    ) -> tuple[Ints, _Whys]:
        """The point of each line, or below zero why there is none; each pair is looked up once."""
        if isinstance(signal.point, str):
            codes, pairs = [signal.point], which_asset
        else:
            codes = [name.strip() for name in signal.point.dictionary.to_pylist()]
            pairs = which_asset * len(codes) + signal.point.indices.to_numpy()
        if len(assets) * len(codes) <= _MOST_PAIRS:
            seen = np.zeros(len(assets) * len(codes), bool)
            seen[pairs] = True
            present = np.flatnonzero(seen)
            table = np.zeros(len(seen), np.int64)
        else:
            present, pairs = np.unique(pairs, return_inverse=True)
            table = np.zeros(len(present), np.int64)
        whys: _Whys = []
        places = present if len(table) != len(present) else np.arange(len(present))
        known = [self._points.of(asset) for asset in assets]
        found = []
        for pair in present.tolist():
            asset, code = divmod(pair, len(codes))
            point_id = known[asset].get(codes[code])
            if point_id is None:
                _id, which, why = self._points.find(assets[asset], codes[code])
                whys.append((which, why))
                point_id = -len(whys)
            found.append(point_id)
        table[places] = found
        return table[pairs], whys

    def _of_token(self, found: Found, lines: ReadingLines) -> Found:
        if self._allowed is None:
            return found
        keep = _among(found.point_ids, self._allowed)
        if keep.all():
            return found
        row = int(lines.rows[0])
        told = RowError(row, "point", _not_of_token(), storable(lines.raw(0)))
        return Found(
            found.point_ids[keep],
            found.at_us[keep],
            found.values[keep],
            received=found.received,
            errors=[*found.errors, told],
        )


_Whys = list[tuple[str, str]]


class _Wrong:
    """Lines that are refused, and the first of them by name; a line is refused once."""

    def __init__(self, lines: TypedLines, skipped: Flags | None = None) -> None:
        self._lines = lines
        self.any = skipped is not None and bool(skipped.any())
        self.flags = np.zeros(len(lines.at_us), bool) if skipped is None else skipped.copy()
        self.errors: list[RowError] = []

    def add(self, flags: Flags, name: str, why: str) -> None:
        if flags.any():
            self._refuse(np.flatnonzero(flags & ~self.flags), lambda _i: (name, why))

    def add_all(self, wrong: Mapping[int, tuple[str, str]]) -> None:
        if wrong:
            self._refuse(np.array(sorted(wrong), np.int64), lambda i: wrong[i])

    def add_named(self, ids: Ints, whys: _Whys, name: str, given: Flags | None = None) -> None:
        """Those of the names that were not found for this field."""
        mine = [-1 - i for i, (which, _why) in enumerate(whys) if which == name]
        if not mine:
            return
        flags = np.isin(ids, mine) & ~self.flags
        if given is not None:
            flags &= given
        self._refuse(np.flatnonzero(flags), lambda i: whys[-1 - int(ids[i])])

    def _refuse(self, places: Ints, told: Callable[[int], tuple[str, str]]) -> None:
        self.any = self.any or bool(len(places))
        self.flags[places] = True
        for i in places[: MOST_KEPT_ROWS - len(self.errors)].tolist():
            name, why = told(i)
            row = int(self._lines.rows[i])
            self.errors.append(RowError(row, name, why, storable(self._lines.raw(i))))


def open_upload(
    *,
    site: Site,
    door: ImportDoor,
    table: str,
    fingerprint: str,
    file_name: str,
    mapping: str,
    by: User | None,
    now: dt.datetime,
    again: bool = False,
) -> tuple[Import, bool]:
    """The record of an upload, and whether it stood already: the same one is taken once.

    `again` takes what has been taken before once more, after missing points were made say.
    """
    with transaction.atomic():
        same = Import.objects.of_site(site).filter(fingerprint=fingerprint)
        if again:
            same.filter(state=ImportState.DONE).update(fingerprint="")
        try:
            with transaction.atomic():
                batch = Import.objects.create(
                    site=site,
                    door=door,
                    table=table,
                    fingerprint=fingerprint,
                    file_name=storable(file_name, 255),
                    mapping=mapping[:80],
                    by=by,
                    recorded_at=now,
                )
            return batch, False
        except IntegrityError:
            return same.exclude(state=ImportState.FAILED).select_related("operation").get(), True


def take_upload_block(
    *,
    batch: Import,
    found: Found,
    place: dict[str, Any],
    fence: Fence,
    now: dt.datetime,
) -> Outcome:
    """Store a block, count it and note how far the file is read, all or nothing.

    The fence comes last: it locks the row of the operation, whose lease must be renewed meanwhile.
    """
    with transaction.atomic():
        outcome = take_found(found, now=now)
        add_to_batch(batch=batch, outcome=outcome, now=now)
        Import.objects.filter(pk=batch.pk).update(place=place)
        fence({"place": place})
    return outcome


def _among(ids: Ints, allowed: Ints) -> Flags:
    flags: Flags = np.isin(ids, allowed)
    return flags


def _not_of_token() -> str:
    return _("the token may not write this measurement point")
