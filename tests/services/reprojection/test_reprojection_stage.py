"""Reprojection from frame to grid: masks, units, real geolocation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from services.reprojection.gather import NO_FLAGS
from services.reprojection.process import process
from services.reprojection.stage import plan
from shared.area import Area, load_area
from shared.items.item import Item
from shared.items.properties import FrameFacts
from shared.sensors import OLCI_RADIANCES
from shared.stage import BrokenPicture, LocalItem, NewItem, RejectScene, Task
from simulator.olci import observe_olci, swath_over
from simulator.sen3 import write_efr
from simulator.sen3_content import OlciContent
from simulator.sen3_xml import Sen3Name
from simulator.sky import Weather
from tests.products.presets import wrap

ROOT = Path(__file__).parents[3]
START = datetime(2018, 6, 5, 9, 5, 10, 123456, tzinfo=UTC)
NAME = Sen3Name(
    "S3A", START, START + timedelta(seconds=10), datetime(2018, 6, 6, tzinfo=UTC), 31, 93, 1980, "NT", "003"
)


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


@pytest.fixture(scope="module")
def content() -> OlciContent:
    return observe_olci(1, swath_over(23.99, 45.94, 12000, START), Weather(3, 0.3), 5)


@dataclass
class Current:
    """A catalogue in which every item is current."""

    def is_current(self, item: Item) -> bool:
        return True


def frame_of(root: Path, product_type: str = "EFR") -> LocalItem:
    facts = FrameFacts(
        scene="S3A_031_093_1980",
        product=root.stem,
        product_version=(1, 3, "20180606T000000"),
        attribution="Contains Copernicus Sentinel data [2018]",
        product_type=product_type,
        shape=(300, 400),
    )
    properties = {"datetime": "2018-06-05T09:05:10.123456Z", "platform": "sentinel-3a"} | facts.properties()
    json_ = {
        "id": f"{root.stem}--v1-00000000",
        "collection": "sentinel-3-olci-l1b",
        "geometry": {"type": "Point", "coordinates": [24, 46]},
        "bbox": [24, 46, 24, 46],
        "properties": properties,
        "assets": {},
    }
    return LocalItem(Item(json_, "2018-W23"), {p.stem: p for p in root.glob("*.nc")})


def run(root: Path, area: Area, folder: Path, product_type: str = "EFR") -> NewItem:
    frame = frame_of(root, product_type)
    (job,) = plan(frame.item, Current(), area, None)  # type: ignore[arg-type]
    wanted = job.inputs[0].assets
    assert wanted is not None
    folder.mkdir()
    local = LocalItem(frame.item, {n: p for n, p in frame.paths.items() if n in wanted})
    return process(Task(job, (local,), (), None, area, None, folder))


def at(item: NewItem, name: str, longitude: float, latitude: float) -> np.ndarray:
    with rasterio.open(item.assets[name].path) as image:
        return image.read()[(slice(None), *image.index(longitude, latitude))]


def test_grid(area: Area, content: OlciContent, tmp_path: Path) -> None:
    item = run(write_efr(tmp_path, NAME, content), area, tmp_path / "out")
    assert set(item.assets) == {"radiance", "view_zenith", "flags", "tie_geometries", "tie_geo_coordinates"}
    for name in ("radiance", "view_zenith", "flags"):
        assert cog_validate(item.assets[name].path, quiet=True)[0]
        with rasterio.open(item.assets[name].path) as image:
            assert image.crs.to_epsg() == 4326
            for origin, edge in ((-180, image.transform.c), (90, image.transform.f)):
                assert (edge - origin) * 360 == pytest.approx(round((edge - origin) * 360), abs=1e-6)
            assert item.assets[name].fields["proj:shape"] == list(image.shape)
            assert "Copernicus" in image.tags()["TIFFTAG_COPYRIGHT"]
    with rasterio.open(item.assets["radiance"].path) as image:
        assert image.descriptions == OLCI_RADIANCES
        assert set(image.units) == {"mW.m-2.sr-1.nm-1"}
        assert image.dtypes == ("float32",) * 21
        assert np.isnan(image.nodata)
        radiance = image.read()
    with rasterio.open(item.assets["flags"].path) as image:
        assert image.nodata == NO_FLAGS
        assert "bright" in image.tags()["flag_meanings"].split()
        words = image.read(1)
    with rasterio.open(item.assets["view_zenith"].path) as image:
        zenith = image.read(1)
    assert np.array_equal(np.isfinite(zenith), words != NO_FLAGS)
    invalid = 1 << 25
    assert np.array_equal(np.isfinite(radiance).all(axis=0), (words & invalid) == 0)
    assert (words[words != NO_FLAGS] & (1 << 23) == 0).all()  # no duplicated pixel was chosen
    assert item.product == ""  # the job says it
    assert item.properties["landstream:attribution"] == "Contains modified Copernicus Sentinel data [2018]"
    assert "landstream:shape" not in item.properties, "that is the swath's"


def test_values_are_those_of_the_pixel(area: Area, content: OlciContent, tmp_path: Path) -> None:
    root = write_efr(tmp_path, NAME, content)
    item = run(root, area, tmp_path / "out")
    with netCDF4.Dataset(root / "Oa17_radiance.nc") as data:
        decoded = np.ma.filled(data["Oa17_radiance"][:].astype(np.float32), np.nan)
    good = ~content.duplicated & ~content.invalid
    rows, columns = np.nonzero(good)
    hits = 0
    for k in range(0, len(rows), 499):
        row, column = rows[k], columns[k]
        longitude, latitude = content.longitude_deg[row, column], content.latitude_deg[row, column]
        near = decoded[max(0, row - 1) : row + 2, max(0, column - 2) : column + 3]
        value = at(item, "radiance", longitude, latitude)[16]
        assert value in near
        hits += value == decoded[row, column]
    assert hits > len(range(0, len(rows), 499)) * 0.6


@pytest.mark.parametrize("collection", ["002", "003", "004"])
def test_saturation_and_invalid(collection: str, area: Area, content: OlciContent, tmp_path: Path) -> None:
    """Old layout: the flag names the band. New layout: it says of the pixel that a band's sample is fill."""
    root = write_efr(tmp_path, dataclasses.replace(NAME, collection=collection), content)
    row, column = 40, 100
    while content.duplicated[row, column] or content.invalid[row, column]:
        column += 1
    with netCDF4.Dataset(root / "qualityFlags.nc", "a") as data:
        data.set_auto_maskandscale(False)
        masks = dict(zip(data["quality_flags"].flag_meanings.split(), data["quality_flags"].flag_masks, strict=True))
        data["quality_flags"][:] = masks["land"]
        name = "saturated@Oa05" if collection == "002" else "saturated"
        data["quality_flags"][row - 3 : row + 4, column - 3 : column + 4] = masks["land"] | masks[name]
    if collection != "002":
        with netCDF4.Dataset(root / "Oa05_radiance.nc", "a") as data:
            data.set_auto_maskandscale(False)
            data["Oa05_radiance"][row - 3 : row + 4, column - 3 : column + 4] = 65535
    item = run(root, area, tmp_path / "out")
    values = at(item, "radiance", content.longitude_deg[row, column], content.latitude_deg[row, column])
    assert np.isnan(values).tolist() == [band == 5 for band in range(1, 22)]


def test_reduced_resolution_is_refused(area: Area, content: OlciContent, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="reduced-resolution"):
        run(write_efr(tmp_path, NAME, content), area, tmp_path / "out", "ERR")


def _no_flags(root: Path) -> None:
    with netCDF4.Dataset(root / "qualityFlags.nc", "a") as data:
        data["quality_flags"].flag_meanings = "land"


def _no_ties(root: Path) -> None:
    with netCDF4.Dataset(root / "tie_geometries.nc", "a") as data:
        data.ac_subsampling_factor = np.uint16(16)


def _nowhere(root: Path) -> None:
    with netCDF4.Dataset(root / "geo_coordinates.nc", "a") as data:
        data.set_auto_maskandscale(False)
        data["latitude"][:] = -2147483648


def _noise(root: Path) -> None:
    (root / "Oa03_radiance.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(4000))


@pytest.mark.parametrize(
    ("spoil", "fault", "broken"),
    [
        (_no_flags, "flags", True),
        (_no_ties, "tie points", True),
        (_nowhere, "position", False),  # it is read, and says nothing of the area
        (_noise, "damaged", True),
    ],
)
def test_damaged_frames(
    spoil: Callable[[Path], None], fault: str, broken: bool, area: Area, content: OlciContent, tmp_path: Path
) -> None:
    root = write_efr(tmp_path, NAME, content)
    spoil(root)
    with pytest.raises(RejectScene, match=fault) as error:
        run(root, area, tmp_path / "out")
    assert isinstance(error.value, BrokenPicture) == broken


@pytest.mark.realdata
def test_east_anglia_lies_where_it_is(data: Path, area: Area, tmp_path: Path) -> None:
    """Each cell of the real swath holds the value of a pixel within one OLCI pixel (300 m) of the cell's centre."""
    (root,) = wrap("east-anglia", data / "s3-olci-swath-east-anglia", tmp_path)
    item = run(root, area, tmp_path / "out")
    with netCDF4.Dataset(root / "geo_coordinates.nc") as geo, netCDF4.Dataset(root / "Oa17_radiance.nc") as oa17:
        latitude, longitude = np.asarray(geo["latitude"][:]), np.asarray(geo["longitude"][:])
        radiance = np.ma.filled(oa17["Oa17_radiance"][:].astype(np.float32), np.nan)
    with netCDF4.Dataset(root / "qualityFlags.nc") as flags:
        copies = np.asarray(flags["quality_flags"][:]) & (1 << 23) != 0
    latitude[copies] = 0  # a duplicated pixel is no candidate
    with rasterio.open(item.assets["radiance"].path) as image:
        grid = image.read(17)
        rows, columns = np.nonzero(np.isfinite(grid))
        x, y = image.xy(rows, columns)
    assert len(rows) > 9000
    assert -0.1 < np.min(x) - 1.152 < 0.1
    assert -0.1 < np.max(y) - 52.641 < 0.1
    distances = []
    for k in range(0, len(rows), 53):
        distance = 111_195 * np.hypot(latitude - y[k], (longitude - x[k]) * np.cos(np.radians(y[k])))
        same = radiance == grid[rows[k], columns[k]]
        assert same.any()
        assert distance[same].min() <= distance.min() + 1e-3
        distances.append(distance[same].min())
    # beyond a pixel only on the fringe, up to the cut-off
    assert np.quantile(distances, 0.97) < 300
    assert max(distances) < 600
