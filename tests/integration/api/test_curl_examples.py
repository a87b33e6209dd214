"""What the pages tell people to type works as it stands, typed by curl into a web server."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from maintenance import store
from maintenance.choices import TokenScope
from maintenance.models import Import, MeasurementPoint, Site
from tests.factories import (
    SECRET,
    ApiTokenFactory,
    AssetFactory,
    MeasurementPointFactory,
    SiteFactory,
)
from tests.unit.docs.documents import blocks, read

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]

PAGE = read("docs/how-to/send-readings.md")
HOST = "http://127.0.0.1:8000"


def commands(text: str) -> list[str]:
    """Commands of the indented blocks: a blank line parts them."""
    found = [block for block in blocks(text) if "curl" in block]
    return [part for block in found for part in re.split(r"\n\s*\n", block) if "curl" in part]


@pytest.fixture
def plant() -> Site:
    site = SiteFactory.create()
    scopes = [TokenScope.WRITE_READINGS.value, TokenScope.READ_READINGS.value]
    ApiTokenFactory.create(site=site, scopes=scopes)
    asset = AssetFactory.create(site=site, code="P-101")
    for code in ("vibration", "pressure"):
        MeasurementPointFactory.create(asset=asset, code=code)
    return site


def typed(command: str, server: LiveServer) -> Any:
    number = Import.objects.values_list("pk", flat=True).first() or 0
    command = command.replace(HOST, server.url).replace("imports/7", f"imports/{number}")
    command = command.replace("curl ", "curl --silent --show-error --fail-with-body ")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, "TOKEN": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def test_every_command_of_the_page_is_answered(plant: Site, live_server: LiveServer) -> None:
    answers = [typed(command, live_server) for command in commands(PAGE)]
    assert [answer.get("new") for answer in answers] == [1, 2, 1, None, None, 1]
    ids = {point.code: point.pk for point in MeasurementPoint.objects.all()}
    kept = store.read(list(ids.values()), 0, 2**62)
    assert kept[ids["vibration"]][1].tolist() == [2.4, 2.5, 2.6]
    assert kept[ids["pressure"]][1].tolist() == [6.1]
    thinned, whole = answers[3:5]
    assert thinned["points"][0]["value"] == [2.4, 2.5, 2.6]
    assert [one["point"] for one in whole["points"]] == ["pressure", "vibration"]


def test_the_answer_that_is_shown_is_the_one_that_comes(
    plant: Site, live_server: LiveServer
) -> None:
    answer = typed(commands(PAGE)[0], live_server)
    shown = re.search(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    assert shown
    assert {**answer, "import_id": 7} == json.loads(shown[1])
