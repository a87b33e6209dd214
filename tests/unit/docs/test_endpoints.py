"""Each endpoint of the API has its entry in the reference."""

from maintenance.api import api
from tests.unit.docs.documents import read


def test_every_endpoint_is_described() -> None:
    described = read("docs/reference/api.md")
    paths = api.get_openapi_schema()["paths"]
    endpoints = [f"{method.upper()} {path}" for path, ways in paths.items() for method in ways]
    assert endpoints
    assert [endpoint for endpoint in endpoints if endpoint not in described] == []
