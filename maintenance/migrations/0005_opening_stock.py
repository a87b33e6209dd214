"""Stock that was there before the ledger gets the line that opens it."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

# Known by it when the migration is undone; importers name their own source.
SOURCE = "opening"
ROWS = 500


def open_ledger(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    entry_model = apps.get_model("maintenance", "StockEntry")
    part_model = apps.get_model("maintenance", "SparePart")
    now = timezone.now()
    known = Coalesce(Sum("entries__quantity"), 0)
    parts = part_model.objects.order_by("pk").annotate(known=known).exclude(stock=F("known"))
    entry_model.objects.bulk_create(
        (
            entry_model(
                part_id=part.pk,
                kind="count",
                quantity=part.stock - part.known,
                at=now,
                source=SOURCE,
                recorded_at=now,
            )
            for part in parts
        ),
        batch_size=ROWS,
    )


def forget_openings(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("maintenance", "StockEntry").objects.filter(source=SOURCE, kind="count").delete()


class Migration(migrations.Migration):
    dependencies = [("maintenance", "0004_watch_every_night")]

    operations = [migrations.RunPython(open_ledger, forget_openings)]
