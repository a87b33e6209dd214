from io import StringIO

import pytest
from django.core.management import CommandError, call_command

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
