"""Cubes made stage by stage in this process: what a stream makes of products, without training and maps."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from landstream.workspace import bind
from shared.area import load_area
from shared.process.command_line import do_what_is_due
from shared.run.context import Context
from shared.run.deliver import deliver
from shared.store import FolderStore
from simulator.season import Site, plan_season, write_acquisition
from tests.conftest import AREAS

AREA = load_area(AREAS / "small.yaml")
TO_THE_CUBE = ("ingest", "cloudmask", "tiler")


def write_products(folder: Path, *reasons: str) -> list[Path]:
    """Write products of a season, told by how their reason to be in it begins."""
    plan, site = plan_season(AREA.years[0]), Site(AREA.grid.epsg, AREA.grid.bounds_m)
    found = [next(a for a in plan if a.why.startswith(reason)) for reason in reasons]
    return [write_acquisition(site, acquisition, folder) for acquisition in found]


def fill_cube(root: Path, *products: Path, stages: tuple[str, ...] = TO_THE_CUBE) -> Path:
    """Deliver products, Sentinel-2's by default, and do what is due up to the cube; the store."""
    store = FolderStore(root)
    with store.exclusive():
        bind(store, AREA)
        for product in products:
            deliver(store, product, Event())
        for stage in stages:
            do_what_is_due(stage, Context.of_store(store, AREA, patience_s=lambda _: 0.0, back_off_s=0.01))
    return root
