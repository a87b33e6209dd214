"""Every setting of the application, read from the environment.

Nothing needs to be set to try Vigía on one machine. ``docs/reference/settings.md`` describes each
variable; ``VIGIA_PRODUCTION=1`` makes the ones that matter compulsory.
"""

import datetime as dt
import os
import re
import socket
import tomllib
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import environment as env

# ModelAdmin, Form and views take the type of what they handle: `ModelAdmin[Asset]`.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env.folder("VIGIA_VAR_DIR", default=BASE_DIR / "var")

PRODUCTION = env.flag("VIGIA_PRODUCTION", default=False)
DEBUG = env.flag("VIGIA_DEBUG", default=False)
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("VIGIA_DEBUG shows secrets to visitors: unset it in production.")

SECRET_KEY = env.secret("VIGIA_SECRET_KEY", kept_in=VAR_DIR / "secret-key", required=PRODUCTION)
ALLOWED_HOSTS = env.words(
    "VIGIA_ALLOWED_HOSTS", default="" if PRODUCTION else "localhost,127.0.0.1,[::1]"
)
CSRF_TRUSTED_ORIGINS = env.words("VIGIA_CSRF_TRUSTED_ORIGINS")

# The numerical libraries read these when they are first loaded. Waiting actively for a busy
# neighbour made training many times slower than one thread alone.
THREADS = env.number("VIGIA_THREADS", default=1, at_least=1)
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Application

INSTALLED_APPS = [
    "maintenance.apps.MaintenanceConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "ninja",
    "tablericons",
    "template_partials",
]

MIDDLEWARE = [
    "maintenance.web.middleware.Traced",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Each route is closed until it says `login_not_required`.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "maintenance.web.middleware.CurrentSite",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.template.context_processors.tz",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "maintenance.web.navigation.navigation",
            ]
        },
    }
]
TABLERICONS_STROKE_WIDTH = 1.75

# Data

DATABASES = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'vigia.sqlite3'}")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ARTEFACTS_DIR = VAR_DIR / "artefacts"
MEDIA_ROOT = VAR_DIR / "uploads"

# The largest body of readings as it is sent, packed or not.
MAX_READINGS_BYTES = env.number("VIGIA_MAX_READINGS_MB", default=5, at_least=1) * 1024 * 1024
# Sooner or later it has come whole, or it is refused: a thread waits for it.
SLOWEST_BODY_SECONDS = env.number("VIGIA_SLOWEST_BODY_SECONDS", default=30, at_least=1)
# Of one API token, in one web process. What comes beyond is told to come again.
TOKEN_REQUESTS_AT_ONCE = env.number("VIGIA_TOKEN_REQUESTS_AT_ONCE", default=3, at_least=1)
# The largest body of a request; a compressed one counts as what it unpacks to.
MAX_BODY_BYTES = env.number("VIGIA_MAX_BODY_MB", default=16, at_least=1) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
# The largest file of readings, unpacked. It is kept on disk, never whole in memory.
MAX_UPLOAD_BYTES = env.number("VIGIA_MAX_UPLOAD_MB", default=4096, at_least=1) * 1024 * 1024

# Accounts

AUTH_USER_MODEL = "maintenance.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# A brake on guessed passwords: so many wrong ones for a name from one address, and both wait. It
# looks at the two together: somebody who guesses elsewhere locks nobody out of their own account.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = dt.timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "maintenance.web.session.client_address"
AXES_LOCKOUT_CALLABLE = "maintenance.web.session.locked_out"
# Who came in when stands nowhere: only guesses are kept, and those for as long as they count.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# What the browser may do

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
# The supervisor of the containers asks for health on the inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = env.number("VIGIA_HSTS_SECONDS", default=365 * 24 * 3600) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
BEHIND_PROXY = env.flag("VIGIA_BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Languages and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Static files

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "maintenance.staticfiles.NpmFinder",
]
NODE_MODULES_DIR = BASE_DIR / "node_modules"
# Only the files that pages use: the name they are published under, and where npm puts them.
NPM_FILES = {
    "vendor/tabler/tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "vendor/tabler/tabler.min.js": "@tabler/core/dist/js/tabler.min.js",
    "vendor/uplot/uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "vendor/uplot/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "vendor/event-calendar/event-calendar.min.js": (
        "@event-calendar/build/dist/event-calendar.min.js"
    ),
    "vendor/event-calendar/event-calendar.min.css": (
        "@event-calendar/build/dist/event-calendar.min.css"
    ),
}
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "maintenance.staticfiles.HashedStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Long work. The broker only wakes a worker up: what there is to do stands in the database, so a
# lost message costs time, never work.

LONGEST_TASK_SECONDS = env.number("VIGIA_LONGEST_TASK_SECONDS", default=4 * 3600, at_least=60)
# A worker renews its lease on an operation six times as often. After it, another takes over.
OPERATION_LEASE_SECONDS = env.number("VIGIA_OPERATION_LEASE_SECONDS", default=30, at_least=2)
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", default="filesystem://localhost")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = LONGEST_TASK_SECONDS
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# How soon beat sees a timetable that somebody edits.
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("filesystem"):
    QUEUE_DIR = VAR_DIR / "queue"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # One folder for both ends: what the web puts in, the worker takes out.
        "data_folder_in": str(QUEUE_DIR),
        "data_folder_out": str(QUEUE_DIR),
        "control_folder": str(VAR_DIR / "queue-control"),
    }
elif CELERY_BROKER_URL.startswith(("redis", "rediss")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # A message not acknowledged by then is given to another worker.
        "visibility_timeout": LONGEST_TASK_SECONDS + 600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    }
elif CELERY_BROKER_URL.startswith(("amqp", "pyamqp")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True
else:
    raise ImproperlyConfigured(
        "CELERY_BROKER_URL is neither filesystem:// nor redis://… nor amqp://…"
    )

# MQTT, where a listener runs

MQTT_BROKER = env.mqtt_broker("VIGIA_MQTT_URL", default="mqtt://127.0.0.1:1883")
MQTT_SITE = env.text("VIGIA_MQTT_SITE", default="")
MQTT_TOPICS = env.words("VIGIA_MQTT_TOPICS", default="#")
# The broker keeps what arrives while the listener is away under this name.
MQTT_CLIENT_ID = env.text("VIGIA_MQTT_CLIENT_ID", default="")
MQTT_SESSION_DAYS = env.number("VIGIA_MQTT_SESSION_DAYS", default=7, at_least=1)
MQTT_CA_FILE = env.text("VIGIA_MQTT_CA_FILE", default="")
MQTT_CERTIFICATE_FILE = env.text("VIGIA_MQTT_CERTIFICATE_FILE", default="")
MQTT_KEY_FILE = env.text("VIGIA_MQTT_KEY_FILE", default="")

# Watching

# What Prometheus shows to be let in to /metrics; none: superusers alone read it.
METRICS_TOKEN = env.text("VIGIA_METRICS_TOKEN", default="")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("VIGIA_METRICS_TOKEN is shorter than 20 characters.")
# Where each process counts its requests: the library reads the variable when it is first loaded.
METRICS_DIR = VAR_DIR / "metrics" / re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text("utf-8"))["project"]["version"]

# Logs

LOG_FORMAT = env.choice(
    "VIGIA_LOG_FORMAT", default="json" if PRODUCTION else "console", among=("console", "json")
)
LOG_LEVEL = env.choice(
    "VIGIA_LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")
)
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
