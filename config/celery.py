"""The Celery application, configured by the CELERY_ settings."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("vigia")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Being connected is what matters: Celery then leaves Django's logging as it stands."""


@app.on_after_configure.connect
def make_queue_folders(**_: Any) -> None:
    """The filesystem broker does not make its folders."""
    for name in ("data_folder_in", "control_folder"):
        if path := settings.CELERY_BROKER_TRANSPORT_OPTIONS.get(name):
            Path(path).mkdir(parents=True, exist_ok=True)
