"""Who may do what, where: users, their roles by site, API tokens, and the audit trail."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from maintenance.choices import Permission, Role, TokenScope, roles_with

if TYPE_CHECKING:
    import datetime as dt

M = TypeVar("M", bound=models.Model)
AnyUser: TypeAlias = "User | AnonymousUser"


class User(AbstractUser):
    """Somebody who signs in; what they may do hangs on their memberships."""


class SiteQuerySet(models.QuerySet["Site"]):
    def for_user(self, user: AnyUser, permission: Permission | None = None) -> Self:
        """The sites where the user holds the permission (any permission when None)."""
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self
        held = Membership.objects.filter(user=user, site=models.OuterRef("pk"))
        if permission is not None:
            held = held.filter(role__in=roles_with(permission))
        return self.filter(models.Exists(held))


class Site(models.Model):
    """A plant: permissions, time zone and currency hang here."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    forecast_horizon_days = models.PositiveSmallIntegerField(
        _("forecast horizon, days"), default=60
    )
    schedule_days = models.PositiveSmallIntegerField(_("schedule length, days"), default=14)
    hourly_rate = models.DecimalField(
        _("standard labour rate per hour"), max_digits=9, decimal_places=2, default=40
    )
    keep_readings_days = models.PositiveIntegerField(
        _("keep readings, days"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="site_horizon_longer_than_schedule",
                condition=models.Q(forecast_horizon_days__gt=models.F("schedule_days")),
            ),
            models.CheckConstraint(
                name="site_schedule_days_within_limits",
                condition=models.Q(schedule_days__gte=1, schedule_days__lte=56),
            ),
            models.CheckConstraint(
                name="site_keeps_readings_for_a_day",
                condition=models.Q(keep_readings_days__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Each page of the site needs its time zone: one that is none would break them all."""
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            words = _("%(name)s is no time zone such as Europe/Madrid.") % {"name": self.time_zone}
            raise ValidationError({"time_zone": words}) from None


class SiteScopedQuerySet(models.QuerySet[M]):
    """Rows that belong to a site; `for_user` is the only way a page or an endpoint reads them."""

    def for_user(self, user: AnyUser, permission: Permission | None = None) -> Self:
        model: Any = self.model
        wanted = permission or model.READ_PERMISSION
        sites = Site.objects.for_user(user, wanted)
        return self.filter(**{f"{model.SITE_PATH}__in": sites})

    def of_site(self, site: Site) -> Self:
        model: Any = self.model
        return self.filter(**{model.SITE_PATH: site})


class SiteScoped(models.Model):
    """A row of one site, found by following `SITE_PATH`."""

    SITE_PATH: ClassVar[str] = "site"
    READ_PERMISSION: ClassVar[Permission] = Permission.READ_ASSETS

    class Meta:
        abstract = True


class Fact(SiteScoped):
    """Something that was told to us: when we learned it and by what name the teller knows it."""

    recorded_at = models.DateTimeField(_("recorded at"))
    source = models.CharField(_("source"), max_length=40, blank=True)
    external_id = models.CharField(_("external id"), max_length=120, blank=True)

    class Meta:
        abstract = True


def unique_external_id(*, within: str, name: str) -> models.UniqueConstraint:
    return models.UniqueConstraint(
        fields=[within, "source", "external_id"],
        condition=~models.Q(external_id=""),
        name=name,
    )


class Membership(SiteScoped):
    READ_PERMISSION = Permission.ADMINISTER

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    site = models.ForeignKey(Site, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=24, choices=Role)
    recorded_at = models.DateTimeField(_("recorded at"))

    objects = SiteScopedQuerySet["Membership"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "site", "role"], name="one_role_once_a_site")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} ({self.site})"


class ApiTokenQuerySet(SiteScopedQuerySet["ApiToken"]):
    def usable(self, *, now: dt.datetime) -> Self:
        return self.filter(revoked_at=None).filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        )


class ApiToken(SiteScoped):
    """A machine's key to one site. Only its digest is stored; the secret is shown once."""

    READ_PERMISSION = Permission.ADMINISTER

    site = models.ForeignKey(Site, models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    # It stays so when its last point is deleted: whoever gives a token points sets it.
    limited = models.BooleanField(_("for its measurement points alone"), default=False)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(_("recorded at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["site", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "name"], name="api_token_name_unique_in_site")
        ]

    def __str__(self) -> str:
        return self.name

    def allows(self, scope: TokenScope) -> bool:
        return scope.value in self.scopes

    def allowed_points(self) -> frozenset[int] | None:
        """The points that it is for; None when it is for all of its site."""
        points = frozenset(self.points.values_list("pk", flat=True))
        return points if self.limited or points else None

    @staticmethod
    def new_secret() -> str:
        return "vg_" + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(secret: str) -> str:
        """SHA-256 suffices: a secret of 256 random bits needs no slow hash."""
        return hashlib.sha256(secret.encode()).hexdigest()


class AuditEntry(SiteScoped):
    """Who changed what, when, from what to what."""

    READ_PERMISSION = Permission.READ_WORK

    site = models.ForeignKey(Site, models.CASCADE, related_name="audit_entries")
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    action = models.CharField(_("action"), max_length=60)
    subject = models.CharField(_("subject"), max_length=160)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    objects = SiteScopedQuerySet["AuditEntry"].as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["site", "-at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
