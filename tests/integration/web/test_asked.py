"""Numbers that no page of ours sends."""

import pytest
from django.test import Client

from tests.integration.web.plant import Plant

TOO_LARGE = ("9" * 30, "9" * 5000)


@pytest.mark.parametrize("number", TOO_LARGE)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/schedule/?schedule=", 404),
        ("/schedule/?part=work_order&work_order=", 404),
        ("/work-orders/new/?asset=", 200),
        ("/work-orders/?page=", 200),
    ],
)
def test_a_number_beyond_any_key_finds_nothing(
    planner: Client, drafted: Plant, path: str, status: int, number: str
) -> None:
    assert planner.get(f"{path}{number}", headers={"hx-request": "true"}).status_code == status


@pytest.mark.parametrize("number", TOO_LARGE)
def test_a_form_with_such_a_number_changes_nothing(
    planner: Client, drafted: Plant, number: str
) -> None:
    assert drafted.schedule is not None
    publish = f"/schedule/{drafted.schedule.pk}/publish/"
    assert planner.post("/work-orders/decide/", {"chosen": [number]}).status_code == 302
    assert planner.post("/site/", {"site": number}).status_code == 404
    assert planner.post(publish, {"revision": number}).status_code == 422


def test_a_body_nested_without_end_is_not_json(planner: Client, drafted: Plant) -> None:
    assert drafted.schedule is not None
    answer = planner.post(
        f"/schedule/{drafted.schedule.pk}/undo/", "[" * 100_000, content_type="application/json"
    )
    assert answer.status_code == 422
