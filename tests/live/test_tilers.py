"""Several tilers on one cube in S3: they commit, conflict, merge again, and lose nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from landstream.digest import cube_lines
from landstream.workspace import bind
from shared.area import load_area
from shared.cube import open_cube
from shared.process.stack import Stack, write_stack
from shared.store import FolderStore
from shared.store.s3 import S3Store
from tests.conftest import AREAS, ROOT, Servers

pytestmark = pytest.mark.live
UPSTREAM = ("items/", "artifacts/")
NOT_YET = "cube-updates"


@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.chaos), 4])
def test_same_cube_as_one(count: int, merged: Path, bucket: str, servers: Servers, tmp_path: Path) -> None:
    area, one = load_area(AREAS / "small.yaml"), FolderStore(merged)
    store = S3Store(bucket)
    bind(store, area)
    write_stack(store, Stack(keys="raw"))
    for prefix in UPSTREAM:
        for key in one.keys(prefix):
            if key.split("/")[1] != NOT_YET:
                store.put(key, one.get(key))
    # Each does every merge that is due, all at once: every scene is merged by several at the same time.
    command = [sys.executable, "-m", "services.tiler", "--once"]
    logs = [(tmp_path / f"{n}.log").open("w") for n in range(count)]
    environments = [
        servers.environment(LANDSTREAM_STORE=f"s3://{bucket}", LANDSTREAM_WORK=str(tmp_path / str(n)))
        for n in range(count)
    ]
    tilers = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        for environment, log in zip(environments, logs, strict=True)
    ]
    said = ""
    for n, tiler in enumerate(tilers):
        status = tiler.wait(600)
        logs[n].close()
        said += (tmp_path / f"{n}.log").read_text()
        assert status == 0, said[-4000:]
    conflicts = said.count("another writer committed")
    print(f"{count} tilers: {conflicts} commits met another's")
    assert conflicts
    made = sorted(cube_lines(open_cube(f"{store.location}/cube", area, "read")))
    assert made == sorted(cube_lines(open_cube(f"{one.location}/cube", area, "read")))
    updates = set(store.keys("items/cube-updates/"))
    assert updates == set(one.keys("items/cube-updates/"))
    assert not list(store.keys("failures/"))
