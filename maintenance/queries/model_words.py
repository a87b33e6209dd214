"""What the core says of models, in the reader's language: why a family, why a verdict.

The core gives its reasons as English sentences, which are kept with the run. The sentences of the
pages stand here by their form, so that translators find them; one of no known form stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from maintenance.models import FeatureSet, MeasurementPoint, ModelVersion
from maintenance.queries.reasons import feature_head
from predictors.errors import FeatureSetError
from predictors.schema import FeatureSet as Declaration
from predictors.schema import FeatureSpec

FIGURE = r"-?[\d,]+(?:\.\d+)?(?:e-?\d+)?"
CODE = r"[\w.-]+"
GROUND = (
    r"on (?P<lives>\d+) failures of (?P<assets>\d+) unseen assets"
    r"(?P<knew> \(the champion knew some\))?"
)
ON_GROUND = _("%(said)s; judged by %(lives)s failures of %(assets)s unseen assets")
KNEW = _("(the champion knew some)")

# Form, in which a word in braces stands for a figure or one of WORDS, and what is said instead.
FORMS: Mapping[str, Promise] = {
    "nothing served before": _("nothing served before"),
    "the baseline itself": _("the baseline itself"),
    "costs {a} an asset-year, the {rival} {b}": _(
        "it costs %(a)s an asset-year, the %(rival)s %(b)s"
    ),
    "Brier score worse than the {rival}'s, {a} against {b}": _(
        "Brier score worse than that of the %(rival)s: %(a)s against %(b)s"
    ),
    "less true to its word than the {rival}: calibration error {a} against {b}": _(
        "less true to its word than the %(rival)s: calibration error %(a)s against %(b)s"
    ),
    "not worse than the {rival}: {a} an asset-year against {b}, Brier {c} against {d}": _(
        "not worse than the %(rival)s: it costs %(a)s an asset-year against %(b)s, "
        "Brier score %(c)s against %(d)s"
    ),
    "not worse than the {rival}: Brier {c} against {d} (no job plan prices it)": _(
        "not worse than the %(rival)s: Brier score %(c)s against %(d)s (no job plan prices it)"
    ),
    "{a} failures to judge by, {b} needed: the champion stays": _(
        "failures to judge by: %(a)s; needed: %(b)s; so the champion stays"
    ),
    "it learnt from the same rows as version {a}: nothing is new": _(
        "it learnt from the same rows as version %(a)s: nothing is new"
    ),
    "too few units to leave some out: nobody can tell whether it is better": _(
        "too few assets to leave some out: nobody can tell whether it is better"
    ),
    "{a} failures, {b} needed for a model of readings": _(
        "failures: %(a)s; needed for a model of readings: %(b)s"
    ),
    "failures on {a} assets, {b} needed for a model of readings": _(
        "assets that failed: %(a)s; needed for a model of readings: %(b)s"
    ),
    "{mode}: a fold without failures": _("too few failures to leave assets out"),
    "{mode}: no life was watched": _("no life was watched"),
    "no decision instant lies within a life": _("no instant of decision lies within a life"),
    "risk by age serves": _("the risk by age serves"),
    "{a} failures, Weibull needs {b}: one constant rate serves": _(
        "failures: %(a)s; needed for a Weibull: %(b)s; so one constant rate serves"
    ),
    "better than age and constant, held out": _(
        "better than age and than a constant rate, on assets left out"
    ),
    "on {trial} the hazard's Brier score {a} is worse than {family}'s": _(
        "on %(trial)s the Brier score of the hazard, %(a)s, is worse than that of %(family)s"
    ),
}
WORDS: Mapping[str, Mapping[str, Promise]] = {
    "rival": {"champion": _("champion"), "baseline": pgettext_lazy("rival", "baseline")},
    "trial": {"other assets": _("other assets"), "later time": _("later time")},
    "family": {"weibull": _("the Weibull on age"), "constant": _("the constant rate")},
}


def model_words(said: str) -> str | None:
    """A reason of the core in the reader's language; None where its form is not known."""
    clauses = [_clause(clause) for clause in said.split("; ")]
    if None in clauses:
        return None
    told = "; ".join(clause for clause in clauses if clause)
    return told[:1].upper() + told[1:]


def _clause(clause: str) -> str | None:
    ground = re.search(rf",? ?{GROUND}$", clause)
    bare = clause[: ground.start()] if ground else clause
    for pattern, words in _patterns():
        if match := pattern.fullmatch(bare):
            said = str(words) % {name: _word(name, given) for name, given in _given(match)}
            return _on_ground(said, ground)
    return None


def _given(match: re.Match[str]) -> Iterable[tuple[str, str]]:
    return match.groupdict().items()


def _on_ground(said: str, ground: re.Match[str] | None) -> str:
    if ground is None:
        return said
    told = {"said": said, "lives": ground["lives"], "assets": ground["assets"]}
    return f"{ON_GROUND % told} {KNEW}" if ground["knew"] else str(ON_GROUND % told)


def _word(name: str, given: str) -> str:
    if name in WORDS:
        return str(WORDS[name][given])
    if name == "mode":
        return given
    plain = given.replace(",", "")
    decimals = len(plain.partition(".")[2])
    if "e" in plain:
        return plain
    return formats.number_format(plain, decimal_pos=decimals, use_l10n=True, force_grouping=True)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], Promise], ...]:
    return tuple((_pattern(form), words) for form, words in FORMS.items())


def _pattern(form: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        name = match[1]
        if name in WORDS:
            return f"(?P<{name}>{'|'.join(WORDS[name])})"
        return f"(?P<{name}>{CODE if name == 'mode' else FIGURE})"

    return re.compile(re.sub(r"\\{(\w+)\\}", group, re.escape(form)))


def feature_words(version: ModelVersion, names: Iterable[str]) -> dict[str, str]:
    """What features of a version measure; one that it does not declare keeps its name."""
    specs = _declared(version.feature_set)
    asset_class = version.failure_mode.asset_class_id
    points = MeasurementPoint.objects.filter(asset__asset_class=asset_class)
    called = dict(points.order_by().values_list("code", "name").distinct())
    return {name: feature_head(specs[name], called) if name in specs else name for name in names}


def _declared(feature_set: FeatureSet) -> dict[str, FeatureSpec]:
    """Nothing where the declaration is of a form that is read no more."""
    try:
        declared = Declaration.from_dict(feature_set.declaration)
    except FeatureSetError:
        return {}
    return {spec.name: spec for spec in declared.specs}
