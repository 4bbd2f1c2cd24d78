"""`landstream up` over real Kafka and S3: the same maps as an embedded run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from shared.store.s3 import S3Settings, connect
from tests.conftest import AREAS, ROOT, Servers, landstream
from tests.servers import free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
WITHIN_S = 600


@pytest.fixture
def up(servers: Servers, bucket: str, tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A running stack: its work folder, and the first of its ports."""
    port = free_port(set())
    command = [sys.executable, "-m", "landstream", "up", "--area", AREAS / "small.yaml", "--store", f"s3://{bucket}"]
    command += ["--kafka", servers.kafka, "--work", tmp_path / "work", "--port", str(port)]
    with (tmp_path / "up.log").open("w") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=ROOT, env=servers.environment(), stdout=log, stderr=log)
    try:
        yield tmp_path / "work", port
    finally:
        process.terminate()
        status = process.wait(60)
        print((tmp_path / "up.log").read_text())
        for path in sorted((tmp_path / "work").glob("*.log")):
            print(path.name, path.read_text()[-2000:])
    assert status == 0


def state(bucket: str, kafka: str) -> dict[str, dict[str, int]]:
    """What `landstream status` says of each stage."""
    said = landstream("status", "--store", f"s3://{bucket}", "--kafka", kafka, "--json")
    stages: dict[str, dict[str, int]] = json.loads(said.stdout)["stages"]
    return stages


def test_same_digest_as_embedded(
    up: tuple[Path, int], bucket: str, servers: Servers, twelve: list[Path], embedded: Path
) -> None:
    work, port = up
    client = connect(S3Settings())
    for product in twelve:
        files = [product] if product.is_file() else sorted(p for p in product.rglob("*") if p.is_file())
        for file in files:
            key = f"landing/{file.relative_to(product.parent)}"
            client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    expected = landstream("digest", "--store", embedded).stdout.splitlines()
    made: list[str] = []
    deadline = time.monotonic() + WITHIN_S
    while made != expected and time.monotonic() < deadline:
        time.sleep(5)
        if not any(s["waiting"] for s in state(bucket, servers.kafka).values()):
            made = landstream("digest", "--store", f"s3://{bucket}").stdout.splitlines()
    assert made == expected
    stages = state(bucket, servers.kafka)
    assert not any(s["failed"] for s in stages.values())
    assert all(s["consumers"] == 1 for s in stages.values())
    for n, name in enumerate([*stages, "sweeper"]):
        for path in ("healthz", "readyz", "metrics"):
            with urlopen(f"http://127.0.0.1:{port + n}/{path}", timeout=30) as answer:
                assert answer.status == 200, (name, path)
    assert {p.stem for p in work.glob("*.pid")} == {*stages, "sweeper"}
