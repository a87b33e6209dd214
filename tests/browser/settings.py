"""The settings as they are served, but with the static files of the run in the run's own folder."""

from config.settings import *  # noqa: F403  What the environment says.
from config.settings import VAR_DIR

STATIC_ROOT = VAR_DIR / "staticfiles"
# Names are hashed as they are for readers; compressing takes a minute and shows nothing.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["css", "js", "json", "map", "svg", "txt"]
