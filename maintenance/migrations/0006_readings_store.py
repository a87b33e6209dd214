"""Readings in two tables: hot rows of the last days, and sealed segments."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_EARLIEST_US = -(2**62)

_SQLITE = """
CREATE TABLE vigia_reading (
    point_id bigint NOT NULL,
    at_us bigint NOT NULL,
    value real NOT NULL,
    PRIMARY KEY (point_id, at_us)
) WITHOUT ROWID;
INSERT INTO vigia_reading (point_id, at_us, value)
    SELECT point_id, at_us, value FROM maintenance_reading ORDER BY point_id, at_us;
DROP TABLE maintenance_reading;
ALTER TABLE vigia_reading RENAME TO maintenance_reading;
"""
_POSTGRESQL = """
ALTER TABLE maintenance_readingsegment
    ALTER COLUMN instants SET STORAGE EXTERNAL,
    ALTER COLUMN data SET STORAGE EXTERNAL;
"""


def suit_the_database(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """On SQLite the key is the table; on PostgreSQL what is compressed is not compressed again."""
    statements = _SQLITE if schema_editor.connection.vendor == "sqlite" else _POSTGRESQL
    for statement in statements.split(";"):
        if statement.strip():
            schema_editor.execute(statement)


def leave_what_is_there_hot(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Readings stored before live in the hot table until they are folded."""
    if apps.get_model("maintenance", "Reading").objects.exists():
        mark = apps.get_model("maintenance", "Watermark")
        mark.objects.bulk_create(
            mark(shard=shard, sealed_before_us=_EARLIEST_US) for shard in range(64)
        )


def refuse_to_lose_segments(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if apps.get_model("maintenance", "ReadingSegment").objects.exists():
        raise RuntimeError("Sealed readings would be lost: export them first.")


class Migration(migrations.Migration):
    dependencies = [
        ("maintenance", "0005_opening_stock"),
    ]

    operations = [
        migrations.CreateModel(
            name="Watermark",
            fields=[
                ("shard", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("sealed_before_us", models.BigIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="measurementpoint",
            name="segment_days",
            field=models.PositiveSmallIntegerField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="reading",
            name="point",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="readings",
                to="maintenance.measurementpoint",
            ),
        ),
        migrations.CreateModel(
            name="ReadingSegment",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "point_id",
                        "start_us",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("start_us", models.BigIntegerField()),
                ("last_us", models.BigIntegerField()),
                ("n", models.PositiveIntegerField()),
                ("instants", models.BinaryField()),
                ("data", models.BinaryField()),
                (
                    "point",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="segments",
                        to="maintenance.measurementpoint",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last_us__gte", models.F("start_us")), ("n__gt", 0)),
                        name="segment_holds_readings",
                    )
                ],
            },
        ),
        migrations.RunPython(suit_the_database, migrations.RunPython.noop),
        migrations.RunPython(leave_what_is_there_hot, refuse_to_lose_segments),
    ]
