"""Whole days of readings are sealed every night; created once, then edited in the database."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def create_default(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    crontab_model = apps.get_model("django_celery_beat", "CrontabSchedule")
    task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    # Before the forecasts of the night, which then read segments.
    nightly, _ = crontab_model.objects.get_or_create(
        minute="20", hour="0", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    task_model.objects.get_or_create(
        name="Seal readings every night",
        defaults={"task": "maintenance.keep_readings", "crontab": nightly},
    )


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0007_doors_and_quality"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create_default, migrations.RunPython.noop)]
