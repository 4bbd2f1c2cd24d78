"""Small products in ESA's format, and a task made by hand."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from services.ingest.process import process
from services.ingest.stage import IngestSettings
from shared.area import Area, load_area
from shared.area.area import parse_area
from shared.items.landing import LandingObject, LandingUnit
from shared.stage import Job, LocalUnit, NewItem, Task
from shared.stage.source import LandingSource
from simulator.msi import Lattice
from simulator.olci import observe_olci, swath_over
from simulator.safe import SafeContent, write_l1c, write_l2a
from simulator.safe_names import SafeName
from simulator.sen3 import write_efr
from simulator.sen3_xml import Sen3Name
from simulator.sky import Sun, Weather
from simulator.spectra import S2_RESOLUTION_M

ROOT = Path(__file__).parents[3]
LABELS_AOI = [23.935, 45.905, 24.055, 45.985]
START = datetime(2018, 6, 5, 9, 20, 31, 24000, tzinfo=UTC)


@pytest.fixture(scope="session")
def area() -> Area:
    """A small area north of Sibiu."""
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


def write_scene(
    out: Path, level: str = "L2A", baseline: str = "0509", platform: str = "S2A", least_dn: int = 1, clear: bool = False
) -> Path:
    """A product of 120 x 180 pixels at 10 m within the area, with every value told by its place."""
    name = SafeName(platform, level, START, baseline, 93, 15420, "T34TGR", datetime(2018, 6, 5, 12, 0, 0, tzinfo=UTC))
    lattice = Lattice(32634, 729960, 5090040, 120, 180)
    rng = np.random.default_rng(7)
    dn = {
        band: rng.integers(least_dn, 9000, (1200 // m, 1800 // m)).astype(np.uint16)
        for band, m in S2_RESOLUTION_M.items()
        if level == "L1C" or band != "B10"
    }
    scl = np.full((60, 90), 4, np.uint8) if clear else rng.integers(0, 12, (60, 90)).astype(np.uint8)
    content = SafeContent(lattice, dn, Sun(30.0, 150.0), scl, np.zeros((60, 90), np.uint8))
    return (write_l2a if level == "L2A" else write_l1c)(out, name, content)


@pytest.fixture(scope="session")
def _scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def scene(_scene: Path, tmp_path: Path) -> Path:
    """A good L2A product that a test may spoil."""
    return Path(shutil.copytree(_scene, tmp_path / _scene.name))


@pytest.fixture(scope="session")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small OLCI frame over the area; tests read it only."""
    name = Sen3Name(
        "S3A", START, START + timedelta(seconds=10), datetime(2018, 6, 6, tzinfo=UTC), 31, 93, 1980, "NT", "003"
    )
    content = observe_olci(1, swath_over(23.99, 45.94, 12000, START), Weather(3, 0.3), 5)
    return write_efr(tmp_path_factory.mktemp("frame"), name, content)


def unit_of(path: Path, patience_s: float = 0.0) -> LandingUnit:
    """A file or folder as a listed landing unit."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    objects = [LandingObject("" if p == path else p.relative_to(path).as_posix(), p.stat().st_size, "") for p in files]
    return LandingUnit(path.name, tuple(objects), time.time(), patience_s)


@pytest.fixture
def ingest(area: Area, tmp_path: Path) -> Callable[..., NewItem]:
    """Runs ingest on a path."""

    def run(path: Path, area: Area = area, patience_s: float = 0.0, **settings: object) -> NewItem:
        folder = tmp_path / f"task{len(list(tmp_path.glob('task*')))}" / "out"
        folder.mkdir(parents=True)
        unit = unit_of(path, patience_s)
        job = Job("", "", "", delivery=LandingSource(unit))
        return process(Task(job, (), (), LocalUnit(unit, path), area, IngestSettings(**settings), folder))

    return run


def make_area(aoi: list[float], years: list[int], labels: object = "clc-level1", label_year: int = 2018) -> Area:
    """An area made by hand."""
    fields = {"name": "here", "aoi": aoi, "labels": labels, "label_year": label_year, "years": years}
    return parse_area(fields, "test")


def write_squares(
    path: Path, layer: str, columns: dict[str, np.ndarray], kind: str = "MultiPolygon", east_m: float = 0.0
) -> Path:
    """Add a layer of two squares around the middle of `LABELS_AOI` to a vector file: of the suffix's format."""
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(23.995, 45.945)
    x += east_m
    squares = [shapely.MultiPolygon([shapely.box(x + d, y - 3000, x + d + 3000, y + 3000)]) for d in (-3000, 0)]
    fields = {"fields": list(columns), "field_data": list(columns.values()), "geometry_type": kind}
    driver = {".gpkg": "GPKG", ".gdb": "OpenFileGDB", ".shp": "ESRI Shapefile"}[path.suffix]
    wkb = shapely.to_wkb(np.array(squares, dtype=object))
    pyogrio.raw.write(path, wkb, **fields, crs="EPSG:3035", driver=driver, layer=layer, append=path.exists())
    return path
