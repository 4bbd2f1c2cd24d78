"""Readers that we did not write accept what the simulator writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import rasterio

from simulator.season import Acquisition

Season = Mapping[str, tuple[Acquisition, Path]]

# What the judges themselves do is not ours to fix:
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # rioxarray and affine, satpy on numpy and xarray
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # affine's matrix product, used by rasterio
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # xarray's defaults, used by satpy
    # ESA's covariance has one dimension twice; xarray says so to satpy.
    pytest.mark.filterwarnings("ignore:Duplicate dimension names:UserWarning"),
    # The subdataset list of a product has no pixels, hence no place.
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    # ESA's footprints run clockwise; antimeridian turns them and says so.
    pytest.mark.filterwarnings("ignore:The exterior ring of this shape is wound clockwise"),
    # dask, through satpy: which engine, which scheduler.
    pytest.mark.filterwarnings("ignore::UserWarning:dask"),
    pytest.mark.filterwarnings("ignore::UserWarning:satpy"),
]
L2A = ("old baseline, no offset", "neighbouring UTM zone, with offset", "reprocessed", "autumn, swath's edge")


def _scene(reader: str, path: Path):  # type: ignore[no-untyped-def]  # satpy has no types
    for module in ("rioxarray", "geotiepoints", "bottleneck"):
        pytest.importorskip(module, reason=f"satpy's {reader} needs {module}")
    satpy = pytest.importorskip("satpy")
    return satpy.Scene([str(file) for file in path.rglob("*") if file.is_file()], reader=reader)


@pytest.mark.parametrize("why", L2A)
def test_satpy_reads_l2a(season: Season, why: str) -> None:
    scene = _scene("msi_safe_l2a", season[why][1])
    scene.load(["B02", "B08", "B11", "B09"])
    medians = {band: float(np.nanmedian(scene[band].values)) for band in ("B02", "B08", "B11", "B09")}
    # Percent; the offset of newer baselines is satpy's to apply, so both kinds must agree.
    assert 1 < medians["B02"] < 12
    assert 15 < medians["B08"] < 60
    assert 8 < medians["B11"] < 45


def test_satpy_reads_l1c(season: Season) -> None:
    scene = _scene("msi_safe", season["the same at the other level"][1])
    scene.load(["B01", "B02", "B08", "B10", "solar_zenith_angle"])
    assert 8 < float(np.nanmedian(scene["B01"].values)) < 25
    assert 15 < float(np.nanmedian(scene["B08"].values)) < 60
    assert abs(float(np.nanmedian(scene["B10"].values))) < 3
    assert 20 < float(scene["solar_zenith_angle"].mean()) < 60


@pytest.mark.parametrize("why", ["frame over the whole area", "overlapping frame of the same week"])
def test_satpy_reads_olci(season: Season, why: str) -> None:
    scene = _scene("olci_l1b", season[why][1])
    scene.load(["Oa08", "Oa17", "latitude", "longitude", "solar_zenith_angle", "satellite_zenith_angle"])
    assert 10 < float(np.nanmedian(scene["Oa17"].values)) < 45
    assert 20 < float(scene["solar_zenith_angle"].mean()) < 40
    assert 45 < float(scene["latitude"].mean()) < 46
    assert 23 < float(scene["longitude"].mean()) < 25


@pytest.mark.parametrize("why", [*L2A, "the same at the other level"])
def test_gdal_reads_safe(season: Season, why: str) -> None:
    acquisition, path = season[why]
    document = next(path.glob("MTD_MSI*.xml"))
    with rasterio.open(document) as product:
        assert product.driver == "SENTINEL2"
        subdatasets = product.subdatasets
    assert len(subdatasets) == 4
    epsg = 32635 if acquisition.tile else 32634
    for name in subdatasets[:3]:
        with rasterio.open(name) as images:
            assert images.crs.to_epsg() == epsg
            assert images.read(1).any()


@pytest.mark.parametrize("why", [*L2A, "the same at the other level"])
def test_stactools_describes_safe(season: Season, why: str) -> None:
    stac = pytest.importorskip("stactools.sentinel2.stac")
    item = stac.create_item(str(season[why][1]))
    assert item.properties["s2:product_uri"] == season[why][1].name
    assert 23.8 < item.bbox[0] < 24.1
    assert all(Path(asset.href).is_file() for asset in item.assets.values())


@pytest.mark.parametrize("why", ["frame over the whole area", "later collection, other flags", "near real time"])
def test_stactools_describes_sen3(season: Season, why: str) -> None:
    stac = pytest.importorskip("stactools.sentinel3.stac")
    item = stac.create_item(str(season[why][1]))
    assert item.properties["s3:product_type"] == "OL_1_EFR___"
    west, south, east, north = item.bbox
    assert west < 24 < east
    assert south < north
