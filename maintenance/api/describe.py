"""The description of the API: the endpoint for readings added to it, and its words for a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from maintenance.api import readings, told

_AT = "2026-01-31T23:59:00Z"
ROWS = {
    "readings": [
        {"asset": "P-101", "point": "vibration", "at": _AT, "value": 2.4},
        {"asset": "P-101", "point": "pressure", "at": "2026-01-31T23:59:00+01:00", "value": 6.1},
    ]
}
COLUMNS = {
    "times": "epoch_ms",
    "columns": [
        {
            "asset": "P-101",
            "at": [1769903940000, 1769904000000],
            "values": {"vibration": [2.4, 2.5], "pressure": [6.1, None]},
        }
    ],
}
TAKEN = {
    "received": 3,
    "accepted": 2,
    "new": 1,
    "duplicate": 1,
    "refused": 1,
    "errors": [{"row": 3, "field": "point", "reason": "'vibratoin' is unknown"}],
    "import_id": 7,
}
GIVEN = {
    "asset": "P-101",
    "points": [{"point": "vibration", "unit": "mm/s", "at": [_AT], "value": [2.4]}],
    "next": None,
}
_REFUSALS = {
    401: "No token, or one that is unknown, expired or revoked",
    403: "The token lacks the scope readings:write",
    408: "The body came too slowly",
    411: "The body came in chunks, without its length",
    413: "Too many bytes, as sent or unpacked, or too many readings",
    415: "Neither JSON nor gzip of it",
}
_LATER = {
    429: "The token has too many requests in work",
    503: "The database is busy, away or full: nothing was stored",
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}},
}
_REF = "#/components/schemas/{name}"


@dataclass(frozen=True)
class Endpoint:
    """One method of one path, as a person reads it."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[tuple[str, str, str]]
    answers: list[tuple[str, str]]
    example: str


def describe_readings(schema: dict[str, Any], root: str) -> None:
    """The door for readings, from the very types it decodes and answers with."""
    types = [told.Readings, readings.Answer, readings.RequestRefusal]
    [taken, answer, refusal], components = msgspec.json.schema_components(types, ref_template=_REF)
    schema["components"].setdefault("schemas", {}).update(components)
    path = schema["paths"][f"{root.rstrip('/')}/readings"]
    content = {
        "schema": taken,
        "examples": {"rows": {"value": ROWS}, "columns": {"value": COLUMNS}},
    }
    path["post"] |= {
        "summary": "Send readings",
        "description": (
            "Up to 50,000 readings, as rows or as columns. A bad one is refused by name and the "
            "others are stored; the answer comes after that. A value that is known already stays "
            "as it was, so that a request may be repeated. The body may be gzip."
        ),
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": _answers("Some readings, or none, were refused", answer, TAKEN),
            "422": _answers(
                "Every reading was refused, or the body is malformed",
                {"oneOf": [answer, refusal]},
                {"code": "malformed_json", "message": "The body is not JSON: …"},
            ),
            **{str(code): _answers(words, refusal) for code, words in _REFUSALS.items()},
            **{
                str(code): _answers(words, refusal) | {"headers": _RETRY_AFTER}
                for code, words in _LATER.items()
            },
        },
    }
    path["get"]["responses"][200]["content"]["application/json"]["example"] = GIVEN


def _answers(description: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "content": {"application/json": content}}


def endpoints(schema: dict[str, Any]) -> list[Endpoint]:
    return [
        _endpoint(method.upper(), path, told)
        for path, methods in sorted(schema["paths"].items())
        for method, told in methods.items()
    ]


def _endpoint(method: str, path: str, told: dict[str, Any]) -> Endpoint:
    content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = next((one["value"] for one in content.get("examples", {}).values()), None)
    return Endpoint(
        method=method,
        path=path,
        summary=told.get("summary", ""),
        description=told.get("description", ""),
        parameters=[_parameter(one) for one in told.get("parameters", [])],
        answers=[(code, one["description"]) for code, one in sorted(_by_code(told).items())],
        example=json.dumps(example, indent=2) if example else "",
    )


def _by_code(told: dict[str, Any]) -> dict[str, Any]:
    return {str(code): one for code, one in told["responses"].items()}


def _parameter(told: dict[str, Any]) -> tuple[str, str, str]:
    schema = told["schema"]
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    return told["name"], told["in"], ", ".join(limits)


_LIMITS = {"minimum": "at least", "maximum": "at most", "default": "default"}
