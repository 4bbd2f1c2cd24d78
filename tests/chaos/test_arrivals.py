"""Whole seasons that come by themselves: through each kind of source, killed over and over, from servers that fail."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from shared.observe.failpoint import FAILPOINTS
from simulator.cogs import write_cogs
from tests.chaos.conftest import digest_of
from tests.conftest import AREAS, ROOT, content_of, landstream
from tests.landstream.catalogues import (
    LIMITS,
    cdse,
    environment,
    faults,
    labels_of,
    scenes_of,
    scenes_of_cogs,
    write_area,
)
from tools.servers.catalogue import CatalogueServer
from tools.servers.catalogue.stranger import Stranger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(5400)]

SEASON = 60
KILLS = 50
FETCHING = [name for name in FAILPOINTS if name.startswith("fetch.")]


def by_hand(products: Sequence[Path], store: Path) -> Path:
    landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", *products)
    return store


def settled(store: Path) -> None:
    """The account closes: nothing is missing without a reason."""
    said = landstream("account", "--store", store).stdout
    assert json.loads(said.splitlines()[-1]) == {"unexplained": 0, "searches": []}, said


def test_a_season_of_sixty_products(tmp_path: Path) -> None:
    made = landstream(
        "simulate", "season", "--area", AREAS / "small.yaml", "--out", tmp_path / "made", "--products", SEASON
    )
    products = [Path(line) for line in made.stdout.splitlines()]
    expected = digest_of(by_hand(products, tmp_path / "by-hand"))
    store = tmp_path / "store"
    with Stranger() as stranger:
        wrong = faults(0.1, ("stac", "odata", "token", "download"), stranger.address)
        with CatalogueServer(scenes_of(products), faults=wrong, limits=LIMITS) as server:
            area = write_area(tmp_path, cdse(server, products=["S2MSI2A", "S2MSI1C", "OL_1_EFR___"]))
            command = ("run", "--area", area, "--store", store, "--once", *labels_of(products))
            start = time.monotonic()
            landstream(*command, env=environment(server))
            print(f"{SEASON} products in {time.monotonic() - start:.0f} s, faults: {dict(server.seen.faults)}")
            assert server.seen.forbidden == []
            assert server.seen.whole_twice == []
        assert not stranger.credentials
    assert digest_of(store) == expected
    settled(store)


def test_dhus_with_offline_products(six: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    offered = [replace(p, online=n % 2 == 0) for n, p in enumerate(scenes_of(six))]
    wrong = faults(0.05, ("dhus",), "http://127.0.0.1:9")
    with CatalogueServer(offered, faults=wrong, limits=LIMITS) as server:
        area = write_area(tmp_path, {"kind": "dhus", "api_url": server.dhus_url})
        for _ in range(3):  # what is offline for long is left to the next run
            landstream("run", "--area", area, "--store", store, "--once", *labels_of(six), env=environment(server))
        assert server.seen.forbidden == []
        assert server.seen.whole_twice == []
    assert digest_of(store) == undisturbed
    settled(store)


@pytest.mark.parametrize("applied", [False, True])
def test_cogs_of_a_stac_api(applied: bool, six: list[Path], tmp_path: Path) -> None:
    safes = [p for p in six if p.suffix == ".SAFE"]
    cogs = [write_cogs(safe, tmp_path / "cogs", applied=applied) for safe in safes]
    store = tmp_path / "store"
    with CatalogueServer(scenes=scenes_of_cogs(safes, cogs, applied)) as server:
        area = write_area(tmp_path, {"kind": "stac", "api_url": server.earth_url, "asset_hosts": ["127.0.0.1"]})
        landstream("run", "--area", area, "--store", store, "--once", env=environment(server))
        assert server.seen.forbidden == []
        assert server.seen.whole_twice == []
    items = list((store / "items" / "sentinel-2-l2a").rglob("*.json"))
    assert len(items) == len(safes)
    if not applied:  # what was below 0 is lost once the offset is applied
        assert content_of(store) == content_of(by_hand(safes, tmp_path / "by-hand"))
    settled(store)


def test_killed_fifty_times(six: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    store, rng, kills = tmp_path / "store", random.Random(20261130), Counter[str]()
    with CatalogueServer(scenes_of(six)) as server:
        area = write_area(tmp_path, cdse(server))
        command = [sys.executable, "-m", "landstream", "run", "--area", area, "--store", store, "--once"]
        while sum(kills.values()) < KILLS:
            # At a step of fetching while there is something to fetch, then at any time.
            point = rng.choice(FETCHING)
            armed = environment(
                server, LANDSTREAM_FETCH_LEASE_S="1", LANDSTREAM_FAILPOINT=f"{point}:{rng.randint(1, 3)}"
            )
            with subprocess.Popen(
                list(map(str, command)), cwd=ROOT, env=armed, stderr=subprocess.DEVNULL, start_new_session=True
            ) as run:
                try:
                    run.wait(rng.uniform(6, 14))
                    kills[point] += run.returncode == -signal.SIGKILL
                except subprocess.TimeoutExpired:
                    os.killpg(run.pid, signal.SIGKILL)
                    kills["any time"] += 1
                if run.returncode == 0:
                    kills["ended before"] += 1
        print(dict(kills))
        landstream(*map(str, command[3:]), *labels_of(six), env=environment(server, LANDSTREAM_FETCH_LEASE_S="1"))
        # The server counts what it sent, and not what reached a process that was killed.
        assert sum(server.seen.whole.values()) <= 5 + sum(kills.values())
        assert server.seen.forbidden == []
    assert digest_of(store) == undisturbed
    assert not list((store / "failures").rglob("*.json"))
    settled(store)


def test_what_changes_upstream_changes_here_and_nothing_else(twelve: list[Path], tmp_path: Path) -> None:
    """A newer baseline, the other part of twins, a deletion: as if the old ones had never been."""
    store, offered = tmp_path / "store", scenes_of(twelve)
    (old,) = [p for p in offered if "20180529T092031_N0206" in p.name]
    (newer,) = [p for p in offered if "20180529T092031_N0500" in p.name]
    twins = [p for p in offered if "20180628T092031" in p.name]
    (gone,) = [p for p in offered if "20180727T092031" in p.name]
    assert len(twins) == 2
    first = [p for p in offered if p not in (newer, twins[1])]
    with CatalogueServer(first) as server:
        area = write_area(tmp_path, cdse(server))
        command = ("run", "--area", area, "--store", store, "--once", *labels_of(twelve))
        landstream(*command, env=environment(server))
        before = {p.relative_to(store) for p in (store / "items" / "cube-updates").rglob("*.json")}
        for product in (newer, twins[1]):
            server.shelf.put(product)
        server.shelf.remove(gone.id)
        landstream(*command, env=environment(server))
        assert server.seen.whole_twice == []
    after = {p.relative_to(store) for p in (store / "items" / "cube-updates").rglob("*.json")}
    touched = {p.parent.name for p in after - before}
    assert before <= after
    assert touched == {"2018-W22", "2018-W26", "2018-W30"}, "the weeks of what changed"
    assert len(after - before) == 3
    never = [p for p in twelve if p.stem not in (old.name, gone.name)]
    assert content_of(store) == content_of(by_hand(never, tmp_path / "by-hand"))
    settled(store)
