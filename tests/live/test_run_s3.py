"""`landstream run` over a store on S3: as over a folder, without Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from landstream.reading import open_store
from shared.store.s3 import S3Settings, S3Store, connect
from tests.conftest import AREAS, ROOT, Servers, landstream, remove_bucket, running
from tools.servers.versitygw import Versitygw

pytestmark = [pytest.mark.live, pytest.mark.timeout(1200)]
RUN = ("run", "--area", AREAS / "small.yaml", "--store")
AWAY_S = 15.0
"""Longer than the store's adapter tries."""


@pytest.fixture(scope="module")
def filled(servers: Servers, six: list[Path]) -> Iterator[str]:
    """A bucket after `run --once` over the six products."""
    name, client = f"test-{uuid.uuid4().hex[:12]}", connect(S3Settings())
    landstream(*RUN, f"s3://{name}", "--once", *six, env=servers.environment(LANDSTREAM_KAFKA=""))
    yield name
    remove_bucket(client, name)


def test_same_digest_as_in_a_folder(servers: Servers, filled: str, six: list[Path], mapped: Path) -> None:
    location = f"s3://{filled}"
    assert landstream("digest", "--store", location).stdout == landstream("digest", "--store", mapped).stdout
    again = landstream(*RUN, location, "--once", *six, env=servers.environment(LANDSTREAM_KAFKA=""))
    assert " done " not in again.stderr, "a second run has nothing to do"


def test_what_people_take_from_a_bucket_is_what_a_folder_gives(filled: str, mapped: Path, tmp_path: Path) -> None:
    far, near = f"s3://{filled}", str(mapped)
    exported = []
    for name, store in (("far", far), ("near", near)):
        landstream("export", "--latest", "--out", tmp_path / name, "--store", store)
        exported.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.suffix != ".json"})
    assert exported[0] == exported[1]
    assert len(exported[0]) >= 7
    ours, theirs = (open_store(store) for store in (far, near))
    assert ours.weeks == theirs.weeks
    np.testing.assert_array_equal(ours.ndvi(24.0, 45.94), theirs.ndvi(24.0, 45.94))
    assert ours.land_cover().equals(theirs.land_cover())


def test_a_bucket_s_champion_predicts(filled: str, tmp_path: Path) -> None:
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 10, "dtype": "uint16", "crs": "EPSG:32634"}
    with rasterio.open(
        tmp_path / "in.tif", "w", transform=rasterio.Affine(10, 0, 729960, 0, -10, 5090040), **profile
    ) as out:
        out.write(np.full((10, 64, 64), 2000, np.uint16))
    told = ("--scale", "0.0001", "--store", f"s3://{filled}")
    landstream("predict", tmp_path / "in.tif", tmp_path / "map.tif", *told)
    with rasterio.open(tmp_path / "map.tif") as file:
        values = file.read(1)
    assert values.shape == (64, 64)
    assert 1 <= values.min() <= values.max() <= 5


def test_a_copy_of_the_bucket_is_all_that_a_restore_needs(servers: Servers, filled: str, bucket: str) -> None:
    """The drill of docs/runbook.md: items first, then the rest."""
    client = connect(S3Settings())
    keys = list(S3Store(filled, S3Settings()).keys(""))
    for key in sorted(keys, key=lambda key: not key.startswith("items/")):
        client.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": filled, "Key": key})
    copies = [f"s3://{name}" for name in (filled, bucket)]
    first, restored = (landstream("digest", "--store", location).stdout for location in copies)
    assert restored == first
    assert landstream("sweep", "--store", copies[1]).stdout == ""
    again = landstream(*RUN, copies[1], "--once", env=servers.environment(LANDSTREAM_KAFKA=""))
    assert " done " not in again.stderr


def test_a_watching_run_outlives_the_stores_absence(
    six: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Versitygw(tmp_path / "versitygw")
    with running(gateway):
        for name, value in gateway.variables().items():
            monkeypatch.setenv(name, value)
        scene = next(p for p in six if "MSI" in p.name)
        labels = next(p for p in six if not p.name.endswith((".SAFE", ".SEN3", ".SEN3.zip", ".SAFE.zip")))
        command = [sys.executable, "-m", "landstream", *map(str, RUN), "s3://away", str(labels)]
        with (tmp_path / "log").open("wb") as log:
            run = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            store = S3Store("away", S3Settings())
            store.make_bucket()
            wait(run, lambda: any(store.keys("items/label-polygons/")), tmp_path / "log")
            gateway.stop()
            time.sleep(AWAY_S)
            gateway.start()
            landstream("deliver", "--store", "s3://away", scene)
            wait(run, lambda: any(store.keys("items/cloud-masks/")), tmp_path / "log")
        finally:
            run.send_signal(signal.SIGTERM)
            assert run.wait(60) == 143


def wait(run: subprocess.Popen[bytes], condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert run.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)


def test_a_store_that_does_not_answer_is_one_line() -> None:
    environment = {**os.environ, "LANDSTREAM_S3": "http://127.0.0.1:9", "LANDSTREAM_S3_TRIES": "1",
                   "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}  # fmt: skip
    result = landstream(*RUN, "s3://bucket", "--once", env=environment, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "does not answer" in result.stderr
