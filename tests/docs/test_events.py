"""The description of the events holds for those that are made and those that come, and its example works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from shared.area import load_area
from shared.bus import DEAD_LETTER, OBJECTS, MemoryBus
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.events import ObjectCreated, make, parse
from shared.events.notification import HINT_SOURCE
from shared.run.context import Context
from shared.run.runner import Runner
from shared.stage import registry
from shared.store import FolderStore
from shared.store.s3 import S3Store
from tests.conftest import AREAS, ROOT, Servers

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "events.asyncapi.yaml").read_text())
PAGE = (ROOT / "docs" / "events.md").read_text()
MAP = "items/land-cover-maps/2018-W23/x+y--v1-0a1b2c3d.json"


def pointer(reference: str) -> Any:
    """What a `$ref` within the document points at."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(each)


def validator(schema: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]})


def valid(schema: str, message: bytes) -> bool:
    return bool(validator(schema).is_valid(json.loads(message)))


def test_it_is_an_asyncapi_document() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    known = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert DOCUMENT.keys() <= known
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= server.keys()
        assert set(re.findall(r"\{(\w+)\}", server["host"])) == server["variables"].keys()
    assert {c["address"] for c in DOCUMENT["channels"].values()} == {OBJECTS, DEAD_LETTER}
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"]["$ref"].startswith("#/channels/")
    for message in DOCUMENT["components"]["messages"].values():
        assert message["payload"]["$ref"].startswith("#/components/schemas/")


def test_every_reference_points_at_something_and_everything_is_used() -> None:
    references = {each["$ref"] for each in walk(DOCUMENT) if "$ref" in each}
    assert all(pointer(reference) for reference in references)
    for kind in ("messages", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind]} <= references


def test_the_schemas_are_json_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("source", ["minio:s3", HINT_SOURCE])
def test_an_event_that_is_made_is_of_minios_form(source: str) -> None:
    message = make(ObjectCreated("landstream", "landing/a b+c", 3, "e", {"sha256": "0a"}), source)
    assert valid("minioForm", message)
    assert not valid("testEvent", message)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: e.pop("Records"),
        lambda e: e["Records"].clear(),
        lambda e: e["Records"].extend(e["Records"]),
        lambda e: e["Records"][0].pop("eventName"),
        lambda e: e["Records"][0].update(eventName="s3:Replication:x"),
        lambda e: e["Records"][0]["s3"].pop("bucket"),
        lambda e: e["Records"][0]["s3"]["object"].pop("key"),
        lambda e: e["Records"][0]["s3"]["object"].update(size="three"),
    ],
)
def test_what_cannot_be_read_is_of_no_form(spoil: Any) -> None:
    event = json.loads(make(ObjectCreated("landstream", "landing/a", 3, "e")))
    spoil(event)
    message = json.dumps(event).encode()
    assert not valid("plainForm", message)
    assert not valid("minioForm", message)
    with pytest.raises(ValueError):
        parse(message)


def test_a_dead_letter_is_as_described(tmp_path: Any) -> None:
    bus = MemoryBus()
    context = Context.of_store(FolderStore(tmp_path / "store"), load_area(AREAS / "small.yaml"), bus)
    runner = Runner(registry.load("ingest"), registry.module_of("ingest"), context)
    letters, events = bus.subscribe(DEAD_LETTER, "g"), bus.subscribe(OBJECTS, "g")
    bus.publish(OBJECTS, "", b"\xff no JSON")
    message = events.poll(1)
    assert message
    runner.handle(message)
    runner.child.close()
    letter = letters.poll(1)
    assert letter
    assert valid("deadLetter", letter.value), letter.value


@pytest.mark.live
def test_the_stores_own_events_are_of_the_plain_form(servers: Servers, bucket: str) -> None:
    bus = KafkaBus(KafkaSettings(servers=servers.kafka))
    with bus.tail(OBJECTS) as tail:
        S3Store(bucket).put(MAP, b"{}")
        mine: list[bytes] = []
        deadline = time.monotonic() + 20
        while not mine and time.monotonic() < deadline:
            mine = [m for m in tail.poll(0.5) if bucket.encode() in m]
    bus.close()
    assert mine
    assert all(valid("plainForm", message) for message in mine)
    assert not valid("minioForm", mine[0])
    assert parse(mine[0], "raw").key == MAP


@pytest.mark.live
def test_the_example_prints_new_maps(servers: Servers, bucket: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    example = example.replace("my-maps", f"test-{uuid.uuid4().hex}")
    store, bus = S3Store(bucket), KafkaBus(KafkaSettings(servers=servers.kafka))
    for unreadable in (
        b"no event",
        b"[1]",
        b'{"Records": [1]}',
        b'{"Records": [{"eventName": "s3:ObjectCreated:Put"}]}',
    ):
        bus.publish(OBJECTS, "", unreadable)
    bus.close()
    for key in ("items/models/static/x--v1-0a1b2c3d.json", "artifacts/land-cover-maps/x.tif", MAP):
        store.put(key, b"{}")
    environment = servers.environment(BUCKET=bucket, KEYS="raw")
    with subprocess.Popen(
        [sys.executable, "-c", example], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"{MAP}\n"
        finally:
            process.kill()
