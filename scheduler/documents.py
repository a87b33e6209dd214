"""Dataclasses to plain JSON values and back, strictly.

An unknown key, a missing key or a value of another type is refused with its place in the
document. Text is never taken for a number, nor ``true`` for 1.

>>> from scheduler.problem import Role
>>> encode(Role(skill="hydraulics", level=2))
{'skill': 'hydraulics', 'level': 2, 'count': 1}
>>> decode(Role, {"skill": "hydraulics", "level": "2"})
Traceback (most recent call last):
    ...
scheduler.errors.DocumentError: $.level: expected a whole number, found text
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from scheduler.errors import DocumentError, ProblemError

T = TypeVar("T")

_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
    dict: "an object",
    list: "a list",
}


def encode(value: object) -> Any:
    """Turn dataclasses, tuples and mappings into what ``json.dumps`` writes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], value: object, place: str = "$") -> T:
    """Build a ``kind`` from plain JSON values.

    Raises:
        DocumentError: the value is not of the documented form.
    """
    return cast(T, _decode(kind, value, place))


def _decode(kind: Any, value: object, place: str) -> object:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_optional(kind, value, place)
    if origin is tuple:
        return _decode_tuple(get_args(kind)[0], value, place)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(get_args(kind)[1], value, place)
    if dataclasses.is_dataclass(kind):
        return _decode_object(kind, value, place)
    if issubclass(kind, Enum):
        return _decode_enum(kind, value, place)
    return _decode_plain(kind, value, place)


def _decode_optional(kind: Any, value: object, place: str) -> object:
    choices = get_args(kind)
    if value is None and type(None) in choices:
        return None
    kinds = [choice for choice in choices if choice is not type(None)]
    exact = [choice for choice in kinds if type(value) is choice]
    return _decode((exact or kinds)[0], value, place)


def _decode_tuple(kind: Any, value: object, place: str) -> object:
    items = _expect(list, value, place)
    return tuple(_decode(kind, item, f"{place}[{i}]") for i, item in enumerate(items))


def _decode_mapping(kind: Any, value: object, place: str) -> object:
    items = _expect(dict, value, place)
    return {key: _decode(kind, item, f"{place}.{key}") for key, item in items.items()}


def _decode_object(kind: Any, value: object, place: str) -> object:
    given = _expect(dict, value, place)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in given:
        if key not in fields:
            raise DocumentError(f"{place}.{key}", "unknown key")
    for name, field in fields.items():
        if name not in given and not _has_default(field):
            raise DocumentError(f"{place}.{name}", "missing")
    hints = _hints(kind)
    values = {k: _decode(hints[k], item, f"{place}.{k}") for k, item in given.items()}
    try:
        return kind(**values)
    except ProblemError as error:
        raise ProblemError(f"{place}.{error.field}", error.reason) from None


def _decode_enum(kind: type[Enum], value: object, place: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(str(member.value) for member in kind)
        raise DocumentError(place, f"expected one of {choices}") from None


def _decode_plain(kind: type, value: object, place: str) -> object:
    if kind is float and type(value) is int:
        return float(value)
    return _expect(kind, value, place)


def _expect(kind: type, value: object, place: str) -> Any:
    if type(value) is not kind:
        found = _WORDS.get(type(value), type(value).__name__)
        raise DocumentError(place, f"expected {_WORDS[kind]}, found {found}")
    return value


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
