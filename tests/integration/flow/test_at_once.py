"""What two people do at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from maintenance.choices import Priority, WorkOrderType
from maintenance.flow import advise
from maintenance.models import WorkOrder
from tests.factories import UserFactory
from tests.plants import tiny

pytestmark = pytest.mark.django_db(transaction=True)


def test_work_asked_for_at_once_gets_numbers_of_its_own() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("the tests' SQLite stands in memory, where threads lock each other out")
    plant = tiny()
    wanted: dict[str, Any] = {
        "site": plant.site,
        "asset": plant.asset("P-1"),
        "job_plan": plant.plan("renew-seal"),
        "kind": WorkOrderType.CORRECTIVE,
        "priority": Priority.NORMAL,
        "title": "It leaks",
        "note": "",
        "latest_at": None,
        "by": UserFactory.create(),
        "now": plant.now,
    }

    def ask(_turn: int) -> int:
        try:
            return advise.ask_for_work(**wanted).number
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as people:
        numbers = list(people.map(ask, range(8)))
    assert sorted(numbers) == sorted(WorkOrder.objects.values_list("number", flat=True))
    assert len(set(numbers)) == 8
