"""The pages of documentation, and the parts of them that tests look at."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DOCS = ROOT / "docs"
PAGES = tuple(sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")]))
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4}|\t).*\n?)+", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Blocks of code, fenced or indented."""
    rest = FENCED.sub("", text)
    return [*FENCED.findall(text), *INDENTED.findall(rest)]


def inline(text: str) -> list[str]:
    """Code within sentences, on one line."""
    return [" ".join(code.split()) for code in INLINE.findall(FENCED.sub("", text))]


def code(text: str) -> Iterator[str]:
    """Every line of code, a continued one joined."""
    for block in blocks(text):
        yield from re.sub(r"\\\n\s*", " ", block).splitlines()
    yield from inline(text)


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of every table whose head begins so, without markup of code."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
        elif line.startswith(f"| {head}"):
            inside = True
        elif inside and not line.startswith("|---"):
            found.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return found
