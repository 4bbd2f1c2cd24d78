"""Kafka over TLS, with a password: what the brokers of an agency ask for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from shared.bus import OBJECTS
from shared.bus.kafka import KafkaBus, KafkaSettings
from tests.conftest import ROOT, running
from tools.servers.kafka import SecureKafka

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    broker = SecureKafka(tmp_path_factory.mktemp("secure") / "kafka")
    with running(broker):
        yield broker


@pytest.fixture
def given(broker: SecureKafka, tmp_path: Path) -> dict[str, Any]:
    """The settings of a client that the broker takes."""
    (tmp_path / "password").write_text(f"{broker.password}\n")
    return {
        "servers": broker.secure_address, "security_protocol": "SASL_SSL", "username": broker.user,
        "password_file": tmp_path / "password", "ca_file": broker.ca_file,
    }  # fmt: skip


def test_a_message_goes_there_and_back(given: dict[str, Any]) -> None:
    bus = KafkaBus(KafkaSettings(**given))
    try:
        bus.ensure_topics()
        assert bus.reachable()
        member = bus.subscribe(OBJECTS, "secure")
        bus.publish(OBJECTS, "key", b"value")
        message = next(m for _ in range(60) if (m := member.poll(1)))
        assert (message.key, message.value) == ("key", b"value")
        member.ack(message)
        member.close()
        assert bus.group(OBJECTS, "secure") == (0, 0)
    finally:
        bus.close()


REACH = """
from shared.bus import BusError
from shared.bus.kafka import KafkaBus, KafkaSettings
try:
    KafkaBus(KafkaSettings()).ensure_topics()
except BusError as error:
    print(error)
"""


@pytest.mark.parametrize("fault", ["password", "authority", "password file", "authority's file"])
def test_wrong_credentials_are_said_in_a_line(given: dict[str, Any], tmp_path: Path, fault: str) -> None:
    match fault:
        case "password":
            (tmp_path / "password").write_text("wrong-one")
        case "authority":
            trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
            given["ca_file"] = tmp_path / "other.pem"
        case "password file":
            given["password_file"] = tmp_path / "absent"
        case "authority's file":
            given["ca_file"] = tmp_path / "absent"
    variables = {f"LANDSTREAM_KAFKA_{name.upper()}": str(value) for name, value in given.items()}
    variables["LANDSTREAM_KAFKA"] = given["servers"]
    # In a process of its own, as a user starts one.
    result = subprocess.run([sys.executable, "-c", REACH], capture_output=True, text=True, cwd=ROOT, timeout=60,
                            env=os.environ | variables)  # fmt: skip
    (line,) = result.stdout.splitlines()
    assert "_CA_FILE" in line if "authority" in fault else "_PASSWORD_FILE" in line
    assert "wrong-one" not in result.stdout + result.stderr
