"""What the page of topics shows: which belong to nothing, what waits, how topics are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, QuerySet, Sum

from maintenance.models import DeadLetter, UnknownTopic


@dataclass(frozen=True)
class Waiting:
    """Dead letters of one topic."""

    topic: str
    letters: int
    readings: int
    newest: DeadLetter


def waiting_topics(letters: QuerySet[DeadLetter]) -> QuerySet[DeadLetter, str]:
    """Those of which most letters wait first."""
    counted = letters.order_by().values("topic").annotate(count=Count("pk"))
    return counted.order_by("-count", "topic").values_list("topic", flat=True)


def waiting(letters: QuerySet[DeadLetter], topics: Sequence[str]) -> list[Waiting]:
    """In the order of the topics."""
    told = letters.filter(topic__in=topics).order_by().values_list("topic")
    rows = told.annotate(letters=Count("pk"), left=Sum("readings"), newest=Max("pk"))
    by_topic = {topic: (count, left, newest) for topic, count, left, newest in rows}
    newest_of = letters.in_bulk([newest for _count, _left, newest in by_topic.values()])
    return [
        Waiting(topic, by_topic[topic][0], by_topic[topic][1], newest_of[by_topic[topic][2]])
        for topic in topics
        if topic in by_topic
    ]


def unknown(topics: QuerySet[UnknownTopic]) -> QuerySet[UnknownTopic]:
    """Those of which most readings came first."""
    return topics.order_by("-readings", "topic", "name")
