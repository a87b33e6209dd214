"""The description of the API: the endpoint for readings added to it, and its words for a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from maintenance.api import readings

EXAMPLE = {
    "readings": [
        {"asset": "P-101", "point": "vibration", "at": "2026-01-31T23:59:00Z", "value": 2.4},
        {"asset": "P-101", "point": "pressure", "at": "2026-01-31T23:59:00+01:00", "value": 6.1},
    ]
}
_REFUSALS = {
    401: "No token, or one that is unknown, expired or revoked",
    403: "The token lacks the scope readings:write",
    413: "Too many bytes (unpacked, when packed) or rows",
    415: "Neither JSON nor gzip of it",
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


def add_readings(schema: dict[str, Any], root: str) -> None:
    """The plain view that takes readings, from the very types it decodes and answers with."""
    types = [readings.Readings, readings.Answer, readings.RequestRefusal]
    [taken, answer, told], components = msgspec.json.schema_components(types, ref_template=_REF)
    schema["components"].setdefault("schemas", {}).update(components)
    schema["paths"][f"{root.rstrip('/')}/readings"] = {
        "post": {
            "operationId": "send_readings",
            "summary": "Send readings",
            "description": (
                "Up to 50,000 rows. A bad row is refused by name and the others are stored; the "
                "answer comes after that. A value that is known already stays as it was, so that a "
                "request may be repeated. The body may be gzip."
            ),
            "tags": ["readings"],
            "security": [{"ByToken": []}],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": taken, "example": EXAMPLE}},
            },
            "responses": {
                "200": _answers("Some rows, or none, were refused", answer),
                "422": _answers(
                    "Every row was refused, or the body is malformed", {"oneOf": [answer, told]}
                ),
                **{str(code): _answers(words, told) for code, words in _REFUSALS.items()},
            },
        }
    }


def _answers(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def endpoints(schema: dict[str, Any]) -> list[Endpoint]:
    return [
        _endpoint(method.upper(), path, told)
        for path, methods in sorted(schema["paths"].items())
        for method, told in methods.items()
    ]


def _endpoint(method: str, path: str, told: dict[str, Any]) -> Endpoint:
    content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = content.get("example")
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
