"""The listener against a real broker: killed, restarted, given bad messages and other clients."""

from __future__ import annotations

import shutil
import subprocess
from urllib.parse import urlsplit

import pytest

from tests.installation import once
from tests.integration.mqtt.broker import Plant, kill

pytestmark = [once, pytest.mark.service("mqtt")]

START_MS = 1_750_000_000_000


def counted_once(state) -> bool:
    parts = ("new", "duplicate", "dead_lettered", "refused")
    return state["received"] == sum(state[part] for part in parts)


def test_what_is_published_is_stored_whatever_its_shape(plant: Plant):
    with plant.listener(), plant.publisher() as machine:
        machine.send("P-0", {"ts": START_MS, "values": {"vibration": 1.5, "pressure": 2}})
        machine.send("P-0", {"ts": START_MS + 1, "vibration": 2.5})
        machine.send("P-1", [{"ts": START_MS, "vibration": 3}, {"ts": START_MS + 1, "pressure": 4}])
        machine.send("P-1/vibration", {"ts": START_MS + 7, "value": 5})
        machine.send("P-2/pressure", 6.25)
        plant.wait_until_received(7)
    state = plant.state()
    assert state["readings"]["P-0 vibration"] == [
        [START_MS * 1000, START_MS * 1000 + 1000],
        [1.5, 2.5],
    ]
    assert state["readings"]["P-0 pressure"] == [[START_MS * 1000], [2.0]]
    assert state["readings"]["P-1 vibration"][1] == [3.0, 5.0]
    assert state["readings"]["P-2 pressure"][1] == [6.25]
    assert (state["new"], state["imports"], state["letters"]) == (7, 1, [])
    assert counted_once(state)


def test_what_arrives_while_the_listener_is_down_is_delivered(plant: Plant):
    with plant.listener():
        pass
    with plant.publisher() as machine:
        for i in range(300):
            machine.send("P-0/vibration", {"ts": START_MS + i, "value": i / 8})
    with plant.listener():
        plant.wait_until_received(300)
    at, values = plant.state()["readings"]["P-0 vibration"]
    assert at == [(START_MS + i) * 1000 for i in range(300)]
    assert values == [i / 8 for i in range(300)]


def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(plant: Plant):
    """Messages without an instant and without a point would show each message taken twice."""
    sent, nowhere = 0, 0
    with plant.publisher() as machine:
        for _kill in range(4):
            with plant.listener() as process:
                before = plant.received()
                for _ in range(150):
                    machine.send("P-1/pressure", {"ts": START_MS + sent, "value": sent * 0.1})
                    machine.send("P-2/pressure", float(sent))
                    machine.send("nowhere/temperature", {"value": sent})
                    sent, nowhere = sent + 1, nowhere + 1
                assert plant.received() >= before
                kill(process)
        with plant.listener():
            plant.wait_until_received(3 * sent)
    state = plant.state()
    at, values = state["readings"]["P-1 pressure"]
    assert at == [(START_MS + i) * 1000 for i in range(sent)]
    assert values == [i * 0.1 for i in range(sent)]
    assert sorted(state["readings"]["P-2 pressure"][1]) == [float(i) for i in range(sent)]
    assert state["unknown"] == [[f"{plant.root}/nowhere/temperature", "value", nowhere]]
    assert len(state["letters"]) == nowhere
    assert (state["received"], state["new"]) == (3 * sent, 2 * sent)
    assert counted_once(state)


POISON = [
    b"",
    b"\x00",
    b"\xff\xfe\x01binary",
    b"{",
    b"[" * 100_000,
    b"NaN",
    b"1e999",
    b'{"vibration": "broken"}',
    b'{"ts": 99999999999999, "vibration": 1}',
    b'{"ts": 1750000000, "vibration": 1}',
    b'{"\\u0000": 1}',
    b'{"\\ud800": 1}',
    b'{"vibration": 1, "vibration": 2}',
    b"9" * 5_000,
    b"7" * 300_000,
]


def test_a_poisoned_message_is_kept_and_stops_nothing(plant: Plant):
    with plant.listener(), plant.publisher() as machine:
        for payload in POISON:
            machine.send("P-0", payload)
        machine.send("P-0", {"ts": START_MS, "vibration": 1})
        plant.wait_until_received(len(POISON) + 1)
    state = plant.state()
    assert (state["new"], state["dead_lettered"]) == (1, len(POISON))
    assert all(reason for _topic, _payload, _readings, reason in state["letters"])
    assert max(len(payload) for _topic, payload, _readings, _reason in state["letters"]) < 110_000
    assert counted_once(state)


def test_what_the_broker_retained_is_not_taken_for_new(plant: Plant):
    with plant.publisher() as machine:
        machine.send("P-0/vibration", 4.5, retain=True)
        machine.send("P-1/vibration", {"ts": START_MS, "value": 5.5}, retain=True)
        with plant.listener():
            plant.wait_until_received(2)
        for asset in ("P-0", "P-1"):
            machine.send(f"{asset}/vibration", b"", retain=True)
    state = plant.state()
    assert state["readings"]["P-0 vibration"] == [[], []]
    assert state["readings"]["P-1 vibration"] == [[START_MS * 1000], [5.5]]
    [(_topic, _payload, readings, reason)] = state["letters"]
    assert readings == 1
    assert "retained" in reason


@pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="mosquitto_pub is not installed")
def test_a_client_that_nobody_here_wrote_is_understood(plant: Plant):
    address = urlsplit(plant.url)
    place = ["-h", address.hostname or "", "-p", str(address.port or 1883)]
    message = ["-q", "1", "-t", f"{plant.root}/P-3", "-m", f'{{"ts":{START_MS},"vibration":0.1}}']
    with plant.listener():
        subprocess.run(["mosquitto_pub", *place, *message], check=True, timeout=30)
        lines = "".join(f"{i}\n" for i in range(50)).encode()
        topic = ["-q", "1", "-t", f"{plant.root}/P-3/pressure", "-l"]
        subprocess.run(["mosquitto_pub", *place, *topic], input=lines, check=True, timeout=30)
        plant.wait_until_received(51)
    state = plant.state()
    assert state["readings"]["P-3 vibration"] == [[START_MS * 1000], [0.1]]
    assert state["readings"]["P-3 pressure"][1] == [float(i) for i in range(50)]
