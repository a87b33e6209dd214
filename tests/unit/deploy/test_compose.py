"""The container set-up, read back: nothing here needs a container engine."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = ("migrate", "web", "worker", "beat", "mqtt")


@pytest.mark.parametrize("name", OURS)
def test_each_process_runs_in_production_on_postgresql_and_rabbitmq(name: str) -> None:
    environment = COMPOSE["services"][name]["environment"]
    assert environment["VIGIA_PRODUCTION"] == "1"
    assert environment["DATABASE_URL"].startswith("postgresql://")
    assert environment["CELERY_BROKER_URL"].startswith("amqp://")


@pytest.mark.parametrize("name", ["web", "worker", "beat", "mqtt"])
def test_each_script_a_container_runs_is_there_and_may_be_run(name: str) -> None:
    [script] = COMPOSE["services"][name]["command"]
    assert os.access(ROOT / script, os.X_OK)


def test_one_process_alone_keeps_the_timetable() -> None:
    assert COMPOSE["services"]["worker"]["environment"]["VIGIA_BEAT"] == "0"
    assert COMPOSE["services"]["beat"]["command"] == ["deploy/beat.sh"]


def test_the_listener_runs_only_where_it_is_asked_for() -> None:
    assert COMPOSE["services"]["mqtt"]["profiles"] == ["mqtt"]


def test_every_secret_must_be_given_and_none_is_written_down() -> None:
    environment = COMPOSE["services"]["web"]["environment"]
    passwords = [environment["VIGIA_SECRET_KEY"], environment["DATABASE_URL"]]
    assert all(":?" in password for password in [*passwords, environment["CELERY_BROKER_URL"]])


def test_nothing_is_open_to_the_network_but_through_a_proxy() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8000:8000"]


@pytest.mark.parametrize("name", ["web", "worker", "postgres", "rabbitmq"])
def test_each_service_can_tell_whether_it_is_well(name: str) -> None:
    assert COMPOSE["services"][name]["healthcheck"]["test"]


def test_rabbitmq_waits_longer_than_the_longest_task() -> None:
    content: str = COMPOSE["configs"]["rabbitmq"]["content"]
    waits_seconds = int(content.partition("=")[2]) / 1000
    environment: dict[str, Any] = COMPOSE["services"]["worker"]["environment"]
    assert waits_seconds > int(environment["VIGIA_LONGEST_TASK_SECONDS"])


def test_the_image_copies_what_its_processes_run() -> None:
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().split()
    assert not {"deploy", "config", "maintenance", "locale", "templates"} & set(ignored)
    assert "var" in ignored, "a plant's data and secret key never enter an image"
