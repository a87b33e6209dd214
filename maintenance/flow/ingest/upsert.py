"""Rows told to us become rows of a table: once each, whatever the number of times they are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeAlias, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from maintenance.flow.ingest.fields import Row
from maintenance.flow.ingest.refusals import Outcome, Refused, RowError, all_refused

T = TypeVar("T")

Defaults: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]

_WRITE_ROWS = 2000
_MOST_HINTS = 20


@dataclass(frozen=True)
class Origin:
    """By whom, and when we learned it."""

    source: str
    now: dt.datetime


@dataclass(frozen=True)
class Wanted:
    """What one row asks for: the values that must be in the table after it."""

    row: Row
    values: dict[str, Any]


def resolved(
    rows: Iterable[Row], resolve: Callable[[Row], dict[str, Any]]
) -> tuple[list[Wanted], Outcome]:
    """What each row asks for, and the rows that name something unknown."""
    wanted, errors = [], []
    for row in rows:
        try:
            wanted.append(Wanted(row, resolve(row)))
        except Refused as refusal:
            errors.append(row.error(refusal.field, refusal.reason))
    return wanted, all_refused(errors)


class Names:
    """Words for unknown names. Looking for the nearest is slow: the first few get them."""

    def __init__(self) -> None:
        self._hints = 0

    def unknown(self, name: str, known: Callable[[], Iterable[str]]) -> str:
        self._hints += 1
        near = get_close_matches(name, list(known()), n=3) if self._hints <= _MOST_HINTS else []
        words = {"code": name[:60], "near": ", ".join(near)}
        if near:
            return _("%(code)r is unknown; the nearest known: %(near)s") % words
        return _("%(code)r is unknown") % words


class Codes(Generic[T]):
    """What a code stands for; an unknown one is refused by name, with the nearest known codes."""

    def __init__(self, pairs: Iterable[tuple[str, T]]) -> None:
        self._found = dict(pairs)
        self._names = Names()

    def find(self, field: str, code: str) -> T:
        found = self._found.get(code)
        if found is None:
            raise Refused(field, self.unknown(code))
        return found

    def get(self, code: str) -> T | None:
        return self._found.get(code)

    def unknown(self, code: str) -> str:
        return self._names.unknown(code, lambda: self._found)


def _none(_values: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def named_by_code(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is new and has no name is called as its code."""
    return {"name": values["code"]}


def upsert(
    existing: models.QuerySet[Any],
    natural: Sequence[str],
    wanted: Sequence[Wanted],
    *,
    origin: Origin,
    needed: Sequence[str] = (),
    defaults: Defaults = _none,
) -> Outcome:
    """Insert what is new, change what differs, leave the rest. Call it inside a transaction.

    A row is found by its external id where it names one, else by the `natural` key. Only the
    fields a row names are compared and changed. Two rows of one batch that name the same thing
    must agree: the second is refused otherwise. `needed` and `defaults` concern new rows.
    """
    job = _Upsert(existing, natural, origin, needed, defaults)
    for one in wanted:
        job.take(one)
    job.write()
    return job.outcome(len(wanted))


class _Upsert:
    def __init__(
        self,
        existing: models.QuerySet[Any],
        natural: Sequence[str],
        origin: Origin,
        needed: Sequence[str],
        defaults: Defaults,
    ) -> None:
        self._model: Any = existing.model
        self._natural = natural
        self._origin = origin
        self._needed = needed
        self._defaults = defaults
        known = list(existing)
        self._by_key = {self._key(vars(found)): found for found in known}
        self._by_external = {
            found.external_id: found
            for found in known
            if getattr(found, "external_id", "") and found.source == origin.source
        }
        self._seen: dict[Any, Wanted] = {}
        self._new: list[tuple[Wanted, Any]] = []
        self._changed: list[tuple[Wanted, Any, dict[str, Any]]] = []
        self._duplicate = 0
        self._errors: list[RowError] = []

    def take(self, one: Wanted) -> None:
        key = self._key(one.values)
        earlier = self._seen.get(key)
        if earlier is not None:
            self._take_again(one, earlier)
            return
        found = self._by_external.get(one.values.get("external_id", "")) or self._by_key.get(key)
        try:
            if found is None:
                self._take_new(one)
            else:
                self._take_known(one, found)
        except Refused as refusal:
            self._errors.append(one.row.error(refusal.field, refusal.reason))
            return
        self._seen[key] = one

    def _take_again(self, one: Wanted, earlier: Wanted) -> None:
        if one.values == earlier.values:
            self._duplicate += 1
            return
        differing = next(k for k, v in one.values.items() if earlier.values.get(k) != v)
        reason = _("row %(row)d of the same file says otherwise") % {"row": earlier.row.number}
        self._errors.append(one.row.error(differing.removesuffix("_id"), reason))

    def _take_new(self, one: Wanted) -> None:
        for name in self._needed:
            if name not in one.values:
                raise Refused(name.removesuffix("_id"), _("is missing, and this row is new"))
        values = {**self._defaults(one.values), **one.values}
        if "external_id" in values:
            values["source"] = self._origin.source
        if _has(self._model, "recorded_at"):
            values["recorded_at"] = self._origin.now
        self._new.append((one, self._model(**values)))

    def _take_known(self, one: Wanted, found: Any) -> None:
        changes = {k: v for k, v in one.values.items() if getattr(found, k) != v}
        if "external_id" in changes:
            changes["source"] = self._origin.source
        if changes:
            self._changed.append((one, found, changes))
        else:
            self._duplicate += 1

    def write(self) -> None:
        for found, changes in ((found, changes) for _one, found, changes in self._changed):
            for name, value in changes.items():
                setattr(found, name, value)
        try:
            with transaction.atomic():
                self._update_many()
                self._model.objects.bulk_create(
                    [made for _one, made in self._new], batch_size=_WRITE_ROWS
                )
        except IntegrityError:
            self._write_one_by_one()

    def _update_many(self) -> None:
        fields = sorted({name for _one, _found, changes in self._changed for name in changes})
        if fields:
            self._model.objects.bulk_update(
                [found for _one, found, _changes in self._changed], fields, batch_size=500
            )

    def _write_one_by_one(self) -> None:
        """Some row breaks a rule of the database: find which, keep the others."""
        self._changed = [
            (one, found, changes)
            for one, found, changes in self._changed
            if self._saved(one, found, list(changes))
        ]
        self._new = [(one, made) for one, made in self._new if self._saved(one, made, None)]

    def _saved(self, one: Wanted, row: Any, fields: list[str] | None) -> bool:
        try:
            with transaction.atomic():
                row.pk = row.pk if fields else None
                row.save(force_insert=fields is None, update_fields=fields)
        except IntegrityError as error:
            self._errors.append(one.row.error(self._natural[-1], _broken_rule(self._model, error)))
            return False
        return True

    def outcome(self, received: int) -> Outcome:
        return Outcome(
            received=received,
            new=len(self._new),
            changed=len(self._changed),
            duplicate=self._duplicate,
            refused=len(self._errors),
            errors=tuple(self._errors),
        )

    def _key(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values[name] for name in self._natural)


def _broken_rule(model: Any, error: IntegrityError) -> str:
    """The rule in the words of its name."""
    text = str(error)
    for constraint in model._meta.constraints:
        if constraint.name in text:
            words = {"rule": constraint.name.replace("_", " ")}
            return _("breaks the rule: %(rule)s") % words
    return _("is already used by another row")


def _has(model: Any, name: str) -> bool:
    return any(field.name == name for field in model._meta.fields)
