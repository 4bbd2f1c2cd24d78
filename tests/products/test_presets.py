"""Real pixels arrive in products unchanged."""

from __future__ import annotations

import math
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio

from tests.products.presets import wrap
from tests.simulator.conftest import real_folder


@pytest.mark.realdata
def test_brandenburg_keeps_every_pixel(tmp_path: Path) -> None:
    source = real_folder("s2-l1c-brandenburg-t33uuu")
    product, labels = wrap("brandenburg", source, tmp_path)
    assert product.name == "S2A_MSIL1C_20170216T102101_N0204_R065_T33UUU_20170216T102204.SAFE"
    assert labels.read_bytes() == (source / "osm_landuse_water.gpkg").read_bytes()
    for band in ("B01", "B02", "B8A", "B10", "B12"):
        with (
            rasterio.open(next(product.rglob(f"*_{band}.jp2"))) as wrapped,
            rasterio.open(source / "IMG_DATA" / f"T33UUU_20170216T102101_{band}.jp2") as real,
        ):
            assert np.array_equal(wrapped.read(1), real.read(1))
            assert wrapped.transform == real.transform
            assert wrapped.crs == real.crs


@pytest.mark.realdata
def test_east_anglia_gives_back_the_reflectance(tmp_path: Path) -> None:
    source = real_folder("s3-olci-swath-east-anglia")
    (product,) = wrap("east-anglia", source, tmp_path)
    assert product.name.startswith("S3A_OL_1_EFR____20170414T102729_")
    with (
        netCDF4.Dataset(product / "Oa17_radiance.nc") as radiance,
        netCDF4.Dataset(product / "instrument_data.nc") as instrument,
        netCDF4.Dataset(product / "tie_geometries.nc") as angles,
        netCDF4.Dataset(product / "geo_coordinates.nc") as places,
        netCDF4.Dataset(next(source.glob("*.nc"))) as real,
    ):
        values = radiance["Oa17_radiance"][:, 62:162]
        assert values.shape == (100, 100)
        flux = np.ma.filled(instrument["solar_flux"][16], np.nan)[instrument["detector_index"][:, 62:162].astype(int)]
        zenith = np.stack([np.interp(np.arange(62, 162), np.arange(4) * 64, row) for row in angles["SZA"][:]])
        back = math.pi * values / (flux * np.cos(np.radians(zenith)))
        assert np.nanmax(np.abs(np.ma.filled(back, np.nan) - real["rtoa_17"][:])) < 1e-4
        assert np.abs(places["latitude"][:, 62:162] - real["lat"][:]).max() < 1e-6


@pytest.mark.realdata
def test_malta_is_copied(tmp_path: Path) -> None:
    source = real_folder("clc-vector-malta")
    paths = wrap("malta", source, tmp_path)
    assert [p.name for p in paths] == ["clc2018_mt.gpkg", "clc2012_mt.gdb.zip", "CLC2024_MT.gdb.zip"]
    assert all(p.read_bytes() == (source / p.name).read_bytes() for p in paths)


def test_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a folder"):
        wrap("malta", tmp_path / "nowhere", tmp_path / "out")
