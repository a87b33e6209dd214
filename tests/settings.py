"""The settings under which tests run: a folder and a database of their own, nothing kept.

VIGIA_TEST_DATABASE_URL chooses the database; without it SQLite keeps everything in memory.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

SCRATCH = Path(tempfile.mkdtemp(prefix="vigia-tests-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)

OF_THE_TESTS = ("VIGIA_DATA", "VIGIA_CHROMIUM", "VIGIA_HIDE_SERVICES", "VIGIA_REQUIRE_SERVICES")
for name in list(os.environ):
    if name.startswith("VIGIA_") and not name.startswith(("VIGIA_TEST_", *OF_THE_TESTS)):
        del os.environ[name]
os.environ["VIGIA_VAR_DIR"] = str(SCRATCH)
os.environ["CELERY_BROKER_URL"] = "filesystem://"
os.environ["DATABASE_URL"] = os.environ.get(
    "VIGIA_TEST_DATABASE_URL", f"sqlite:///{SCRATCH / 'vigia.sqlite3'}"
)

from config.settings import *  # noqa: E402, F403  What the variables above decide.

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT = SCRATCH / "staticfiles"
STATIC_ROOT.mkdir()
WHITENOISE_USE_FINDERS = True
