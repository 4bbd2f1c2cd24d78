"""`landstream run` over a store on S3: as over a folder, without Kafka."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.store.s3 import S3Settings, connect
from tests.conftest import AREAS, Servers, landstream, remove_bucket

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
BUCKET = "test-run-s3"


def test_same_digest_as_in_a_folder(servers: Servers, six: list[Path], mapped: Path) -> None:
    environment = servers.environment(LANDSTREAM_KAFKA="")
    run = ("run", "--area", AREAS / "small.yaml", "--store", f"s3://{BUCKET}", "--once")
    try:
        landstream(*run, *six, env=environment)
        made = landstream("digest", "--store", f"s3://{BUCKET}", env=environment).stdout
        assert made == landstream("digest", "--store", mapped).stdout
        again = landstream(*run, *six, env=environment)
        assert "done in" not in again.stderr, "a second run has nothing to do"
    finally:
        remove_bucket(connect(S3Settings()), BUCKET)


def test_a_store_that_does_not_answer_is_one_line() -> None:
    environment = {**os.environ, "LANDSTREAM_S3": "http://127.0.0.1:9", "LANDSTREAM_S3_TRIES": "1",
                   "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}  # fmt: skip
    result = landstream("run", "--area", AREAS / "small.yaml", "--store", "s3://b", "--once", env=environment,
                        check=False)  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "does not answer" in result.stderr
