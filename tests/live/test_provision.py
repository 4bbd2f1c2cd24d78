"""`landstream provision` on real servers: what it makes, says and refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from landstream.workspace import bind
from shared.area import load_area
from shared.bus import DEAD_LETTER, OBJECTS
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.process.stack import Stack, read_stack
from shared.store.s3 import S3Settings, S3Store
from tests.conftest import AREAS, Servers, landstream, running
from tools.make_secrets import USERS, make_secrets
from tools.servers import HOST, free_port
from tools.servers.versitygw import Versitygw

pytestmark = pytest.mark.live

SMALL = AREAS / "small.yaml"


def provision(
    servers: Servers, bucket: str, *more: object, area: Path = SMALL, kafka: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    options = ("--area", area, "--store", f"s3://{bucket}", "--kafka", kafka or servers.kafka, *more)
    return landstream("provision", *options, check=False, env=servers.environment(**variables), timeout=100)


def refused(result: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """It ended with this code and one line that says all of this."""
    assert result.returncode == code, result.stdout + result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("landstream: ")
    assert [p for p in parts if p not in line] == [], line


@pytest.fixture
def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Versitygw]:
    """A gateway of our own; its events go to the Kafka address that it is parametrized with, or nowhere."""
    server = Versitygw(tmp_path / "versitygw", getattr(request, "param", None))
    with running(server):
        yield server


def test_a_stack_is_made_ready_and_stays_so(servers: Servers, bucket: str) -> None:
    store = S3Store(bucket)
    store.client.delete_bucket(Bucket=bucket)
    for made in (" (made)", ""):
        result = provision(servers, bucket)
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert lines[-1] == "ready"
        assert "canary: its event arrived; the store sends keys raw" in lines
        assert f"bucket: s3://{bucket}{made}" in lines
        assert [line.split(":")[1].strip() for line in lines if line.startswith("left to you")] == [
            "users",
            "notifications",
        ]
        assert any("keep it sending" in line for line in lines)
        assert read_stack(store) == Stack(keys="raw")
        assert sorted(store.keys("")) == ["area.json", "stack.json"]
        assert json.loads(store.get("area.json"))["name"] == "small"
    bus = KafkaBus(KafkaSettings(servers=servers.kafka))
    assert {OBJECTS, DEAD_LETTER} <= set(bus.admin().list_topics())
    bus.close()


def test_a_store_of_another_area_is_refused(servers: Servers, bucket: str) -> None:
    store = S3Store(bucket)
    bind(store, load_area(AREAS / "malta.yaml"))
    refused(provision(servers, bucket), 1, "belongs to another area", "use another --store, or this area's file")
    assert list(store.keys("")) == ["area.json"]
    assert json.loads(store.get("area.json"))["name"] == "malta"


def test_users_are_made_with_the_keys_of_a_folder(servers: Servers, tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    gateway = Versitygw(tmp_path / "versitygw", servers.kafka)
    gateway.start()
    try:
        given = {**gateway.variables(), "LANDSTREAM_PROVISION_S3_ADMIN": gateway.admin_url}
        for _ in range(2):
            result = provision(servers, "land", "--credentials", tmp_path / "secrets" / "users", **given)
            assert result.returncode == 0, result.stderr
            (line,) = (line for line in result.stdout.splitlines() if line.startswith("users: "))
            assert line.endswith(" through versitygw's admin API")
            assert sorted(line.removeprefix("users: ").split(" through ")[0].split(", ")) == sorted(USERS)
        (tmp_path / "secrets" / "users" / "tiler").unlink()
        result = provision(servers, "land", "--credentials", tmp_path / "secrets" / "users", **given)
        refused(result, 1, "users/tiler: no credentials of the user tiler there", "make secrets")
        given["LANDSTREAM_PROVISION_S3_ADMIN"] = f"http://{HOST}:{free_port(set())}"
        (tmp_path / "secrets" / "users" / "tiler").write_text(
            "[default]\naws_access_key_id = tiler1\naws_secret_access_key = secretsecret\n"
        )
        result = provision(servers, "land", "--credentials", tmp_path / "secrets" / "users", **given)
        refused(result, 1, given["LANDSTREAM_PROVISION_S3_ADMIN"], "the admin API does not answer")
    finally:
        gateway.stop()


def test_a_store_that_sends_no_events_is_not_ready(servers: Servers, gateway: Versitygw) -> None:
    result = provision(servers, "land", **gateway.variables(), LANDSTREAM_PROVISION_CANARY_S="5")
    refused(
        result,
        1,
        "no event of an object in s3://land/landing/ arrived within 5 s",
        f"let the store send its s3:ObjectCreated events to the topic {OBJECTS} of {servers.kafka}",
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in gateway.variables().items():
            patch.setenv(name, value)
        store = S3Store("land", S3Settings())
        assert read_stack(store) is None
        assert sorted(store.keys("")) == ["area.json"]  # no canary is left


def test_kafka_that_is_away_is_waited_for_and_named(servers: Servers, bucket: str) -> None:
    away = f"{HOST}:{free_port(set())}"
    result = provision(servers, bucket, kafka=away, LANDSTREAM_PROVISION_WAIT_S="3")
    refused(result, 1, f"Kafka at {away}", "start it, or give its address")


def test_a_store_that_is_away_is_waited_for_and_named(servers: Servers) -> None:
    away = f"http://{HOST}:{free_port(set())}"
    result = provision(servers, "land", LANDSTREAM_S3=away, LANDSTREAM_PROVISION_WAIT_S="3")
    refused(result, 1, away, "does not answer", "start it, or give its address")


def test_wrong_keys_are_named(servers: Servers, bucket: str) -> None:
    result = provision(servers, bucket, AWS_SECRET_ACCESS_KEY="wrong", LANDSTREAM_PROVISION_WAIT_S="3")
    refused(result, 1, f"s3://{bucket}", "check the keys")


def test_a_folder_is_no_bucket(servers: Servers, tmp_path: Path) -> None:
    options = ("--area", SMALL, "--store", tmp_path / "store", "--kafka", servers.kafka)
    result = landstream("provision", *options, check=False, env=servers.environment())
    refused(result, 2, "is a folder; the services need s3://BUCKET")
