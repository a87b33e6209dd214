"""What every page draws alike: icons, badges, figures in words, small drawings.

The content security policy forbids style attributes, so whatever has a measured width or
height is drawn as SVG.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django import template
from django.forms import BoundField, CheckboxInput, Select, SelectMultiple
from django.template import Context
from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext, pgettext_lazy
from tablericons.templatetags.tablericons import icon as tabler_icon

from maintenance.choices import Grade, Outcome
from maintenance.queries import model_words as queries
from maintenance.queries.words import risk_band

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

register = template.Library()

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
DASH = "\N{EM DASH}"


# Icons and badges


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, size: int = 20, css: str = "") -> str:
    """A decorative icon; the word beside it carries the meaning."""
    classes = f"icon {css}".rstrip()
    hidden = {"class": classes, "aria-hidden": "true", "focusable": "false"}
    path = name if "/" in name else f"outline/{name}"
    return tabler_icon(path, size=size, stroke_width=1.75, **hidden)


@register.simple_tag
def badge(tone: str, icon_name: str, word: StrOrPromise) -> SafeString:
    """A state in colour, icon and word, so that none of the three stands alone."""
    drawn = icon(icon_name, 16)
    return format_html('<span class="badge-tone tone-{}">{}{}</span>', tone, drawn, word)


@dataclass(frozen=True)
class RiskWords:
    icon: str
    word: StrOrPromise


RISK_WORDS: Mapping[str, RiskWords] = {
    "critical": RiskWords("alert-octagon", gettext_lazy("Critical")),
    "high": RiskWords("alert-triangle", gettext_lazy("High")),
    "watch": RiskWords("eye", gettext_lazy("Watch")),
    "low": RiskWords("circle-check", gettext_lazy("Low")),
    "unknown": RiskWords("help-circle", gettext_lazy("Unknown")),
}


@register.simple_tag
def risk_badge(band: str, probability: float | None = None) -> SafeString:
    """The band of a risk and, where it is known, the probability behind it."""
    words = RISK_WORDS[band]
    share = (
        SafeString("")
        if probability is None
        else format_html('<span class="badge-figure">{}</span>', percent(probability))
    )
    return format_html(
        '<span class="badge-tone tone-{}">{}{} {}</span>',
        band,
        icon(words.icon, 16),
        words.word,
        share,
    )


@register.simple_tag
def risk_of(probability: float | None) -> SafeString:
    """The badge of a risk within 14 days, in its own band."""
    return risk_badge(risk_band(probability), probability)


@register.simple_tag
def risk_bands() -> list[tuple[str, StrOrPromise]]:
    """Bands from worst to best with their words, for legends and filters."""
    return [(band, words.word) for band, words in RISK_WORDS.items()]


GRADE_TONES = {Grade.A: "low", Grade.B: "info", Grade.C: "watch", Grade.D: "neutral"}


@register.simple_tag
def grade_badge(grade: str) -> SafeString:
    """How much evidence stands behind a forecast: a letter, with its meaning for all readers."""
    if grade not in Grade:
        return format_html('<span class="faint">{}</span>', DASH)
    known = Grade(grade)
    return format_html(
        '<span class="grade tone-{}" title="{}"><span aria-hidden="true">{}</span>'
        '<span class="visually-hidden">{}</span></span>',
        GRADE_TONES[known],
        known.label,
        known.value,
        known.label,
    )


FAMILY_WORDS: Mapping[str, StrOrPromise] = {
    "hazard": gettext_lazy("Boosted hazard on readings"),
    "logistic": gettext_lazy("Logistic regression on readings"),
    "weibull": gettext_lazy("Weibull on age"),
    "constant": gettext_lazy("Constant rate"),
}


@register.simple_tag
def family_word(family: str) -> StrOrPromise:
    """What kind of model it is."""
    return FAMILY_WORDS.get(family, family)


# Keyed by the value of a state, whichever vocabulary it belongs to: the same word has
# the same look on every page.
STATE_MARKS: Mapping[str, tuple[str, str]] = {
    "proposed": ("info", "bulb"),
    "accepted": ("teal", "thumb-up"),
    "scheduled": ("low", "calendar-check"),
    "in_progress": ("info", "player-play"),
    "paused": ("watch", "player-pause"),
    "dismissed": ("neutral", "circle-x"),
    "queued": ("neutral", "hourglass"),
    "running": ("info", "loader"),
    "succeeded": ("low", "circle-check"),
    "done": ("low", "circle-check"),
    "failed": ("critical", "alert-octagon"),
    "cancelled": ("neutral", "ban"),
    "draft": ("info", "pencil"),
    "published": ("low", "send"),
    "superseded": ("neutral", "archive"),
    "candidate": ("info", "flask"),
    "champion": ("low", "trophy"),
    "retired": ("neutral", "archive"),
    "promoted": ("low", "trophy"),
    "rejected": ("neutral", "ban"),
}


@register.simple_tag
def state_badge(state: str, word: StrOrPromise) -> SafeString:
    """The state of a work order, operation, schedule or model with its word."""
    tone, icon_name = STATE_MARKS.get(state, ("neutral", "point"))
    return badge(tone, icon_name, word)


@register.simple_tag
def drift_badge(drifted: bool) -> SafeString:  # noqa: FBT001  The report's own word.
    """Whether a drift report told of drift."""
    if drifted:
        return badge("watch", "trending-up", gettext("Drift"))
    return badge("low", "circle-check", gettext("No drift"))


OUTCOME_MARKS: Mapping[str, tuple[str, str, StrOrPromise]] = {
    Outcome.FAILED: ("high", "alert-triangle", pgettext_lazy("outcome", "Failed")),
    Outcome.SURVIVED: ("low", "circle-check", gettext_lazy("Survived")),
    Outcome.CENSORED: ("neutral", "refresh", gettext_lazy("Censored")),
}


@register.simple_tag
def outcome_badge(outcome: str) -> SafeString:
    """What became of a forecast, in short."""
    return badge(*OUTCOME_MARKS[outcome])


@register.simple_tag
def model_words(said: str) -> SafeString:
    """What the core says of a model, in the reader's language where its form is known."""
    told = queries.model_words(said)
    if told is None:
        return format_html('<span lang="en">{}</span>', said)
    return format_html("{}", told)


# Figures in words


@register.filter
def number(value: float | None, decimals: int = 0) -> str:
    """A number grouped and pointed as the reader's language does it."""
    if value is None or not math.isfinite(value):
        return DASH
    return formats.number_format(
        round(value, decimals), decimal_pos=decimals, use_l10n=True, force_grouping=True
    )


@register.filter
def percent(share: float | None) -> str:
    """A share of one as a whole percentage, never rounded into certainty."""
    if share is None or not math.isfinite(share):
        return DASH
    if 0 < share < 0.01:
        return f"<1{NO_BREAK_SPACE}%"
    if 0.99 < share < 1:
        return f">99{NO_BREAK_SPACE}%"
    return f"{number(share * 100)}{NO_BREAK_SPACE}%"


@register.filter
def signed(value: float | None, decimals: int = 0) -> str:
    """A difference: with its sign, a plus or a true minus."""
    if value is None or not math.isfinite(value):
        return DASH
    told = number(abs(value), decimals)
    if not round(value, decimals):
        return told
    return ("+" if value > 0 else "\N{MINUS SIGN}") + told


CURRENCY_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "MXN": "MX$", "BRL": "R$"}


@register.simple_tag
def money(amount: float | None, currency: str) -> str:
    """An amount in major units, without cents: these are expected costs, not invoices."""
    if amount is None:
        return DASH
    sign = CURRENCY_SIGNS.get(currency, f"{currency}{NO_BREAK_SPACE}")
    minus = "\N{MINUS SIGN}" if amount <= -0.5 else ""
    placed = pgettext("money, for instance €1,200", "%(sign)s%(amount)s")
    return minus + placed % {"sign": sign, "amount": number(abs(float(amount)))}


@register.filter
def duration(minutes: float | None) -> str:
    """Minutes as people say them: 45 min, 2 h, 2 h 30 min."""
    if minutes is None:
        return DASH
    hours, rest = divmod(round(minutes), 60)
    parts = [f"{hours}{NO_BREAK_SPACE}h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest}{NO_BREAK_SPACE}min")
    return NO_BREAK_SPACE.join(parts)


@register.filter(expects_localtime=True, is_safe=False)
def moment(at: datetime | None) -> str:
    """Day and time of an instant in the time zone of the page."""
    return DASH if not at else formats.date_format(at, gettext("D j M, H:i"))


@register.filter(expects_localtime=True, is_safe=False)
def instant(at: datetime | None) -> str:
    """Like `moment`, with the year: for what may be long ago."""
    return DASH if not at else formats.date_format(at, gettext("j M Y, H:i"))


@register.filter(expects_localtime=True, is_safe=False)
def day(at: datetime | None) -> str:
    """The day of an instant in the time zone of the page."""
    return DASH if not at else formats.date_format(at, gettext("j M Y"))


@register.filter
def seen_from(at: datetime | None, now: datetime) -> str:
    """How long ago, or how soon, an instant is from the page's clock."""
    if at is None:
        return DASH
    gap = now - at
    if abs(gap) < timedelta(minutes=1):
        return gettext("now")
    span = _span(abs(gap))
    return (gettext("%s ago") if gap > timedelta(0) else gettext("in %s")) % span


def _span(gap: timedelta) -> str:
    minutes = int(gap.total_seconds() // 60)
    if minutes < 60:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    hours = minutes // 60
    if hours < 48:
        return ngettext("%d hour", "%d hours", hours) % hours
    days = hours // 24
    return ngettext("%d day", "%d days", days) % days


# Small drawings

SPARK_WIDTH, SPARK_HEIGHT = 96, 26


@register.simple_tag
def sparkline(values: Sequence[float | None], band: str = "low") -> SafeString:
    """Shares of one over time as a small line; a missing value breaks it."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return format_html('<span class="faint">{}</span>', DASH)
    # A quiet asset keeps a flat line near the ground: the scale never ends below 15 %.
    top = max(0.15, *known)
    return format_html(
        '<svg class="spark spark-{}" viewBox="0 0 {} {}" width="{}" height="{}"'
        ' aria-hidden="true" focusable="false">{}</svg>',
        band,
        *(SPARK_WIDTH, SPARK_HEIGHT) * 2,
        format_html_join("", '<polyline points="{}"/>', _spark_runs(values, top)),
    )


def _spark_runs(values: Sequence[float | None], top: float) -> Iterable[tuple[str]]:
    step = SPARK_WIDTH / (len(values) - 1)
    run: list[str] = []
    for index, value in enumerate([*values, None]):
        if value is not None:
            height = SPARK_HEIGHT - 2 - (SPARK_HEIGHT - 4) * value / top
            run.append(f"{index * step:.1f},{height:.1f}")
        elif run:
            yield (" ".join(run),)
            run = []


@register.simple_tag
def trend_word(values: Sequence[float | None]) -> str:
    """The sparkline for those who do not see it."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return gettext("no trend yet")
    change = known[-1] - known[0]
    if abs(change) < 0.02:
        return gettext("steady")
    return gettext("rising") if change > 0 else gettext("falling")


@register.simple_tag
def reason_bar(share: float) -> SafeString:
    """A bar from the middle: right (raises the risk) for 0..1, left for -1..0."""
    length = min(1.0, abs(share)) * 100
    return format_html(
        '<svg class="reason-bar" viewBox="0 0 200 8" preserveAspectRatio="none"'
        ' aria-hidden="true" focusable="false">'
        '<line x1="100" x2="100" y1="0" y2="8"/>'
        '<rect class="{}" x="{}" y="1" width="{}" height="6" rx="1"/></svg>',
        "raises" if share > 0 else "lowers",
        f"{100 if share > 0 else 100 - length:.1f}",
        f"{length:.1f}",
    )


# People


@register.filter
def initials(name: str) -> str:
    """Two letters for a person: first and last name, or the start of a single one."""
    words = name.split()
    if not words:
        return "?"
    return (words[0][0] + words[-1][0] if len(words) > 1 else words[0][:2]).upper()


# Tables


@register.inclusion_tag("components/sort_header.html", takes_context=True)
def sort_header(context: Context, key: str, label: StrOrPromise, css: str = "") -> dict[str, Any]:
    """A column head that sorts: falling first, rising when it is chosen again.

    Reads `sort` (the key in force, with a minus when falling) and `table_id` (what htmx
    replaces) from the context.
    """
    in_force = str(context.get("sort", ""))
    order = {key: "ascending", f"-{key}": "descending"}.get(in_force, "none")
    return {
        "request": context["request"],
        "label": label,
        "css": css,
        "order": order,
        "next": key if order == "descending" else f"-{key}",
        "table_id": context.get("table_id", ""),
    }


# Forms


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, width: str = "") -> dict[str, Any]:
    """A form field with its label, help and errors joined for assistive technology."""
    ticked = isinstance(bound.field.widget, CheckboxInput)
    return {"field": bound, "ticked": ticked, "width": width, "drawn": _drawn(bound)}


@register.inclusion_tag("components/filter_field.html")
def filter_field(bound: BoundField) -> dict[str, Any]:
    """A field of a filter form: its label is for assistive technology alone."""
    return {"field": bound, "drawn": _drawn(bound, placeholder=str(bound.label))}


def _drawn(bound: BoundField, **attributes: str) -> str:
    widget = bound.field.widget
    css = "form-control"
    if isinstance(widget, CheckboxInput):
        css = "form-check-input"
    elif isinstance(widget, Select | SelectMultiple):
        css, attributes = "form-select", {}
    if bound.errors:
        css += " is-invalid"
    return bound.as_widget(attrs={**attributes, "class": css})
