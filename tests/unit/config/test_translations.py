from pathlib import Path

import pytest
from django.conf import settings

from config import translations

PAGE = """{% load i18n %}<h1 title="it's">{% translate "Fleet" %}</h1>
{% blocktranslate count days=n trimmed %}
  {{ days }} day
{% plural %}
  {{ days }} days
{% endblocktranslate %}"""
SPANISH = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("config", "maintenance", "templates", "static"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "templates/fleet.html").write_text(PAGE)
    (tmp_path / "static/plan.js").write_text('show(gettext("Moved"));')
    (tmp_path / "maintenance/choices.py").write_text('A = pgettext_lazy("state", "Open")\n')
    return tmp_path


def catalogue(tree: Path, name: str = "django") -> Path:
    return tree / "locale/es/LC_MESSAGES" / f"{name}.po"


def translate(path: Path, **words: str) -> None:
    text = path.read_text()
    for said, spanish in words.items():
        text = text.replace(f'msgid "{said}"\nmsgstr ""', f'msgid "{said}"\nmsgstr "{spanish}"')
    text = text.replace('msgstr[0] ""', 'msgstr[0] "%(days)s día"')
    path.write_text(text.replace('msgstr[1] ""', 'msgstr[1] "%(days)s días"'))


def complete(tree: Path) -> None:
    translations.update(tree)
    translate(catalogue(tree), Fleet="Flota", Open="Abierta")
    translate(catalogue(tree, "djangojs"), Moved="Movido")


def test_strings_of_python_templates_and_scripts_are_found(tree: Path) -> None:
    translations.update(tree)
    text = catalogue(tree).read_text()
    assert 'msgid "Fleet"' in text
    assert 'msgid_plural "%(days)s days"' in text
    assert 'msgctxt "state"\nmsgid "Open"' in text
    assert 'msgid "Moved"' in catalogue(tree, "djangojs").read_text()


def test_every_language_offered_is_checked() -> None:
    offered = {code for code, _ in settings.LANGUAGES}
    assert {settings.LANGUAGE_CODE, *translations.LANGUAGES} == offered


def test_a_catalogue_that_is_not_there_is_named(tree: Path) -> None:
    assert "locale/es/LC_MESSAGES/django.po: is missing" in translations.check(tree)


def test_a_complete_catalogue_has_no_problem(tree: Path) -> None:
    complete(tree)
    assert translations.check(tree) == []


def test_a_new_string_is_named_with_its_file(tree: Path) -> None:
    complete(tree)
    (tree / "templates/inbox.html").write_text('{% load i18n %}{% translate "Inbox" %}')
    [problem] = translations.check(tree)
    assert problem.endswith("'Inbox' is not in the catalogue (templates/inbox.html)")


def test_a_string_without_translation_is_named(tree: Path) -> None:
    translations.update(tree)
    assert any("'Fleet' is not translated" in line for line in translations.check(tree))


def test_a_guess_does_not_count_as_a_translation(tree: Path) -> None:
    complete(tree)
    text = catalogue(tree).read_text().replace('msgid "Fleet"', '#, fuzzy\nmsgid "Fleet"')
    catalogue(tree).write_text(text)
    assert any("'Fleet' is marked fuzzy" in line for line in translations.check(tree))


def test_a_string_nobody_says_any_more_is_named(tree: Path) -> None:
    complete(tree)
    (tree / "static/plan.js").write_text("")
    (tree / "maintenance/choices.py").write_text("")
    assert any("'Open' is no longer said" in line for line in translations.check(tree))


def test_a_translation_that_loses_a_placeholder_is_named(tree: Path) -> None:
    complete(tree)
    text = catalogue(tree).read_text().replace("%(days)s días", "%(dias)s días")
    catalogue(tree).write_text(text)
    assert any("day" in line for line in translations.check(tree))


def test_updating_keeps_the_translations_in_use(tree: Path) -> None:
    complete(tree)
    before = catalogue(tree).read_text()
    translations.update(tree)
    assert catalogue(tree).read_text() == before


def test_the_command_wants_to_be_told_what_to_do() -> None:
    assert translations.main([]) == 2
