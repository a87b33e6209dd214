"""Figures that explanations name are those of the code."""

import re

import pytest

from maintenance import operations
from maintenance.choices import Criticality, Priority
from maintenance.flow import advise
from maintenance.flow.retrain import pruning
from maintenance.queries import problem
from maintenance.queries.words import RISK_BANDS
from predictors import select, weibull
from predictors.dataset import REPAIR_LIMIT_DAYS
from predictors.periods import DEFAULT_EDGES_DAYS
from tests.unit.docs.documents import read, rows

RISK, MONEY, WORK, MODELS = (
    read(f"docs/explanation/{page}.md") for page in ("risk", "money", "long-work", "models")
)


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (WORK, f"lease {operations.LEASE.seconds} s"),
        (WORK, f"heartbeat every {operations.HEARTBEAT.seconds} s"),
        (WORK, f"queued for more than {operations.PATIENCE.seconds} s"),
        (WORK, {5: "After five runs it is given up"}[operations.MOST_RUNS]),
        (RISK, f"{select.SMALLEST_FAILURES} failures on {select.SMALLEST_ASSETS} assets"),
        (RISK, f"by more than {select.MARGIN:.1%}".replace("%", " %")),
        (RISK, f"known after {1 - select.LATER_SHARE:.0%}".replace("%", " %")),
        (RISK, f"at least {select.SMALLEST_LATER_FAILURES} failed lives"),
        (RISK, f"| {weibull.SMALLEST_FAILURES} failures |"),
        (RISK, f"within {REPAIR_LIMIT_DAYS} days"),
        (RISK, ", ".join(str(days) for days in DEFAULT_EDGES_DAYS[:11])),
        (MONEY, f"left in peace for {advise.QUIET_AFTER_DISMISSAL.days} days"),
        (MONEY, f"urgent from a 14-day risk of {advise.URGENT_RISK:.0%}".replace("%", " %")),
        (MONEY, f"high from {advise.HIGH_RISK:.0%}".replace("%", " %")),
        (MODELS, f"the newest {pruning.REJECTED_KEPT} keep theirs"),
        (MONEY, {7: "counts as seven days after the end"}[problem.DAYS_LATER]),
    ],
)
def test_a_figure_is_that_of_the_code(page: str, sentence: str) -> None:
    assert sentence in words(page)


def test_the_prices_of_waiting_are_those_of_the_code() -> None:
    table = rows(MONEY, "priority")
    prices = {Priority[row[0].upper()]: float(row[1]) for row in table}
    factors = {Criticality(row[3]): float(row[4]) for row in table if row[3]}
    assert prices == problem.WAITING_PRICE
    assert factors == problem.CRITICALITY_FACTOR


def test_the_prices_of_change_are_those_of_the_code() -> None:
    said = re.search(
        r"costs (\S+) a day and (\S+) a person", words(read("docs/explanation/schedule.md"))
    )
    assert said
    minor = [round(float(price) * 100) for price in said.groups()]
    assert minor == [problem.CHANGE_PER_DAY_MINOR, problem.CHANGE_PER_TECHNICIAN_MINOR]


def test_the_bands_of_risk_are_those_of_the_code() -> None:
    shares = [f"{least:.0%}".replace("%", " %") for least, _ in RISK_BANDS if least]
    said = "critical from {}, high from {}, watch from {}, else low".format(*shares)
    assert said in read("docs/reference/glossary.md")
