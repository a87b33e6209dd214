"""Commands, options, targets, modules, addresses and variables that pages name exist."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from tests.unit.docs.documents import PAGES, ROOT, code, name, read, rows

MANAGE = re.compile(r"manage\.py ([a-z_]+)((?: [^|&;`]*)?)")
MAKE = re.compile(r"(?:^|[ `=(])make ((?:[A-Z_]+=\S+ )*)([a-z-]+)")
MODULE = re.compile(r"python -m ([a-z_.]+)")
ADDRESS = re.compile(r"^(?:(?:GET|POST|PUT|PATCH|DELETE) )?(/[a-z][\w./<>:-]*)$")
HOST = re.compile(r"https?://(?:127\.0\.0\.1|localhost):8000(/[\w./-]*)")
VARIABLE = re.compile(r"\b(VIGIA_[A-Z_]+[A-Z]|DATABASE_URL|CELERY_BROKER_URL)\b")
NO_ADDRESSES = {"/vigia.sqlite3"}


def lines(page: Path) -> Iterator[str]:
    return code(page.read_text(encoding="utf-8"))


def targets() -> dict[str, str]:
    """What the Makefile can be asked for, with the help of each."""
    rules = re.findall(r"^([a-z][a-z-]*):.*?(?:## (.*))?$", read("Makefile"), flags=re.MULTILINE)
    return dict(rules)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_its_options_exist(page: Path) -> None:
    for line in lines(page):
        for command, arguments in MANAGE.findall(line):
            where = f"{name(page)}: {line}"
            assert command in get_commands(), where
            known = options(command)
            for word in shlex.split(arguments, comments=True):
                if word.startswith("--"):
                    assert word.partition("=")[0] in known, f"{where}: {word}"


def options(command: str) -> set[str]:
    application = get_commands()[command]
    assert isinstance(application, str)
    parser = load_command_class(application, command).create_parser("manage.py", command)
    return set(parser._option_string_actions)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    for line in lines(page):
        for _, target in MAKE.findall(line):
            assert target in targets(), f"{name(page)}: {line}"


def test_every_make_target_is_in_the_readme_or_in_make_help() -> None:
    told = {target for line in code(read("README.md")) for _, target in MAKE.findall(line)}
    helped = {target for target, help_ in targets().items() if help_}
    parts = {target for target in targets() if target.partition("-")[0] in helped - {target}}
    assert set(targets()) - told - helped - parts == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_module_that_is_run_exists(page: Path) -> None:
    for line in lines(page):
        for module in MODULE.findall(line):
            if module.partition(".")[0] in ("venv", "pip"):
                continue
            assert importlib.util.find_spec(module.rstrip(".")), f"{name(page)}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_address_that_is_named_answers(page: Path) -> None:
    for line in lines(page):
        for address in [*ADDRESS.findall(line.strip()), *HOST.findall(line)]:
            if address not in NO_ADDRESSES:
                assert answers(address), f"{name(page)}: {address}"


def answers(address: str) -> bool:
    try:
        resolve(re.sub(r"<[^>]+>|\{[^}]+\}", "1", address))
    except Resolver404:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_variable_that_is_named_is_a_setting(page: Path) -> None:
    settings = {row[0] for row in rows(read("docs/reference/settings.md"), "variable")}
    named = {variable for line in lines(page) for variable in VARIABLE.findall(line)}
    assert named - settings == set(), name(page)


def test_the_readme_says_the_same_in_both_languages() -> None:
    """The same commands, pictures and files."""
    english, spanish = read("README.md"), read("README.es.md")
    for pattern in (
        r"^    (make .*|\.venv.*|curl.*|[a-z]+/)",
        r"^\| `[^|]*\|",
        r"!\[.*?\]\((.*?)\)",
        r"\]\((docs/[^)]*)\)",
    ):
        found = [re.findall(pattern, text, flags=re.MULTILINE) for text in (english, spanish)]
        assert found[0] == found[1]
    assert (ROOT / "README.es.md").exists()
