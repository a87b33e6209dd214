"""What a person says of topics: this one is a point, topics of this form name their asset."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from maintenance.flow.ingest.messages import FURTHER_TOPICS, Taken, lock, take_again, waiting
from maintenance.flow.ingest.refusals import Refused
from maintenance.flow.ingest.topics import LONGEST_TOPIC, Template
from maintenance.models import (
    Asset,
    AuditEntry,
    MeasurementPoint,
    Site,
    TopicPoint,
    TopicTemplate,
    UnknownTopic,
    User,
)

LONGEST_CODE = 60
LONGEST_UNIT = 24
# Of so many topics dead letters are taken at once; the others wait for the next time.
_MOST_TOPICS = 500


def create_point(
    *,
    unknown: UnknownTopic,
    asset_code: str,
    point_code: str,
    unit: str,
    by: User,
    now: dt.datetime,
) -> tuple[MeasurementPoint, Taken]:
    """Give a topic its measurement point, new or there already, and take its dead letters.

    Raises Refused.
    """
    site, topic, name = unknown.site, unknown.topic, unknown.name
    with transaction.atomic():
        lock(site)
        point = _point(site, topic, asset_code, point_code.strip(), unit.strip(), now)
        TopicPoint.objects.update_or_create(
            site=site, topic=topic, name=name, defaults={"point": point, "recorded_at": now}
        )
        _note(site, "topic given its point", topic, {"name": name, "point": str(point)}, by, now)
        taken = take_again(site=site, topics=[topic], by=by, now=now)
    return point, taken


def _point(
    site: Site, topic: str, asset_code: str, code: str, unit: str, now: dt.datetime
) -> MeasurementPoint:
    if topic == FURTHER_TOPICS:
        raise Refused("topic", _("stands for many topics: give them a template"))
    asset = Asset.objects.of_site(site).filter(code=asset_code.strip()).first()
    if asset is None:
        raise Refused("asset", _("No asset is called %(code)s.") % {"code": asset_code[:60]})
    if not code or len(code) > LONGEST_CODE:
        words = {"longest": LONGEST_CODE}
        raise Refused("point", _("Give a code of 1 to %(longest)d characters.") % words)
    point, _made = MeasurementPoint.objects.get_or_create(
        asset=asset, code=code, defaults={"name": code, "unit": unit, "recorded_at": now}
    )
    return point


def add_template(*, site: Site, template: str, by: User, now: dt.datetime) -> Taken:
    """Topics of this form name their asset; dead letters of such topics are taken.

    Raises Refused.
    """
    if len(template) > LONGEST_TOPIC:
        raise Refused("template", _("is longer than %(longest)d") % {"longest": LONGEST_TOPIC})
    pattern = Template.of(template).pattern
    with transaction.atomic():
        lock(site)
        if TopicTemplate.objects.of_site(site).filter(template=template).exists():
            raise Refused("template", _("is there already"))
        TopicTemplate.objects.create(site=site, template=template, recorded_at=now)
        _note(site, "topic template added", template, {"template": template}, by, now)
        topics = waiting(site).order_by().values_list("topic", flat=True).distinct()
        named = [topic for topic in topics if pattern.fullmatch(topic)]
        return take_again(site=site, topics=named[:_MOST_TOPICS], by=by, now=now)


def remove_template(*, template: TopicTemplate, by: User, now: dt.datetime) -> None:
    """Topics that it alone named are unknown again; what was stored stays."""
    with transaction.atomic():
        lock(template.site)
        told = {"template": template.template}
        _note(template.site, "topic template removed", template.template, told, by, now)
        template.delete()


def discard(*, site: Site, topic: str, by: User, now: dt.datetime) -> int:
    """Delete the dead letters of a topic that wait; how many. The audit keeps who did it."""
    with transaction.atomic():
        lock(site)
        count, _by_table = waiting(site, [topic]).delete()
        UnknownTopic.objects.of_site(site).filter(topic=topic).delete()
        _note(site, "dead letters discarded", topic, {"letters": count}, by, now)
    return count


def _note(
    site: Site, action: str, subject: str, after: Mapping[str, object], by: User, now: dt.datetime
) -> None:
    AuditEntry.objects.create(
        site=site, at=now, by=by, action=action, subject=subject[:160], after=dict(after)
    )
