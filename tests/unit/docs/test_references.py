"""Each rule, feature, role and scope has its entry in the reference."""

import re

from maintenance.choices import ROLE_PERMISSIONS, Permission, Role, TokenScope
from predictors.schema import DEFAULT_STATISTICS, FeatureSet
from scheduler.rules import MESSAGES
from tests.unit.docs.documents import inline, read, rows

ROLES = read("docs/reference/roles.md")
FEATURES = read("docs/reference/features.md")
EVERYTHING = FeatureSet(
    "everything", "1", quantities=("q",), error_codes=("e",), modes=("m",), statics=("s",)
)


def test_every_rule_of_the_schedule_is_described() -> None:
    described = set(inline(read("docs/reference/scheduler.md")))
    assert set(MESSAGES) - described == set()


def test_the_matrix_of_roles_is_the_one_in_force() -> None:
    heads = re.search(r"^\| permission \| viewer .*$", ROLES, flags=re.MULTILINE)
    assert heads
    roles = [Role(cell.strip()) for cell in heads[0].strip("|").split("|")[1:]]
    granted: dict[Role, set[Permission]] = {role: set() for role in Role}
    for permission, *cells in rows(ROLES, "permission | viewer"):
        for role, cell in zip(roles, cells, strict=True):
            if cell == "yes":
                granted[role].add(Permission(permission))
    assert granted == {role: set(permissions) for role, permissions in ROLE_PERMISSIONS.items()}


def test_every_permission_and_scope_is_explained() -> None:
    assert [row[0] for row in rows(ROLES, "permission | lets")] == [p.value for p in Permission]
    assert [row[0] for row in rows(ROLES, "scope")] == [scope.value for scope in TokenScope]


def test_every_kind_of_feature_is_described() -> None:
    assert {row[0] for row in rows(FEATURES, "kind")} == {spec.kind for spec in EVERYTHING.specs}


def test_every_statistic_is_described() -> None:
    described = {row[0] for row in rows(FEATURES, "statistic")}
    assert described == {spec.statistic for spec in EVERYTHING.specs}


def test_the_default_windows_are_those_described() -> None:
    described = {row[0]: row[3] for row in rows(FEATURES, "statistic")}
    for statistic, windows in DEFAULT_STATISTICS.items():
        first = described[statistic].partition(";")[0]
        assert first == ", ".join(f"{days:g}" for days in windows)


def test_columns_are_called_as_described() -> None:
    patterns = [cell for row in rows(FEATURES, "kind") for cell in row[1].split("`, `")]
    words = {"QUANTITY": "q", "STATISTIC": r"[a-z]+", "WINDOW": r"\d+", "MODE": "m", "CODE": "e"}
    regex = "|".join(_regex(pattern, words | {"NAME": "s"}) for pattern in patterns)
    assert [spec.name for spec in EVERYTHING.specs if not re.fullmatch(regex, spec.name)] == []


def _regex(pattern: str, words: dict[str, str]) -> str:
    escaped = re.escape(pattern)
    for word, meaning in words.items():
        escaped = escaped.replace(word, meaning)
    return escaped
