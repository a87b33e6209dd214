"""All tables at once: they point one way, and no row of another site is ever seen."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models

import maintenance.models
from maintenance.choices import Permission, Role
from maintenance.models import Site
from maintenance.models.access import SiteScoped, SiteScopedQuerySet
from tests.factories import NOW

ORDER = re.findall(r"\w+", (maintenance.models.__doc__ or "").rpartition(":")[2])
FOLDER = Path(maintenance.models.__file__).parent
TABLES = [
    model
    for model in apps.get_app_config("maintenance").get_models()
    if not model._meta.auto_created
]
SCOPED = [model for model in TABLES if issubclass(model, SiteScoped)]


def _module(model: type[models.Model]) -> str:
    return model.__module__.rpartition(".")[2]


def test_the_order_of_the_modules_names_each_of_them():
    assert sorted(ORDER) == sorted(
        path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"
    )


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_foreign_keys_point_only_upstream(model):
    """Written as a class or as a string: what a table refers to stands in its module or above."""
    for field in model._meta.get_fields():
        if field.auto_created or not field.is_relation or field.related_model is None:
            continue
        target = field.related_model
        if target._meta.app_label != "maintenance":
            continue
        assert ORDER.index(_module(target)) <= ORDER.index(_module(model)), field


def test_modules_import_only_those_above_them():
    for name in ORDER:
        source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
        for imported in re.findall(r"from maintenance\.models\.(\w+) import", source):
            assert ORDER.index(imported) < ORDER.index(name), f"{name} imports {imported}"


def test_every_table_can_be_had_from_the_package():
    offered = {getattr(maintenance.models, name) for name in maintenance.models.__all__}
    assert offered == set(TABLES)
    assert list(maintenance.models.__all__) == sorted(maintenance.models.__all__)


def test_only_what_has_no_site_is_not_scoped_by_one():
    """Users belong to no site; a site is its own; readings are read through the store alone."""
    assert {model.__name__ for model in TABLES if model not in SCOPED} == {
        "User",
        "Site",
        "Reading",
        "ReadingSegment",
        "Watermark",
    }


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
def test_every_scoped_table_leads_to_its_site(model):
    target: type[models.Model] = model
    for name in model.SITE_PATH.split("__"):
        field = target._meta.get_field(name)
        assert not field.null, f"{model.__name__}.{name} may be empty: its rows would be nobody's"
        target = field.related_model
    assert target is Site
    assert isinstance(model._default_manager.all(), SiteScopedQuerySet)
    assert model.READ_PERMISSION in Permission


def test_modules_are_imported_whole():
    for name in ORDER:
        assert importlib.import_module(f"maintenance.models.{name}").__doc__


def test_roles_are_kept_by_the_names_that_the_vocabulary_has():
    field = maintenance.models.Membership._meta.get_field("role")
    assert [value for value, _ in field.choices] == Role.values


def test_a_site_needs_a_time_zone_that_exists():
    with pytest.raises(ValidationError, match="is no time zone such as Europe/Madrid"):
        Site(code="moon", name="Moon", time_zone="Moon/Base", recorded_at=NOW).full_clean(
            validate_unique=False, validate_constraints=False
        )
