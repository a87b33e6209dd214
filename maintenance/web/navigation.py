"""What every page's frame shows: the menu, the site, and how much waits for a decision."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from maintenance.choices import ROLE_PERMISSIONS, Permission, Role
from maintenance.models import Alert, Membership, Site, User, WorkOrder


@dataclass(frozen=True)
class Section:
    name: str
    label: Promise
    icon: str
    permissions: frozenset[Permission]
    holds: tuple[str, ...]
    decides: frozenset[Permission] = frozenset()
    """Whose decisions its badge counts."""


SECTIONS = (
    Section(
        "fleet",
        _("Fleet"),
        "outline/heart-rate-monitor",
        frozenset({Permission.READ_ASSETS}),
        ("fleet", "asset"),
    ),
    Section(
        "my_work",
        _("My work"),
        "outline/tool",
        frozenset({Permission.EXECUTE}),
        ("my_work",),
    ),
    Section(
        "inbox",
        _("Inbox"),
        "outline/bell",
        frozenset({Permission.READ_WORK}),
        ("inbox", "alert"),
        frozenset({Permission.PLAN, Permission.MANAGE_MODELS}),
    ),
    Section(
        "work_orders",
        _("Work orders"),
        "outline/clipboard-check",
        frozenset({Permission.READ_WORK, Permission.OWN_WORK}),
        ("work_order", "work_orders"),
        frozenset({Permission.PLAN}),
    ),
    Section(
        "schedule",
        _("Schedule"),
        "outline/calendar-time",
        frozenset({Permission.READ_WORK}),
        ("schedule",),
    ),
    Section(
        "models",
        _("Models"),
        "outline/brain",
        frozenset({Permission.READ_WORK}),
        ("model", "timetable"),
    ),
    Section(
        "data",
        _("Data"),
        "outline/database-import",
        frozenset({Permission.READ_ASSETS}),
        ("data",),
    ),
)


@dataclass(frozen=True)
class MenuEntry:
    label: Promise
    icon: str
    url: str
    active: bool
    badge: int


def navigation(request: HttpRequest) -> dict[str, object]:
    user = getattr(request, "user", None)
    if not isinstance(user, User) or not user.is_authenticated:
        return {}
    site: Site | None = getattr(request, "site", None)
    held = _held(user, site)
    return {
        "menu": [
            _entry(request, section, site, held)
            for section in SECTIONS
            if held & section.permissions
        ],
        "site": site,
        "sites": Site.objects.for_user(user),
        "permissions": {permission.value: permission in held for permission in Permission},
        "role_names": _role_names(user, site),
    }


def _entry(
    request: HttpRequest, section: Section, site: Site | None, held: frozenset[Permission]
) -> MenuEntry:
    match = request.resolver_match
    here = (match.url_name or "") if match else ""
    return MenuEntry(
        label=section.label,
        icon=section.icon,
        url=reverse(section.name),
        active=here.startswith(section.holds),
        badge=_waiting(section, site, held),
    )


def _waiting(section: Section, site: Site | None, held: frozenset[Permission]) -> int:
    """What waits for a decision that the reader may take."""
    if site is None or not held & section.decides:
        return 0
    if section.name == "inbox":
        alerts = Alert.objects.filter(site=site, owner=None)
        return alerts.shown(now=timezone.now()).count()
    return WorkOrder.objects.of_site(site).proposed().count()


def _held(user: User, site: Site | None) -> frozenset[Permission]:
    if user.is_superuser:
        return frozenset(Permission)
    if site is None:
        return frozenset()
    roles = Membership.objects.filter(user=user, site=site).values_list("role", flat=True)
    return frozenset().union(*(ROLE_PERMISSIONS[Role(role)] for role in roles))


def _role_names(user: User, site: Site | None) -> list[str]:
    if user.is_superuser:
        return [str(Role.ADMINISTRATOR.label)]
    roles = Membership.objects.filter(user=user, site=site).values_list("role", flat=True)
    return [str(Role(role).label) for role in roles]
