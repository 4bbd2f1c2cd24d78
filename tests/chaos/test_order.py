"""A full season gives the same result in any order, also dropped unit by unit into a landing folder that is watched."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.chaos.conftest import digest_of
from tests.conftest import AREAS, EAGER, ROOT, landstream

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

PAUSE_S = 0.02
"""Between two files of a unit: a folder is seen half-way while it arrives."""
PATIENCE_S = 900


@pytest.fixture(scope="module")
def in_order(season: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The digest of a run over the season as it was made."""
    return run(season, tmp_path_factory.mktemp("order") / "store")


def run(products: list[Path], store: Path) -> list[str]:
    start = time.monotonic()
    landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", *products)
    lines = digest_of(store)
    print(f"{len(products)} products in {time.monotonic() - start:.0f} s, {len(lines)} lines of digest")
    return lines


def test_reversed(season: list[Path], in_order: list[str], tmp_path: Path) -> None:
    assert run(season[::-1], tmp_path / "store") == in_order


@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled(season: list[Path], in_order: list[str], tmp_path: Path, seed: int) -> None:
    assert run(random.Random(seed).sample(season, len(season)), tmp_path / "store") == in_order


def test_dropped_into_a_watched_landing_folder(season: list[Path], in_order: list[str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    area = yaml.safe_load((AREAS / "small.yaml").read_text())
    area |= {"train": EAGER | {"quiet_s": 1, "every_tile_weeks": 60}, "patience_s": PATIENCE_S}
    (tmp_path / "area.yaml").write_text(yaml.safe_dump(area))
    command = [sys.executable, "-m", "landstream", "run", "--area", tmp_path / "area.yaml", "--store", store]
    start = time.monotonic()
    # To a file: a pipe that nobody reads would hold up the run.
    said = tmp_path / "said.txt"
    with said.open("w") as out, subprocess.Popen(list(map(str, command)), cwd=ROOT, stderr=out) as watching:
        try:
            wait_for(lambda: (store / "area.json").exists(), watching, 120)
            for unit in random.Random(3).sample(season, len(season)):
                drop(unit, store / "landing")
            wait_for(lambda: all_mapped(store, len(season)), watching, 1800)
        finally:
            watching.send_signal(signal.SIGTERM)
            watching.wait(timeout=120)
    assert watching.returncode == 143, said.read_text()
    print(f"watched for {time.monotonic() - start:.0f} s")
    assert landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once").returncode == 0
    assert not list((store / "failures").rglob("*.json"))
    assert digest_of(store) == in_order


def drop(unit: Path, landing: Path) -> None:
    """Copy a unit as people do: file by file, each in two pieces, while it is watched."""
    files = sorted(p for p in unit.rglob("*") if p.is_file()) if unit.is_dir() else [unit]
    random.Random(unit.name).shuffle(files)
    for file in files:
        target = landing / file.relative_to(unit.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as source, target.open("wb") as copy:
            copy.write(source.read(file.stat().st_size // 2))
            copy.flush()
            time.sleep(PAUSE_S)
            shutil.copyfileobj(source, copy)


def all_mapped(store: Path, products: int) -> bool:
    """Whether each product is registered, nothing waits and the maps are there."""
    stages = json.loads(landstream("status", "--store", store, "--json").stdout)["stages"]
    done = stages["ingest"]["done"] == products and not any(s["waiting"] for s in stages.values())
    return done and bool(landstream("maps", "--latest", "--store", store).stdout)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(2)
