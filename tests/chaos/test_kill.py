"""SIGKILL at every failpoint, at its 1st and 3rd hit: the next run ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from pathlib import Path

import pytest

from shared.observe import failpoint
from tests.chaos.conftest import digest_of
from tests.conftest import AREAS, landstream

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

# Not asked of the command line here: `make test` collects this module too.
FAILPOINTS = {name: hits for name, (hits, _) in failpoint.FAILPOINTS.items()}
# What is fetched is killed in test_arrivals.py.
CASES = [(name, hit) for name in FAILPOINTS if not name.startswith("fetch.") for hit in (1, 3)]
MARK = "LANDSTREAM_KILL_TEST"
FAILED_EXIT = 3


def test_hits_are_declared() -> None:
    told = map(json.loads, landstream("failpoints", "--json").stdout.splitlines())
    assert {f["name"]: f["hits"] for f in told} == FAILPOINTS
    assert set(FAILPOINTS.values()) == {0, 1, 3}


@pytest.mark.parametrize(("name", "hit"), CASES, ids=[f"{name}:{hit}" for name, hit in CASES])
def test_killed_run_is_taken_up(name: str, hit: int, six: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    store, mark = tmp_path / "store", uuid.uuid4().hex
    products = list(six)
    if FAILPOINTS[name] == 0:  # reached with failures only: as many as it takes
        for number in range(hit):
            products.append(tmp_path / f"note{number}.txt")
            products[-1].write_text(f"no product {number}\n")
    command = ("run", "--area", AREAS / "small.yaml", "--store", store, "--once", *products)
    start = time.monotonic()
    environment = {**os.environ, MARK: mark, "LANDSTREAM_FAILPOINT": f"{name}:{hit}"}
    first = landstream(*command, check=False, env=environment)
    killed, took_s = first.returncode == -signal.SIGKILL, time.monotonic() - start
    must = FAILPOINTS[name] >= hit or FAILPOINTS[name] == 0
    assert killed or not must, f"{name} was to be hit {hit} times; it ended with {first.returncode}\n{first.stderr}"
    assert not left_over(mark)

    items = sum(1 for _ in (store / "items").rglob("*.json"))
    start = time.monotonic()
    second = landstream(*command, check=False)
    wanted = FAILED_EXIT if FAILPOINTS[name] == 0 else 0
    assert second.returncode == wanted, second.stderr
    digest = digest_of(store)
    print(
        f"{name}:{hit} {'killed' if killed else 'not reached'} after {took_s:.0f} s with {items} items; "
        f"ended in {time.monotonic() - start:.0f} s more, {len(digest)} lines of digest"
    )
    assert digest == undisturbed
    assert len(list((store / "failures").rglob("*.json"))) == (hit if FAILPOINTS[name] == 0 else 0)
    for scratch in ("tmp", "work"):
        assert not list((store / ".landstream" / scratch).iterdir())


def left_over(mark: str) -> list[int]:
    """Processes of a killed run that still live; the kernel has a moment to end them."""
    deadline = time.monotonic() + 10
    while found := [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/environ") if mark in environment_of(p)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def environment_of(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
