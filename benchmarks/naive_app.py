"""What is written first: a serializer, a model with its keys, and bulk_create. The naive peer.

Served beside the application by `benchmarks.ingest`, on a database of its own:

    NAIVE_DATABASE_URL=… gunicorn benchmarks.naive_app
"""

from __future__ import annotations

import os
from typing import ClassVar

from django.conf import settings

from config import environment

if not settings.configured:
    settings.configure(
        DATABASES={"default": environment.database("NAIVE_DATABASE_URL", default="")},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY=os.urandom(16).hex(),
        USE_TZ=True,
        DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    )

import django

django.setup()

# What follows needs the settings above.
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # type: ignore[import-untyped]  # noqa: E402
from rest_framework.decorators import api_view  # type: ignore[import-untyped]  # noqa: E402
from rest_framework.request import Request  # type: ignore[import-untyped]  # noqa: E402
from rest_framework.response import Response  # type: ignore[import-untyped]  # noqa: E402


class Point(models.Model):
    """A measurement point, by the names that a machine gives it."""

    asset = models.CharField(max_length=60)
    code = models.CharField(max_length=60)

    objects: ClassVar[models.Manager[Point]] = models.Manager()

    class Meta:
        app_label = "naive"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["asset", "code"], name="naive_point_once")
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.code}"


class Reading(models.Model):
    """A row a reading."""

    point = models.ForeignKey(Point, models.CASCADE)
    at = models.DateTimeField()
    value = models.FloatField()

    objects: ClassVar[models.Manager[Reading]] = models.Manager()

    class Meta:
        app_label = "naive"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["point", "at"], name="naive_reading_once")
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.at}"


class ReadingSerializer(serializers.Serializer):  # type: ignore[misc]
    """As a tutorial would have it."""

    asset = serializers.CharField(max_length=60)
    point = serializers.CharField(max_length=60)
    at = serializers.DateTimeField()
    value = serializers.FloatField()


@api_view(["POST"])  # type: ignore[untyped-decorator]
def readings(request: Request) -> Response:
    serializer = ReadingSerializer(data=request.data["readings"], many=True)
    serializer.is_valid(raise_exception=True)
    rows = serializer.validated_data
    assets = {row["asset"] for row in rows}
    named = Point.objects.filter(asset__in=assets).values_list("asset", "code", "pk")
    known = {(asset, code): pk for asset, code, pk in named}
    Reading.objects.bulk_create(
        [
            Reading(point_id=known[row["asset"], row["point"]], at=row["at"], value=row["value"])
            for row in rows
        ],
        ignore_conflicts=True,
    )
    return Response({"received": len(rows)})


def prepare(points: list[tuple[str, str]]) -> None:
    """Make the tables and the points."""
    with connection.schema_editor() as editor:
        editor.create_model(Point)
        editor.create_model(Reading)
    Point.objects.bulk_create([Point(asset=asset, code=code) for asset, code in points])


urlpatterns = [path("readings", readings)]
application = get_wsgi_application()
