import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from maintenance.models import ApiToken
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db


def create(site: str, *scopes: str) -> str:
    out = StringIO()
    options = [part for scope in scopes for part in ("--scope", scope)]
    call_command("create_token", "--site", site, "--name", "gateway", *options, stdout=out)
    return out.getvalue().strip()


def test_a_token_is_shown_once_and_only_its_digest_is_kept() -> None:
    SiteFactory.create(code="plant")
    secret = create("plant", "readings:write", "assets:read")
    token = ApiToken.objects.get()
    assert secret.startswith("vg_")
    assert token.digest == ApiToken.digest_of(secret)
    assert token.scopes == ["assets:read", "readings:write"]


def test_a_name_is_given_once_a_site() -> None:
    SiteFactory.create(code="plant")
    create("plant", "readings:write")
    with pytest.raises(CommandError, match="has a token called 'gateway'"):
        create("plant", "readings:write")


def test_an_unknown_site_is_refused_with_those_there_are() -> None:
    SiteFactory.create(code="plant")
    with pytest.raises(CommandError, match=r"no site 'plan'. Known: plant"):
        create("plan", "readings:write")


def test_an_unknown_scope_is_refused() -> None:
    SiteFactory.create(code="plant")
    with pytest.raises(CommandError, match="invalid choice"):
        create("plant", "everything")


def test_a_revoked_token_opens_nothing() -> None:
    SiteFactory.create(code="plant")
    create("plant", "readings:write")
    assert ApiToken.objects.usable(now=timezone.now()).exists()
    call_command("revoke_token", "--site", "plant", "--name", "gateway", stdout=StringIO())
    assert not ApiToken.objects.usable(now=timezone.now()).exists()


def test_only_a_token_in_use_can_be_revoked() -> None:
    SiteFactory.create(code="plant")
    create("plant", "readings:write")
    with pytest.raises(CommandError, match=r"'gate'. In use: gateway"):
        call_command("revoke_token", "--site", "plant", "--name", "gate")


def test_a_token_may_be_given_for_some_days() -> None:
    SiteFactory.create(code="plant")
    options = ["--site", "plant", "--name", "guest", "--scope", "assets:read"]
    call_command("create_token", *options, "--days", "30", stdout=StringIO())
    now = timezone.now()
    assert ApiToken.objects.usable(now=now + dt.timedelta(days=29)).exists()
    assert not ApiToken.objects.usable(now=now + dt.timedelta(days=31)).exists()
    with pytest.raises(CommandError, match="0 is not at least 1"):
        call_command("create_token", *options, "--days", "0")
