import datetime

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('maintenance', '0010_uploads'),
    ]

    operations = [
        migrations.AddField(
            model_name='measurementpoint',
            name='quality_checked_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='qualityinterval',
            name='known_at',
            # No interval was written before this.
            field=models.DateTimeField(default=datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), verbose_name='could be told at'),
            preserve_default=False,
        ),
    ]
