"""Each key, table and code has its entry in the reference."""

import re
from dataclasses import fields
from pathlib import Path

from django.conf import settings

from maintenance.sources import mappings
from maintenance.sources.mappings import Column, Format, SiteOfMapping

REFERENCE = Path(settings.BASE_DIR, "docs/reference/mappings.md").read_text(encoding="utf-8")
API = Path(settings.BASE_DIR, "docs/reference/api.md").read_text(encoding="utf-8")


def named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", text))


def test_every_key_of_a_mapping_is_described() -> None:
    keys = {one.name for kind in (Column, Format, SiteOfMapping) for one in fields(kind)}
    assert keys | set(mappings._TOP_KEYS) | set(mappings._TABLE_KEYS) <= named(REFERENCE)


def test_every_table_is_described_with_its_key() -> None:
    described = dict(re.findall(r"^\| `([a-z_]+)` \| [^|]* \| ([^|]*) \|$", REFERENCE, re.M))
    assert set(mappings.TABLE_NAMES) <= set(described)
    for name, table in mappings.TABLES.items():
        assert named(described[name]) == {field.name for field in table.fields if field.key}


def test_every_code_of_a_refusal_is_described() -> None:
    folder = Path(settings.BASE_DIR, "maintenance/api")
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    codes = set(re.findall(r"(?:Problem|Refusal)\(\s*\d{3}, \"([a-z_]+)\"", source))
    assert codes
    assert codes <= named(API)
