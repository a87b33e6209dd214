"""Keep the translations complete: compare what the sources say with the catalogues in locale/.

    python -m config.translations check     fails, naming each string that lacks a translation
    python -m config.translations update    writes new strings into the catalogues, to be translated

Babel reads Python, templates and scripts, so that neither needs gettext; where gettext is
installed, `check` also asks its msgfmt for a second opinion.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
# Those of the settings, but for the one the sources are written in.
LANGUAGES = ("es",)
KEYWORDS: Mapping[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


@dataclass(frozen=True)
class Domain:
    """Strings of one kind: those the server writes, or those the browser writes."""

    name: str
    sources: tuple[tuple[str, str, str], ...]  # folder, files, how they are read

    def template(self, root: Path) -> Catalog:
        """Every string the sources ask to have translated, with the files that say it."""
        found = Catalog()
        for path, method in self._files(root):
            for line, message, comments, context in extract(
                method, BytesIO(_code(path)), KEYWORDS, comment_tags=["Translators:"]
            ):
                place = (path.relative_to(root).as_posix(), line)
                found.add(message, locations=[place], auto_comments=comments, context=context)
        return found

    def _files(self, root: Path) -> Iterator[tuple[Path, str]]:
        for folder, pattern, method in self.sources:
            for path in sorted((root / folder).rglob(pattern)):
                yield path, method


DOMAINS = (
    Domain(
        "django",
        (
            ("config", "*.py", "python"),
            ("maintenance", "*.py", "python"),
            ("templates", "*.html", "python"),
            ("templates", "*.txt", "python"),
        ),
    ),
    Domain("djangojs", (("static", "*.js", "javascript"),)),
)


def _code(path: Path) -> bytes:
    """A template becomes Python that calls gettext where the template would."""
    if path.suffix not in (".html", ".txt"):
        return path.read_bytes()
    code = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    return re.sub(r"^[ \t]+", "", code, flags=re.MULTILINE).encode()


def check(root: Path = ROOT) -> list[str]:
    """What is wrong, one sentence each."""
    return [problem for domain in DOMAINS for problem in _problems_of(domain, root)]


def _problems_of(domain: Domain, root: Path) -> Iterator[str]:
    template = domain.template(root)
    if not len(template):
        return
    for path in _catalogues(domain, root):
        where = path.relative_to(root).as_posix()
        if not path.is_file():
            yield f"{where}: is missing"
            continue
        catalog = _read(path)
        for message in template:
            if message.id and (trouble := _trouble(catalog.get(message.id, message.context))):
                places = ", ".join(sorted({place for place, _ in message.locations}))
                yield f"{where}: {_first(message)!r} {trouble} ({places})"
        for message in catalog:
            if message.id and template.get(message.id, message.context) is None:
                yield f"{where}: {_first(message)!r} is no longer said anywhere"
        for message, errors in catalog.check():
            for error in errors:
                yield f"{where}: {_first(message)!r}: {error}"
        yield from _opinion_of_gettext(path, where)


def _trouble(translation: Message | None) -> str:
    if translation is None:
        return "is not in the catalogue"
    if translation.fuzzy:
        return "is marked fuzzy"
    said = translation.string
    whole = all(said) if isinstance(said, tuple | list) else bool(said)
    return "" if whole else "is not translated"


def _opinion_of_gettext(path: Path, where: str) -> Iterator[str]:
    if msgfmt := shutil.which("msgfmt"):
        heard = subprocess.run(  # noqa: S603  Both names are ours.
            [msgfmt, "--check-format", "--check-header", "--output-file=/dev/null", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if heard.returncode:
            yield f"{where}: msgfmt says {heard.stderr.strip()}"


def update(root: Path = ROOT) -> None:
    """Bring the catalogues up to what the sources say; keep every translation still in use."""
    for domain in DOMAINS:
        template = domain.template(root)
        for path in _catalogues(domain, root):
            if not path.is_file() and not len(template):
                continue
            catalog = _read(path) if path.is_file() else _new(path)
            catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                write_po(file, catalog, width=100, include_lineno=False, ignore_obsolete=True)


def _catalogues(domain: Domain, root: Path) -> list[Path]:
    return [root / "locale" / name / "LC_MESSAGES" / f"{domain.name}.po" for name in LANGUAGES]


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def _new(path: Path) -> Catalog:
    catalog = Catalog(locale=path.parent.parent.name, project="Vigía", fuzzy=False)
    catalog.header_comment = "# Vigía"
    return catalog


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def main(arguments: list[str]) -> int:
    if arguments == ["update"]:
        update()
        return 0
    if arguments != ["check"]:
        sys.stdout.write(f"{__doc__}\n")
        return 2
    problems = check()
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.stdout.write(f"Translations: {len(problems)} problems.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
