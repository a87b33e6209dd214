"""Browser libraries from npm, published under our own names, hashed and compressed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseStorageFinder
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

from maintenance.checks import browser_libraries_are_installed


class NpmStorage(FileSystemStorage):
    """Keeps each file that the setting NPM_FILES names, and no other, inside node_modules."""

    def path(self, name: str) -> str:
        return str(Path(settings.NODE_MODULES_DIR) / settings.NPM_FILES.get(name, name))

    def exists(self, name: str) -> bool:
        return name in settings.NPM_FILES and Path(self.path(name)).is_file()


class NpmFinder(BaseStorageFinder):
    storage = NpmStorage()

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return browser_libraries_are_installed()

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[tuple[str, NpmStorage]]:  # noqa: ARG002  Django passes it.
        return ((name, self.storage) for name in settings.NPM_FILES)


class HashedStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped base
    """Names carry a hash of the content; source maps are neither published nor looked for."""

    patterns = tuple(
        (extension, tuple(p for p in patterns if "sourceMappingURL" not in str(p)))
        for extension, patterns in CompressedManifestStaticFilesStorage.patterns
    )
