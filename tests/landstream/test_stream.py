"""The embedded stream at its edges: odd products, signals, names, locks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import AREAS, ROOT, landstream

SMALL = AREAS / "small.yaml"


@pytest.fixture
def labels(six: list[Path]) -> Path:
    return next(p for p in six if p.suffix == ".gpkg")


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "landstream", "run", "--area", str(SMALL), *map(str, arguments)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes, **options)


def failures(store: Path) -> list[dict]:
    return [json.loads(line) for line in landstream("failures", "--store", store).stdout.splitlines()]


def test_a_product_that_cannot_land_stops_nothing(labels: Path, tmp_path: Path) -> None:
    deep = tmp_path / "S2A_deep.SAFE"
    folder = deep.joinpath(*["d" * 150] * 8)
    folder.mkdir(parents=True)
    (folder / "f").write_text("")
    store = tmp_path / "store"
    result = landstream("run", "--area", SMALL, "--store", store, "--once", deep, labels, check=False)
    assert result.returncode == 3, result.stderr
    (record,) = failures(store)
    assert (record["file"], record["stage"]) == ("S2A_deep.SAFE", "ingest")
    assert "longer than" in record["fault"]
    assert record["remedy"]
    status = json.loads(landstream("status", "--store", store, "--json").stdout)["stages"]
    assert (status["rasterize"]["done"], status["ingest"]["failed"]) == (1, 1)
    landstream("dismiss", record["id"], "--store", store)
    landstream("run", "--area", SMALL, "--store", store, "--once")  # a failure that was dismissed fails no run
    landstream("requeue", record["id"], "--store", store)
    assert failures(store) == []


def test_two_products_of_one_name_are_refused(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = shutil.copy(labels, tmp_path / "other")
    result = landstream("run", "--area", SMALL, "--store", tmp_path / "s", "--once", labels, other, check=False)
    assert result.returncode == 2
    assert "two products of this name" in result.stderr


def test_a_failpoint_kills_a_run_that_leads_its_session(labels: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "LANDSTREAM_FAILPOINT": "runner.planned"}
    run = start("--store", tmp_path / "s", "--once", labels, env=environment, start_new_session=True)
    run.communicate(timeout=120)
    assert run.returncode == -signal.SIGKILL


@pytest.mark.parametrize("value", ["nonsense", "runner.planned:0", "runner.planned:x"])
def test_an_unknown_failpoint_is_refused(tmp_path: Path, value: str) -> None:
    run = start("--store", tmp_path / "s", "--once", env={**os.environ, "LANDSTREAM_FAILPOINT": value})
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert len(errors.strip().splitlines()) == 1


def test_a_watching_run_takes_what_is_dropped_and_stops_when_told(labels: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run = start("--store", store)
    try:
        deadline = time.monotonic() + 120
        while not (store / "area.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        (store / "landing").mkdir(exist_ok=True)
        shutil.copy(labels, store / "landing" / labels.name)
        (store / "landing" / "link.gpkg").symlink_to(labels)
        second = landstream("run", "--area", SMALL, "--store", store, "--once", check=False)
        assert "another run uses this store" in second.stderr
        while not list(store.glob("items/land-cover-labels/*/*")) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert list(store.glob("items/land-cover-labels/*/*"))
    finally:
        run.send_signal(signal.SIGTERM)
        told = time.monotonic()
        _, errors = run.communicate(timeout=60)
    assert time.monotonic() - told < 25
    assert run.returncode == 143
    assert "landing/link.gpkg: a link" in errors
    assert not list((store / ".landstream" / "work").iterdir())
