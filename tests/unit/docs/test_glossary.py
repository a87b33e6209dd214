"""The glossary holds every word of the tables and lists, in both languages."""

import inspect
from collections import Counter, defaultdict

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.apps import apps
from django.db.models import Choices

from maintenance import choices
from maintenance.choices import Permission, TokenScope
from maintenance.web.navigation import SECTIONS
from tests.unit.docs.documents import ROOT, read, rows

GLOSSARY = read("docs/reference/glossary.md")
TERMS = rows(GLOSSARY, "term")
LABELS = [(english, spanish) for _, english, spanish in rows(GLOSSARY, "list")]
# Each says which of one thing belongs to another; both are terms.
LINKS = {"technician skill", "job plan role", "job plan tool", "job plan part"}
# Said of something else: how many parts, and many words of one kind.
HOMONYMS = {"Quantity", "Reason", "Task"}
STANDARDS = {"", "EN 13306", "ISO 14224", "ISO 13374", "EN 13306, ISO 14224"}
# Sentences, explained in docs/reference/roles.md.
SENTENCES = (Permission, TokenScope)


def test_every_term_stands_once_in_both_languages_with_its_meaning() -> None:
    assert [row for row in TERMS if len(row) != 4 or not all(row[:3])] == []
    assert [term for term, times in Counter(row[0] for row in TERMS).items() if times > 1] == []


def test_a_term_comes_from_a_standard_or_from_none() -> None:
    assert {row[3] for row in TERMS} <= STANDARDS


def test_every_table_is_a_term() -> None:
    known = {row[0].lower() for row in TERMS}
    tables = {
        str(model._meta.verbose_name) for model in apps.get_app_config("maintenance").get_models()
    }
    assert tables - LINKS - known == set()


def closed_lists() -> list[type[Choices]]:
    found = [each for _, each in inspect.getmembers(choices, inspect.isclass)]
    return [
        each for each in found if issubclass(each, Choices) and each.__module__ == choices.__name__
    ]


@pytest.mark.parametrize("closed_list", closed_lists(), ids=lambda each: each.__name__)
def test_every_value_of_a_closed_list_is_there(closed_list: type[Choices]) -> None:
    if closed_list in SENTENCES:
        return
    known = {english for english, _ in LABELS}
    assert [label for label in closed_list.labels if str(label) not in known] == []


def test_every_section_of_the_menu_is_there() -> None:
    known = {english for english, _ in LABELS}
    assert [section.label for section in SECTIONS if str(section.label) not in known] == []


def spanish_catalogue() -> Catalog:
    with (ROOT / "locale/es/LC_MESSAGES/django.po").open("rb") as file:
        return read_po(file, locale="es")


def test_pages_say_in_spanish_what_the_glossary_says() -> None:
    """A word may have two meanings, and a translation for each (a high risk, a high priority)."""
    translations: dict[str, set[str]] = defaultdict(set)
    for message in spanish_catalogue():
        if isinstance(message.id, str):
            translations[message.id].add(str(message.string))
    assert {
        english: (spanish, translations[english])
        for english, spanish in LABELS
        if spanish not in translations[english]
    } == {}


def test_a_term_that_pages_say_is_the_same_in_spanish() -> None:
    catalogue = spanish_catalogue()
    said = {term: (spanish, catalogue.get(term.lower())) for term, spanish, *_ in TERMS}
    assert {
        term: (spanish, message.string)
        for term, (spanish, message) in said.items()
        if message and term not in HOMONYMS and message.string.lower() != spanish.lower()
    } == {}
