"""Twelve kinds of bad product beside good ones: one failure record each, and the good ones mapped as if alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from simulator.msi import Lattice
from simulator.olci import observe_olci, swath_over
from simulator.safe import SafeContent, write_l2a
from simulator.safe_names import SafeName
from simulator.sen3 import write_efr
from simulator.sen3_xml import Sen3Name
from simulator.sky import Sun, Weather
from simulator.spectra import S2_RESOLUTION_M
from tests.conftest import AREAS, landstream
from tests.products.bad import KINDS, make_bad, reseal

EXPECTED = {
    # kind: (file named, fault named)
    "truncated_zip": (r"^{unit}$", r"truncated zip"),
    "wrong_checksum": (r"B04_10m\.jp2$", r"checksum"),
    "missing_band": (r"B08_10m\.jp2$|^B08_10m$", r"missing"),
    "zip_slip": (r"^{unit}$", r"unsafe path .*\.\./slipped\.txt"),
    "entity_bomb": (r"^MTD_MSIL2A\.xml$", r"entit"),
    "vrt_as_jp2": (r"B02_10m\.jp2$", r"not a JPEG2000.*VRT"),
    "wrong_crs": (r"MTD_TL\.xml$", r"EPSG:4326"),
    "empty": (r"^manifest\.safe$", r"empty"),
    "not_a_product": (r"^{unit}$", r"not a product"),
    "unknown_class": (r"^{unit}$", r"777.*unknown"),
    "corrupt_jp2": (r"B03_10m\.jp2$", r"corrupt JPEG2000"),
    "sen3_without_coordinates": (r"^geo_coordinates\.nc$", r"missing"),
}


def small_scene(out: Path, day: int) -> Path:
    """A product over part of the area, of a day on which no good product was taken."""
    start = datetime(2018, 8, 1, 9, 20, 31, 24000, tzinfo=UTC) + timedelta(days=day)
    name = SafeName("S2A", "L2A", start, "0509", 93, 15420 + day, "T34TGR", start + timedelta(hours=3))
    rng = np.random.default_rng(day)
    dn = {
        band: rng.integers(1, 9000, (1200 // m, 1800 // m)).astype(np.uint16)
        for band, m in S2_RESOLUTION_M.items()
        if band != "B10"
    }
    scl = rng.integers(4, 6, (60, 90)).astype(np.uint8)
    lattice = Lattice(32634, 729960, 5090040, 120, 180)
    return write_l2a(out, name, SafeContent(lattice, dn, Sun(30.0, 150.0), scl, np.zeros((60, 90), np.uint8)))


def small_frame(out: Path) -> Path:
    """A frame over the area."""
    start = datetime(2018, 8, 15, 8, 47, 2, 24000, tzinfo=UTC)
    name = Sen3Name("S3A", start, start + timedelta(seconds=10), start + timedelta(days=1), 34, 93, 1980, "NT", "003")
    return write_efr(out, name, observe_olci(1, swath_over(23.99, 45.94, 12000, start), Weather(3, 0.3), 5))


@pytest.fixture(scope="module")
def canary() -> Iterator[socket.socket]:
    """A listener that nobody may call."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


@dataclass
class Run:
    """A run over good and bad products.

    Attributes:
        result: of the command.
        store: its store.
        units: kind -> name of the bad unit.
        before: what lay beside the store before: path -> content's digest.
        folder: which holds the store and all that was given.
    """

    result: CompletedProcess[str]
    store: Path
    units: dict[str, str]
    before: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def run(six: list[Path], canary: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("bad")
    good, bad = folder / "good", folder / "bad"
    made = {}
    for day, kind in enumerate(KINDS):
        product = small_frame(good) if kind.startswith("sen3") else small_scene(good, day)
        made[kind] = make_bad(kind, product, bad)
    vrt = next(made["vrt_as_jp2"].rglob("*_B02_10m.jp2"))
    vrt.write_text(vrt.read_text().replace("127.0.0.1:9/", f"127.0.0.1:{canary.getsockname()[1]}/"))
    reseal(made["vrt_as_jp2"])
    (folder / "tmp").mkdir()
    before = listing(folder)
    store = folder / "store"
    # The bad between the good ones, not after them.
    products = sorted([*six, *made.values()], key=lambda p: hashlib.sha256(p.name.encode()).digest())
    result = landstream(
        *("run", "--area", AREAS / "small.yaml", "--store", store, "--once"), *products,
        check=False, env={**environment(), "TMPDIR": str(folder / "tmp")},
    )  # fmt: skip
    return Run(result, store, {kind: path.name for kind, path in made.items()}, before, folder)


def environment() -> dict[str, str]:
    """Nothing stands between a call and the canary."""
    return {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}


def listing(folder: Path) -> dict[str, str]:
    """Every file below a folder, the store left out, with its content's digest."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_relative_to(folder / "store"))
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def records(run: Run) -> list[dict[str, str]]:
    return [json.loads(line) for line in landstream("failures", "--store", run.store).stdout.splitlines()]


def subject(record: dict[str, str]) -> str:
    """The unit that could not be read, or the product whose picture a later stage could not."""
    return Path(record["unit"] or record["id"].rpartition("--")[0]).stem


def test_each_bad_product_gives_one_failure_record(run: Run, records: list[dict[str, str]]) -> None:
    assert run.result.returncode == 3, run.result.stderr
    assert "12 failure records" in run.result.stderr
    assert sorted(map(subject, records)) == sorted(Path(unit).stem for unit in run.units.values())
    undecodable = Path(run.units["corrupt_jp2"]).stem
    assert {subject(r): r["stage"] for r in records if r["stage"] != "ingest"} == {undecodable: "tiler"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_names_file_fault_and_remedy(run: Run, records: list[dict[str, str]], kind: str) -> None:
    unit = run.units[kind]
    (record,) = [r for r in records if subject(r) == Path(unit).stem]
    file, fault = EXPECTED[kind]
    assert re.search(file.format(unit=re.escape(unit)), record["file"]), record
    assert re.search(fault, record["fault"], re.IGNORECASE), record
    assert "deliver" in record["remedy"] or "correct" in record["remedy"], record
    assert record["attempts"] == 1
    assert record["error_class"].endswith("BrokenPicture" if kind == "corrupt_jp2" else "RejectScene")


def test_good_products_are_mapped_as_if_alone(run: Run, mapped: Path) -> None:
    alone = landstream("digest", "--store", mapped).stdout
    assert "land-cover-maps" in alone
    assert landstream("digest", "--store", run.store).stdout == alone


def test_nothing_outside_the_store_was_touched(run: Run) -> None:
    assert listing(run.folder) == run.before
    assert not list(run.folder.rglob("slipped*"))
    assert not list((run.folder / "tmp").iterdir())


def test_no_connection_was_attempted(run: Run, canary: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        canary.accept()


def test_a_second_run_tries_none_again(run: Run) -> None:
    before = {p: p.stat().st_mtime_ns for p in (run.store / "failures").rglob("*.json")}
    again = landstream("run", "--area", AREAS / "small.yaml", "--store", run.store, "--once", check=False)
    assert again.returncode == 3
    assert {p: p.stat().st_mtime_ns for p in (run.store / "failures").rglob("*.json")} == before
