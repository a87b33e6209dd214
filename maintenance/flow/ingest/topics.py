"""To which measurement point a topic, and the name of a value in its messages, belong.

What a person said of a topic comes first, then the site's templates: `plant/{asset}/{point}` reads
asset and point from the topic, `plant/{asset}` the asset alone, and the value's name is the point.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from maintenance.flow.ingest.refusals import Refused
from maintenance.models import Asset, MeasurementPoint, Site, TopicPoint, TopicTemplate

Named = tuple[str, str]
"""A topic and the name of a value: in messages, or asset and point in the plant."""

UNNAMED = ("", "value")
"""Names that say nothing: the topic tells the point."""

LONGEST_TOPIC = 240
_ANY_LEVEL = "+"
_PLACES = ("{asset}", "{point}")
_NAMES_A_QUERY = 500


@dataclass(frozen=True)
class Template:
    """`{asset}`, `{point}` and `+` each stand for one whole level of a topic."""

    pattern: re.Pattern[str]
    tells_point: bool

    @classmethod
    def of(cls, text: str) -> Template:
        """Raises Refused for a template that cannot tell an asset."""
        levels = text.split("/")
        if levels.count("{asset}") != 1 or levels.count("{point}") > 1:
            raise Refused("template", _("must hold {asset} once, and {point} at most once"))
        if any(_unclear(level) for level in levels):
            reason = _("may hold {asset}, {point} and + as whole levels only, and no #")
            raise Refused("template", reason)
        pattern = "/".join(_pattern(level) for level in levels)
        return cls(re.compile(pattern), "{point}" in levels)

    def asset_and_point(self, topic: str, name: str) -> Named | None:
        found = self.pattern.fullmatch(topic)
        if found is None:
            return None
        if not self.tells_point:
            return found["asset"], name
        return (found["asset"], found["point"]) if name in UNNAMED else None


def _unclear(level: str) -> bool:
    if level in (*_PLACES, _ANY_LEVEL):
        return False
    return any(mark in level for mark in "{}+#\x00")


def _pattern(level: str) -> str:
    if level == _ANY_LEVEL:
        return "[^/]*"
    return f"(?P<{level[1:-1]}>[^/]+)" if level in _PLACES else re.escape(level)


class Topics:
    """The points of the topics and names of a batch, looked up together."""

    def __init__(self, site: Site, wanted: Iterable[Named]) -> None:
        pairs = sorted(set(wanted))
        self._found = _told_by_people(site, pairs)
        unsaid = [pair for pair in pairs if pair not in self._found]
        self._found |= _told_by_templates(site, unsaid)

    def point(self, topic: str, name: str) -> int | None:
        return self._found.get((topic, name))


def guesses(site: Site, pairs: Iterable[Named]) -> dict[Named, Named]:
    """Which asset and point somebody may mean by each topic and name.

    The asset is empty where no level of the topic is called like one.
    """
    told = list(pairs)
    known = _points_of(site, {level for topic, _name in told for level in topic.split("/")})
    return {pair: _guess(pair, known) for pair in told}


def _guess(pair: Named, assets: Container[str]) -> Named:
    topic, name = pair
    levels = topic.split("/")
    asset = next((level for level in reversed(levels) if level in assets), "")
    point = levels[-1] if name in UNNAMED else name
    return asset, "" if point == asset else point


def _told_by_people(site: Site, pairs: Sequence[Named]) -> dict[Named, int]:
    """Of a topic's unnamed values, what is said of one is said of all."""
    said = dict[Named, int]()
    rows = TopicPoint.objects.of_site(site).order_by()
    for some in _some_at_a_time(sorted({topic for topic, _name in pairs})):
        told = rows.filter(topic__in=some).values_list("topic", "name", "point_id")
        said |= {(topic, name): point_id for topic, name, point_id in told}
    for topic, name in [pair for pair in said if pair[1] in UNNAMED]:
        for other in UNNAMED:
            said.setdefault((topic, other), said[topic, name])
    return said


def _told_by_templates(site: Site, pairs: Sequence[Named]) -> dict[Named, int]:
    told = TopicTemplate.objects.of_site(site).values_list("template", flat=True)
    templates = [Template.of(text) for text in told] if pairs else []
    meant = {pair: list(_meant(templates, *pair)) for pair in pairs}
    points = _points_of(site, {asset for each in meant.values() for asset, _point in each})
    found = {}
    for pair, each in meant.items():
        known = (points.get(asset, {}).get(point) for asset, point in each)
        point_id = next((one for one in known if one is not None), None)
        if point_id is not None:
            found[pair] = point_id
    return found


def _meant(templates: Iterable[Template], topic: str, name: str) -> Iterator[Named]:
    for template in templates:
        pair = template.asset_and_point(topic, name)
        if pair is not None:
            yield pair


def _points_of(site: Site, assets: Iterable[str]) -> dict[str, dict[str, int]]:
    """The points of assets; both go by their code or, where no code is the same, external id."""
    found: dict[str, dict[str, int]] = {}
    for some in _some_at_a_time(sorted(set(assets))):
        named = Q(code__in=some) | Q(external_id__in=some)
        rows = Asset.objects.of_site(site).filter(named).order_by()
        told = list(rows.values_list("pk", "code", "external_id"))
        points = _by_asset([pk for pk, _code, _external in told])
        found |= {external_id: points[pk] for pk, _code, external_id in told if external_id}
        found |= {code: points[pk] for pk, code, _external in told}
    return found


def _by_asset(assets: list[int]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {asset: {} for asset in assets}
    rows = MeasurementPoint.objects.filter(asset__in=assets).order_by()
    told = list(rows.values_list("pk", "asset_id", "code", "external_id"))
    for pk, asset, _code, external_id in told:
        if external_id:
            found[asset][external_id] = pk
    for pk, asset, code, _external in told:
        found[asset][code] = pk
    return found


def _some_at_a_time(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _NAMES_A_QUERY):
        yield names[start : start + _NAMES_A_QUERY]
