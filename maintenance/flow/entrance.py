"""Who gets in: tokens and memberships, each change with its entry in the audit trail.

`by` is None where somebody acts from the command line of the server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.db import transaction

from maintenance.choices import TokenScope
from maintenance.models import ApiToken, AuditEntry, Membership, Site, User


@transaction.atomic
def make_token(
    *,
    site: Site,
    name: str,
    scopes: Collection[TokenScope],
    by: User | None,
    now: dt.datetime,
    expires_at: dt.datetime | None = None,
) -> str:
    """A new token's secret, which is not kept. Raises IntegrityError where the name is taken."""
    secret = ApiToken.new_secret()
    token = ApiToken.objects.create(
        site=site,
        name=name,
        digest=ApiToken.digest_of(secret),
        scopes=sorted({scope.value for scope in scopes}),
        created_by=by,
        recorded_at=now,
        expires_at=expires_at,
    )
    after = {
        "scopes": token.scopes,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    _audit(site, "token made", f"token {name}", by=by, now=now, after=after)
    return secret


@transaction.atomic
def revoke_token(*, token: ApiToken, by: User | None, now: dt.datetime) -> bool:
    """From now on no request with it is taken. False when it was revoked already."""
    held = ApiToken.objects.select_for_update().filter(pk=token.pk, revoked_at=None).first()
    if held is None:
        return False
    held.revoked_at = now
    held.save(update_fields=["revoked_at"])
    before = {"scopes": held.scopes}
    _audit(held.site, "token revoked", f"token {held.name}", by=by, now=now, before=before)
    return True


@transaction.atomic
def save_membership(*, membership: Membership, by: User | None, now: dt.datetime) -> None:
    """Give a role, or change one that was given; both sites are told where it moves."""
    known = Membership.objects.filter(pk=membership.pk).select_related("site", "user").first()
    membership.save()
    if known is None:
        _audit_role(membership, "role given", by=by, now=now)
    elif (known.user_id, known.site_id, known.role) != (
        membership.user_id,
        membership.site_id,
        membership.role,
    ):
        _audit_role(known, "role taken away", by=by, now=now)
        _audit_role(membership, "role given", by=by, now=now)


@transaction.atomic
def remove_membership(*, membership: Membership, by: User | None, now: dt.datetime) -> None:
    _audit_role(membership, "role taken away", by=by, now=now)
    membership.delete()


def _audit_role(membership: Membership, action: str, *, by: User | None, now: dt.datetime) -> None:
    side = "after" if action == "role given" else "before"
    subject = f"user {membership.user.username}"
    _audit(membership.site, action, subject, by=by, now=now, **{side: {"role": membership.role}})


def _audit(
    site: Site,
    action: str,
    subject: str,
    *,
    by: User | None,
    now: dt.datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    AuditEntry.objects.create(
        site=site,
        at=now,
        by=by,
        action=action,
        subject=subject[:160],
        before=before or {},
        after=after or {},
    )
