"""The default timetable, created once; from then on it lives in the database and is edited there."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SWEEP_SECONDS = 15


def create_defaults(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
    crontab_model = apps.get_model("django_celery_beat", "CrontabSchedule")
    task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    every_few_seconds, _ = interval_model.objects.get_or_create(
        every=SWEEP_SECONDS, period="seconds"
    )
    daily, _ = crontab_model.objects.get_or_create(
        minute="0", hour="1", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    weekly, _ = crontab_model.objects.get_or_create(
        minute="0", hour="2", day_of_week="0", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    task_model.objects.get_or_create(
        name="Sweep operations",
        defaults={"task": "maintenance.sweep_operations", "interval": every_few_seconds},
    )
    task_model.objects.get_or_create(
        name="Forecast every night",
        defaults={"task": "maintenance.forecast_all_sites", "crontab": daily},
    )
    task_model.objects.get_or_create(
        name="Train every week",
        defaults={"task": "maintenance.train_all_sites", "crontab": weekly},
    )


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create_defaults, migrations.RunPython.noop)]
