"""What changes no map computes none: an OLCI frame that no model reads, and a scene that is cloud all over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

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
from tests.conftest import AREAS, content_of, copy_store, landstream

CLOUD = 9
"""SCL class "cloud, high probability"."""


def cloudy_scene(out: Path) -> Path:
    """A product over part of the area, of which nothing is clear, in a week that has maps."""
    start = datetime(2018, 6, 27, 9, 20, 31, 24000, tzinfo=UTC)
    name = SafeName("S2B", "L2A", start, "0509", 93, 15420, "T34TGR", start + timedelta(hours=3))
    sizes = {band: (1200 // m, 1800 // m) for band, m in S2_RESOLUTION_M.items() if band != "B10"}
    dn = {band: np.full(size, 7000, np.uint16) for band, size in sizes.items()}
    scl = np.full((60, 90), CLOUD, np.uint8)
    lattice = Lattice(32634, 729960, 5090040, 120, 180)
    return write_l2a(out, name, SafeContent(lattice, dn, Sun(30.0, 150.0), scl, np.full((60, 90), 100, np.uint8)))


def frame(out: Path) -> Path:
    """A frame over the area, in a week that has maps."""
    start = datetime(2018, 6, 28, 8, 47, 2, 24000, tzinfo=UTC)
    name = Sen3Name("S3A", start, start + timedelta(seconds=10), start + timedelta(days=1), 34, 93, 1980, "NT", "003")
    return write_efr(out, name, observe_olci(1, swath_over(23.99, 45.94, 12000, start), Weather(3, 0.3), 5))


def names(store: Path, collection: str) -> set[str]:
    return {path.name for path in store.glob(f"items/{collection}/*/*.json")}


@pytest.mark.parametrize("make", [frame, cloudy_scene], ids=["an OLCI frame", "a cloudy scene"])
def test_what_changes_no_map_computes_none(make, mapped: Path, tmp_path: Path) -> None:
    store = copy_store(mapped, tmp_path / "store")
    made = ("training-requests", "models", "promotions", "land-cover-maps")
    before = {collection: names(store, collection) for collection in made}
    assert all(before.values())
    updates = names(store, "cube-updates")
    maps = [line for line in content_of(store) if "land-cover-maps" in line]

    result = landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", make(tmp_path / "given"))

    assert {collection: names(store, collection) for collection in made} == before
    assert len(names(store, "cube-updates")) == len(updates) + 1, result.stderr
    assert [line for line in content_of(store) if "land-cover-maps" in line] == maps
