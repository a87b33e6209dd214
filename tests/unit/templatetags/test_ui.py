"""Words, badges and drawings of the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import RequestContext, Template
from django.test import RequestFactory
from django.utils import timezone, translation
from tablericons import IconDoesNotExist

from maintenance.choices import Grade
from maintenance.templatetags import ui

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NBSP = "\N{NO-BREAK SPACE}"


def drawn(source: str, **context: object) -> str:
    request = RequestFactory().get("/", {"q": "pump"})
    return Template("{% load ui %}" + source).render(RequestContext(request, context))


def test_an_icon_is_hidden_from_assistive_technology() -> None:
    assert 'aria-hidden="true"' in drawn('{% icon "eye" 16 %}')


def test_an_icon_may_be_named_with_its_style() -> None:
    assert drawn('{% icon "outline/eye" %}') == drawn('{% icon "eye" %}')


def test_an_unknown_icon_is_refused() -> None:
    with pytest.raises(IconDoesNotExist):
        drawn('{% icon "no-such-thing" %}')


def icons_of_templates() -> list[str]:
    """Every icon that a template names, or hands to a component."""
    named = re.compile(r"""(?:icon|action_icon)[ =]"([a-z0-9/-]+)\"""")
    texts = [path.read_text() for path in Path("templates").rglob("*.html")]
    return sorted({name for text in texts for name in named.findall(text)})


@pytest.mark.parametrize("name", icons_of_templates())
def test_every_icon_that_a_template_names_exists(name: str) -> None:
    assert "<svg" in ui.icon(name)


def test_every_icon_of_states_and_bands_exists() -> None:
    for tone, name in ui.STATE_MARKS.values():
        assert f"tone-{tone}" in ui.badge(tone, name, "word")
    for band in ui.RISK_WORDS:
        assert f"tone-{band}" in ui.risk_badge(band)


def test_a_risk_badge_gives_colour_icon_word_and_figure() -> None:
    badge = ui.risk_badge("critical", 0.683)
    assert "tone-critical" in badge
    assert "<svg" in badge
    assert "Critical" in badge
    assert f"68{NBSP}%" in badge


def test_a_risk_that_is_not_known_shows_no_figure() -> None:
    assert "badge-figure" not in ui.risk_badge("unknown")


@pytest.mark.parametrize("grade", Grade)
def test_a_grade_is_explained_in_words(grade: Grade) -> None:
    assert str(grade.label) in ui.grade_badge(grade)


def test_a_missing_grade_is_a_dash() -> None:
    assert ui.DASH in ui.grade_badge("")


def test_a_word_in_a_badge_is_escaped() -> None:
    assert "<b>" not in ui.state_badge("proposed", "<b>")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0_%"),
        (0.004, "<1_%"),
        (0.034, "3_%"),
        (0.996, ">99_%"),
        (1.0, "100_%"),
        (None, ui.DASH),
        (float("nan"), ui.DASH),
    ],
)
def test_a_share_is_never_rounded_into_certainty(share: float | None, words: str) -> None:
    assert ui.percent(share) == words.replace("_", NBSP)


def test_numbers_follow_the_language_of_the_reader() -> None:
    with translation.override("es"):
        assert ui.number(61.44, 1) == "61,4"
        assert ui.number(14776) == f"14{NBSP}776"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (1234.56, "EUR", "€1,235"),
        (-80.0, "EUR", "\N{MINUS SIGN}€80"),
        (-0.2, "USD", "$0"),
        (5, "CHF", f"CHF{NBSP}5"),
        (None, "EUR", ui.DASH),
    ],
)
def test_money_shows_the_sign_of_its_currency(
    amount: float | None, currency: str, words: str
) -> None:
    assert ui.money(amount, currency) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(45, "45_min"), (120, "2_h"), (150, "2_h_30_min"), (0, "0_min"), (None, ui.DASH)],
)
def test_a_duration_is_said_in_hours_and_minutes(minutes: int | None, words: str) -> None:
    assert ui.duration(minutes) == words.replace("_", NBSP)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=6), "6 minutes ago"),
        (timedelta(hours=1, minutes=50), "1 hour ago"),
        (timedelta(days=3, hours=5), "3 days ago"),
        (timedelta(days=-4), "in 4 days"),
    ],
)
def test_an_instant_is_told_from_the_clock_of_the_page(gap: timedelta, words: str) -> None:
    assert ui.seen_from(NOW - gap, NOW) == words


def test_an_instant_is_shown_in_the_time_zone_of_the_page() -> None:
    with timezone.override(ZoneInfo("America/Mexico_City")):
        assert drawn("{{ at|moment }}", at=NOW) == "Mon 2 Mar, 03:30"


def test_a_missing_instant_is_a_dash() -> None:
    assert drawn("{{ at|moment }} {{ at|day }}", at=None) == f"{ui.DASH} {ui.DASH}"


def test_a_sparkline_breaks_where_a_value_is_missing() -> None:
    assert ui.sparkline([0.1, 0.2, None, 0.3, 0.4]).count("<polyline") == 2


def test_a_sparkline_stays_inside_its_box() -> None:
    heights = [float(y) for y in re.findall(r",([\d.]+)", ui.sparkline([0.0, 0.5, 1.0]))]
    assert min(heights) >= 0
    assert max(heights) <= ui.SPARK_HEIGHT


def test_one_value_makes_no_sparkline() -> None:
    assert "<svg" not in ui.sparkline([0.3])


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.1, 0.5], "rising"),
        ([0.5, 0.1], "falling"),
        ([0.5, None, 0.51], "steady"),
        ([None, 0.2], "no trend yet"),
    ],
)
def test_a_trend_is_also_a_word(values: list[float | None], word: str) -> None:
    assert ui.trend_word(values) == word


def test_a_reason_that_raises_the_risk_reaches_to_the_right_of_the_middle() -> None:
    assert 'class="raises" x="100.0" y="1" width="50.0"' in ui.reason_bar(0.5)


def test_a_reason_that_lowers_the_risk_reaches_to_the_left_of_the_middle() -> None:
    assert 'class="lowers" x="75.0" y="1" width="25.0"' in ui.reason_bar(-0.25)


@pytest.mark.parametrize(
    ("name", "letters"), [("Ana Ruiz Gil", "AG"), ("planner", "PL"), ("  ", "?")]
)
def test_a_person_has_two_letters(name: str, letters: str) -> None:
    assert ui.initials(name) == letters


def test_a_column_sorts_downwards_first_and_keeps_the_filter() -> None:
    head = drawn('{% sort_header "risk" "Risk" %}', sort="")
    assert 'aria-sort="none"' in head
    assert "?q=pump&amp;sort=-risk" in head


def test_a_column_sorted_downwards_sorts_upwards_next() -> None:
    head = drawn('{% sort_header "risk" "Risk" %}', sort="-risk")
    assert 'aria-sort="descending"' in head
    assert "sort=risk" in head


class Sample(forms.Form):
    name = forms.CharField(help_text="As on its plate")
    kind = forms.ChoiceField(choices=[("a", "A")], required=False)
    urgent = forms.BooleanField(required=False)


def test_a_field_has_a_label_its_help_and_its_errors() -> None:
    html = drawn("{% field form.name %}", form=Sample({"name": ""}))
    assert 'for="id_name"' in html
    assert "As on its plate" in html
    assert "This field is required." in html
    assert "is-invalid" in html


def test_fields_are_dressed_by_what_they_are() -> None:
    form = Sample()
    assert "form-select" in drawn("{% field form.kind %}", form=form)
    assert "form-check-input" in drawn("{% field form.urgent %}", form=form)


def test_a_filter_field_says_its_label_to_those_who_do_not_see_it() -> None:
    html = drawn("{% filter_field form.name %}", form=Sample())
    assert "visually-hidden" in html
    assert 'placeholder="Name"' in html


def test_pages_are_linked_with_the_filter_in_force() -> None:
    page = Paginator(range(30), 10).page(2)
    html = drawn('{% include "components/pagination.html" %}', page=page, table_id="rows")
    assert "11–20 of 30" in html
    assert "?q=pump&amp;page=1" in html
    assert "?q=pump&amp;page=3" in html
    assert 'hx-target="#rows"' in html
