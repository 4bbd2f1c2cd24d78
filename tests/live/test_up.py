"""`landstream up` over real Kafka and S3: the same maps as an embedded run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from shared.store.s3 import S3Settings, connect
from tests.conftest import AREAS, EAGER, ROOT, Servers, landstream
from tests.live.groups import begin_now
from tests.products.presets import wrap
from tools.servers import free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(2400)]
WITHIN_S = 1500


@contextmanager
def up(area: Path, bucket: str, servers: Servers, folder: Path) -> Iterator[int]:
    """A running stack over a new bucket, its work folder `folder`; gives the first of its ports."""
    port = free_port(set())
    command = [sys.executable, "-m", "landstream", "up", "--area", area, "--store", f"s3://{bucket}"]
    command += ["--kafka", servers.kafka, "--work", folder, "--port", str(port)]
    folder.mkdir()
    begin_now(servers.kafka, bucket)
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=ROOT, env=servers.environment(), stdout=log, stderr=log)
    try:
        while "ready" not in (folder / "up.log").read_text().splitlines():
            assert process.poll() is None
            time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        status = process.wait(60)
        for path in sorted(folder.glob("*.log")):
            print(path.name, path.read_text()[-2000:])
    assert status == 0


def becomes(expected: list[str], bucket: str, kafka: str) -> None:
    """Wait until all is mapped and the digest is as expected."""
    made: list[str] = []
    deadline = time.monotonic() + WITHIN_S
    while made != expected and time.monotonic() < deadline:
        time.sleep(15)
        if not any(s["waiting"] for s in state(bucket, kafka).values()):
            made = landstream("digest", "--store", f"s3://{bucket}").stdout.splitlines()
    assert made == expected


def state(bucket: str, kafka: str) -> dict[str, dict[str, int]]:
    """What `landstream status` says of each stage."""
    said = landstream("status", "--store", f"s3://{bucket}", "--kafka", kafka, "--json")
    stages: dict[str, dict[str, int]] = json.loads(said.stdout)["stages"]
    return stages


def test_same_digest_as_embedded(bucket: str, servers: Servers, six: list[Path], mapped: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with up(AREAS / "small.yaml", bucket, servers, work) as port:
        client = connect(S3Settings())
        for product in six:
            files = [product] if product.is_file() else sorted(p for p in product.rglob("*") if p.is_file())
            for file in files:
                key = f"landing/{file.relative_to(product.parent)}"
                client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
        becomes(landstream("digest", "--store", mapped).stdout.splitlines(), bucket, servers.kafka)
        stages = state(bucket, servers.kafka)
        assert not any(s["failed"] for s in stages.values())
        assert all(s["consumers"] == 1 for s in stages.values())
        for n, name in enumerate([*stages, "sweeper"]):
            for path in ("healthz", "readyz", "metrics"):
                with urlopen(f"http://127.0.0.1:{port + n}/{path}", timeout=30) as answer:
                    assert answer.status == 200, (name, path)
        assert {p.stem for p in work.glob("*.pid")} == {*stages, "sweeper"}


@pytest.mark.chaos
@pytest.mark.realdata
def test_real_products_give_the_digest_of_an_embedded_run(
    bucket: str, servers: Servers, data: Path, tmp_path: Path
) -> None:
    area = yaml.safe_load((AREAS / "brandenburg.yaml").read_text())
    # What the model is worth is tested embedded; here it is to be the same one.
    area |= {"train": EAGER | {"quiet_s": 5}, "training": {**area["training"], "epochs": 1, "folds": 0}}
    (tmp_path / "area.yaml").write_text(yaml.safe_dump(area))
    products = wrap("brandenburg", data / "s2-l1c-brandenburg-t33uuu", tmp_path / "products")
    landstream("run", "--area", tmp_path / "area.yaml", "--store", tmp_path / "store", "--once", *products)
    with up(tmp_path / "area.yaml", bucket, servers, tmp_path / "work"):
        landstream("deliver", "--store", f"s3://{bucket}", *products)
        becomes(landstream("digest", "--store", tmp_path / "store").stdout.splitlines(), bucket, servers.kafka)
