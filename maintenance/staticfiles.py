"""Browser libraries from npm, published under our own names, hashed and compressed."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class NpmStorage(FileSystemStorage):
    """Reads each published name from its place inside node_modules."""

    def path(self, name: str) -> str:
        return str(Path(settings.NODE_MODULES_DIR) / settings.NPM_FILES[name])


class NpmFinder(BaseFinder):
    """Finds the files that the setting NPM_FILES names, and no other."""

    storage = NpmStorage()

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        missing = [file for name, file in settings.NPM_FILES.items() if not self._exists(name)]
        if not missing:
            return []
        return [
            Error(
                f"Browser libraries are missing from node_modules: {', '.join(missing)}.",
                hint="Run `make setup`, or `npm ci` alone.",
                id="vigia.E001",
            )
        ]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = [self.storage.path(path)] if self._exists(path) else []
        return found if find_all else (found or [[]])[0]

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, NpmStorage]]:
        return ((name, self.storage) for name in settings.NPM_FILES)

    def _exists(self, name: str) -> bool:
        return name in settings.NPM_FILES and Path(self.storage.path(name)).is_file()


class HashedStorage(CompressedManifestStaticFilesStorage):
    """Names carry a hash of the content; source maps are neither published nor looked for."""

    patterns = tuple(
        (extension, tuple(p for p in patterns if "sourceMappingURL" not in str(p)))
        for extension, patterns in CompressedManifestStaticFilesStorage.patterns
    )
