"""`landstream run` over a store on S3: as over a folder, without Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.store.s3 import S3Settings, S3Store
from tests.conftest import AREAS, ROOT, Servers, landstream, running
from tools.servers.versitygw import Versitygw

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
RUN = ("run", "--area", AREAS / "small.yaml", "--store")
AWAY_S = 15.0
"""Longer than the store's adapter tries."""


def test_same_digest_as_in_a_folder(servers: Servers, bucket: str, six: list[Path], mapped: Path) -> None:
    environment = servers.environment(LANDSTREAM_KAFKA="")
    location = f"s3://{bucket}"
    landstream(*RUN, location, "--once", *six, env=environment)
    assert landstream("digest", "--store", location).stdout == landstream("digest", "--store", mapped).stdout
    again = landstream(*RUN, location, "--once", *six, env=environment)
    assert " done " not in again.stderr, "a second run has nothing to do"


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
    result = landstream(*RUN, "s3://b", "--once", env=environment, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "does not answer" in result.stderr
