"""Files of bands are found, placed and read as Sentinel-2's numbers, or refused in a line that says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine

from simulator.bands import (
    BandEncoding,
    BandFile,
    FileGrid,
    WrapError,
    common_lattice,
    find_bands,
    open_image,
    parse_band,
    read_classes,
    read_dn,
    read_grid,
)
from simulator.msi import Lattice

LATTICE = Lattice(32634, 730020, 5060040, 12, 18)


def write_tif(path: Path, values: np.ndarray, pixel_m: float = 10, **options: object) -> Path:
    """A GeoTIFF (band, y, x) or (y, x) whose upper left corner is that of `LATTICE`."""
    bands = values if values.ndim == 3 else values[np.newaxis]
    made = {
        "crs": "EPSG:32634",
        "transform": Affine(pixel_m, 0, LATTICE.ulx_m, 0, -pixel_m, LATTICE.uly_m),
        **options,
    }
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", **shape, **made) as file:
        file.write(bands)
    return path


def read(path: Path, encoding: BandEncoding, dn_offset: int = 0, index: int = 1) -> tuple[np.ndarray, int]:
    file = BandFile(path, index)
    return read_dn(file, read_grid(file), LATTICE, encoding, dn_offset)


def test_whole_numbers_stay_what_they_are(tmp_path: Path) -> None:
    values = np.arange(216, dtype=np.uint16).reshape(12, 18) * 151
    path = write_tif(tmp_path / "b.tif", values)
    for encoding, dn_offset in ((BandEncoding(), 0), (BandEncoding(offset=-0.1), -1000)):
        dn, clipped = read(path, encoding, dn_offset)
        assert (dn.dtype, clipped) == (np.uint16, 0)
        assert np.array_equal(dn, values)


@given(st.integers(1, 32_767), st.sampled_from([0, -1000]))
def test_the_default_encoding_is_the_identity_of_dn(value: int, dn_offset: int) -> None:
    encoding = BandEncoding(offset=dn_offset / 10_000)
    factor, shift = encoding.scale * 10_000, encoding.offset * 10_000 - dn_offset
    assert factor == 1
    assert abs(shift) < 1e-9
    assert round(value * factor + shift) == value


def test_reflectance_becomes_dn_and_what_is_not_observed_becomes_zero(tmp_path: Path) -> None:
    values = np.full((12, 18), 0.25, dtype=np.float32)
    values[0, :4] = np.nan, -9999, -0.05, 9.0
    dn, clipped = read(write_tif(tmp_path / "b.tif", values, nodata=-9999), BandEncoding(1.0), -1000)
    assert dn[0, :5].tolist() == [0, 0, 500, 32_767, 3500]
    assert clipped == 1
    dn, clipped = read(write_tif(tmp_path / "c.tif", values), BandEncoding(1.0, nodata=0.25))
    assert dn[0, :5].tolist() == [0, 1, 1, 32_767, 0]
    assert clipped == 3


def test_zero_of_integers_is_nodata_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    values = np.full((12, 18), 700, dtype=np.uint16)
    values[0, 0] = 0
    assert read(write_tif(tmp_path / "a.tif", values), BandEncoding())[0][0, 0] == 0
    assert read(write_tif(tmp_path / "b.tif", values, nodata=65_535), BandEncoding())[0][0, 0] == 1


def test_a_band_of_a_stack_and_a_window_of_a_larger_file(tmp_path: Path) -> None:
    values = np.arange(3 * 16 * 24, dtype=np.uint16).reshape(3, 16, 24) + 1
    transform = Affine(10, 0, LATTICE.ulx_m - 30, 0, -10, LATTICE.uly_m + 20)
    dn, _ = read(write_tif(tmp_path / "b.tif", values, transform=transform), BandEncoding(), index=3)
    assert np.array_equal(dn, values[2, 2:14, 3:21])


def test_classes_come_at_20_m(tmp_path: Path) -> None:
    coarse = np.array([[3, 4, 8], [11, 5, 0]], dtype=np.uint8)
    path = write_tif(tmp_path / "scl.tif", coarse, 60)
    assert np.array_equal(read_classes(path, read_grid(BandFile(path)), LATTICE), coarse.repeat(3, 0).repeat(3, 1))
    for values, pixel_m, fault in ((np.zeros((12, 18), np.uint8), 10, "10 m"), (coarse + 9, 60, "class 12")):
        path = write_tif(tmp_path / "scl.tif", values, pixel_m)
        with pytest.raises(WrapError, match=fault):
            read_classes(path, read_grid(BandFile(path)), LATTICE)


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(14, 40), st.integers(14, 40)),
        min_size=1,
        max_size=4,
    )
)
def test_the_common_lattice_lies_in_every_file_on_multiples_of_60_m(extents: list[tuple[int, int, int, int]]) -> None:
    grids = {
        Path(str(n)): FileGrid(32634, 600_000 + 10 * x, 5_000_040 + 10 * y, 10, rows, columns)
        for n, (x, y, rows, columns) in enumerate(extents)
    }
    try:
        lattice = common_lattice(grids)
    except WrapError:
        return
    assert lattice.ulx_m % 60 == lattice.uly_m % 60 == lattice.rows % 6 == lattice.columns % 6 == 0
    for grid in grids.values():
        window = grid.window(lattice)
        assert window.col_off >= 0
        assert window.row_off >= 0
        assert window.col_off + window.width <= grid.columns
        assert window.row_off + window.height <= grid.rows


def test_files_of_different_places_or_zones_are_refused() -> None:
    here, there = FileGrid(32634, 600_000, 5_000_040, 10, 60, 60), FileGrid(32634, 660_000, 5_000_040, 20, 60, 60)
    with pytest.raises(WrapError, match=r"a\.tif: shares no whole 60 m pixel"):
        common_lattice({Path("a.tif"): here, Path("b.tif"): there})
    with pytest.raises(WrapError, match=r"b\.tif: lies in EPSG:32635, and a\.tif in EPSG:32634"):
        common_lattice({Path("a.tif"): here, Path("b.tif"): FileGrid(32635, 600_000, 5_000_040, 10, 60, 60)})
    with pytest.raises(WrapError, match="more than a product holds"):
        common_lattice({Path("a.tif"): FileGrid(32634, 300_000, 5_000_040, 10, 12_000, 60)})


@pytest.mark.parametrize(
    ("options", "pixel_m", "fault"),
    [
        ({"crs": "EPSG:3035"}, 10, "EPSG:3035, not a UTM zone"),
        ({"crs": None}, 10, "no CRS"),
        ({}, 30, "pixels of 30 m"),
        ({"transform": Affine(10, 0, 5, 0, -10, 0)}, 10, "corner 5, 0"),
        ({"transform": Affine(10, 0, 0, 0, 10, 0)}, 10, "north-up"),
    ],
)
def test_grids_that_are_not_sentinel_2s_are_refused(tmp_path: Path, options: dict, pixel_m: int, fault: str) -> None:
    path = write_tif(tmp_path / "b.tif", np.ones((6, 6), np.uint16), pixel_m, **options)
    with pytest.raises(WrapError, match=fault) as found:
        read_grid(BandFile(path))
    assert str(found.value).startswith(f"{path}: ")


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    good = write_tif(tmp_path / "good.tif", np.ones((6, 6), np.uint16))
    (tmp_path / "text.tif").write_text("not a raster")
    (tmp_path / "scene.nc").write_bytes(b"CDF")
    for path, index, fault in (
        (tmp_path / "absent.tif", 1, "no such file"),
        (tmp_path / "text.tif", 1, "cannot be read"),
        (tmp_path / "scene.nc", 1, "neither .tif nor .jp2"),
        (good, 2, "has 1 bands"),
    ):
        with pytest.raises(WrapError, match=fault):
            read_grid(BandFile(path, index))
    with open_image(good) as image:
        assert image.driver == "GTiff"


def test_bands_are_found_by_pattern(tmp_path: Path) -> None:
    for name in ("x_B02.tif", "x_B8A.tif", "x_B02_old.tif"):
        (tmp_path / name).touch()
    found = find_bands(tmp_path, "*_{band}.tif", ("B02", "B03", "B8A"))
    assert found == {"B02": BandFile(tmp_path / "x_B02.tif"), "B8A": BandFile(tmp_path / "x_B8A.tif")}
    for folder, pattern, fault in (
        (tmp_path, "*_{band}*.tif", "both match B02"),
        (tmp_path, "*.tif", "holds no {band}"),
        (tmp_path, "*_{band}.jp2", r"no file matches \*_B02\.jp2"),
        (tmp_path / "absent", "*_{band}.tif", "no such folder"),
    ):
        with pytest.raises(WrapError, match=fault):
            find_bands(folder, pattern, ("B02",))


def test_bands_are_named_one_by_one_or_in_a_stack() -> None:
    assert parse_band("B4=a.tif") == {"B04": BandFile(Path("a.tif"))}
    assert parse_band("b02,-,B8A=a=b.tif") == {"B02": BandFile(Path("a=b.tif"), 1), "B8A": BandFile(Path("a=b.tif"), 3)}
    for text, fault in (("a.tif", "write it as"), ("B04=", "write it as"), ("B13=a.tif", "B13 is not a band")):
        with pytest.raises(WrapError, match=fault):
            parse_band(text)
