"""Rows with sensible defaults, for tests that need some and do not care about the rest."""

from __future__ import annotations

import datetime as dt

import factory

from maintenance.choices import Role, TokenScope
from maintenance.models import (
    ApiToken,
    Asset,
    AssetClass,
    FailureMode,
    MeasurementPoint,
    Membership,
    Site,
    Technician,
    User,
)

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
SECRET = "vg_a-secret-of-the-tests"


class SiteFactory(factory.django.DjangoModelFactory[Site]):
    class Meta:
        model = Site

    code = factory.Sequence(lambda n: f"plant-{n}")
    name = factory.LazyAttribute(lambda site: site.code.title())
    recorded_at = NOW


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user-{n}")


class MembershipFactory(factory.django.DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    site = factory.SubFactory(SiteFactory)
    role = Role.VIEWER
    recorded_at = NOW


class ApiTokenFactory(factory.django.DjangoModelFactory[ApiToken]):
    """A token whose secret is `secret`, which is not kept."""

    class Meta:
        model = ApiToken

    class Params:
        secret = SECRET

    site = factory.SubFactory(SiteFactory)
    name = factory.Sequence(lambda n: f"token-{n}")
    digest = factory.LazyAttribute(lambda token: ApiToken.digest_of(token.secret))
    scopes = factory.LazyFunction(lambda: [TokenScope.WRITE_READINGS.value])
    recorded_at = NOW


class AssetClassFactory(factory.django.DjangoModelFactory[AssetClass]):
    class Meta:
        model = AssetClass

    site = factory.SubFactory(SiteFactory)
    code = factory.Sequence(lambda n: f"class-{n}")
    name = factory.LazyAttribute(lambda asset_class: asset_class.code.title())
    recorded_at = NOW


class FailureModeFactory(factory.django.DjangoModelFactory[FailureMode]):
    class Meta:
        model = FailureMode

    asset_class = factory.SubFactory(AssetClassFactory)
    code = factory.Sequence(lambda n: f"mode-{n}")
    name = factory.LazyAttribute(lambda mode: mode.code.title())
    component_code = factory.LazyAttribute(lambda mode: mode.code)
    recorded_at = NOW


class AssetFactory(factory.django.DjangoModelFactory[Asset]):
    class Meta:
        model = Asset

    site = factory.SubFactory(SiteFactory)
    asset_class = factory.SubFactory(AssetClassFactory, site=factory.SelfAttribute("..site"))
    code = factory.Sequence(lambda n: f"A-{n}")
    commissioned_at = LONG_AGO
    recorded_at = NOW


class MeasurementPointFactory(factory.django.DjangoModelFactory[MeasurementPoint]):
    class Meta:
        model = MeasurementPoint

    asset = factory.SubFactory(AssetFactory)
    code = factory.Sequence(lambda n: f"point-{n}")
    name = factory.LazyAttribute(lambda point: point.code.title())
    recorded_at = NOW


class TechnicianFactory(factory.django.DjangoModelFactory[Technician]):
    class Meta:
        model = Technician

    site = factory.SubFactory(SiteFactory)
    code = factory.Sequence(lambda n: f"tech-{n}")
    name = factory.LazyAttribute(lambda technician: technician.code.title())
    recorded_at = NOW
