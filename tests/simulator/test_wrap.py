"""Bands become products: pixel by pixel where they can, said where they cannot."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from typer.testing import CliRunner

from simulator.bands import BandEncoding, BandFile, WrapError, find_bands
from simulator.commands import app
from simulator.msi import Lattice
from simulator.spectra import S2_RESOLUTION_M
from simulator.wrap import Identity, bands_of, tile_of, wrap
from tests.conftest import real_data
from tests.simulator.test_bands import LATTICE, write_tif

TIME = datetime(2018, 6, 5, 9, 20, 31, tzinfo=UTC)
L2A = Identity("L2A", TIME)


def numbers(band: str, pixel_m: int) -> np.ndarray:
    """uint16 (y, x) over `LATTICE`, every value told by band and place; one 60 m block without data."""
    shape = (LATTICE.rows * 10 // pixel_m, LATTICE.columns * 10 // pixel_m)
    rng = np.random.default_rng([sum(band.encode()), pixel_m])
    values = rng.integers(1, 9000, shape).astype(np.uint16)
    values[: 60 // pixel_m, : 60 // pixel_m] = 0
    return values


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 13 bands as GeoTIFF at their own resolution."""
    folder = tmp_path_factory.mktemp("bands")
    for band, pixel_m in S2_RESOLUTION_M.items():
        write_tif(folder / f"crop_{band}.tif", numbers(band, pixel_m), pixel_m)
    return folder


def files(folder: Path, level: str = "L2A") -> dict[str, BandFile]:
    return find_bands(folder, "*_{band}.tif", bands_of(level))


def image(product: Path, name: str) -> np.ndarray:
    (path,) = product.glob(f"GRANULE/*/IMG_DATA/**/*_{name}.jp2")
    with rasterio.open(path, driver="JP2OpenJPEG") as file:
        assert (file.transform.c, file.transform.f) == (LATTICE.ulx_m, LATTICE.uly_m)
        return file.read(1)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("offset", [0.0, -0.1])
def test_pixels_at_their_own_resolution_stay_what_they_are(
    folder: Path, tmp_path: Path, level: str, offset: float
) -> None:
    made = wrap(tmp_path, files(folder, level), Identity(level, TIME), BandEncoding(offset=offset))
    assert made.product.name == (
        f"S2A_MSI{level}_20180605T092031_N{'0500' if offset else '0209'}_R001_T34TGR_20180605T092031.SAFE"
    )
    for band in bands_of(level):
        name = band if level == "L1C" else f"{band}_{S2_RESOLUTION_M[band]}m"
        assert np.array_equal(image(made.product, name), numbers(band, S2_RESOLUTION_M[band]))
    assert len(made.notes) == (level == "L2A")


def test_without_a_classification_all_that_is_observed_is_clear(folder: Path, tmp_path: Path) -> None:
    made = wrap(tmp_path, files(folder), L2A)
    assert made.notes == ("no --scl was given: all that is observed counts as clear, clouds too",)
    classes = image(made.product, "SCL_20m")
    assert (classes[:3, :3] == 0).all()
    assert (classes == 0).sum() == 9
    assert set(np.unique(classes)) == {0, 7}


def test_a_classification_is_kept(folder: Path, tmp_path: Path) -> None:
    classes = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9) % 12
    made = wrap(tmp_path, files(folder), L2A, scl=write_tif(tmp_path / "scl.tif", classes, 20))
    assert made.notes == ()
    assert np.array_equal(image(made.product, "SCL_20m"), classes)
    clouds = re.search(r"<Cloud_Coverage_Assessment>([\d.]+)<", (made.product / "MTD_MSIL2A.xml").read_text())
    assert clouds is not None
    observed = classes[classes > 0]
    assert float(clouds[1]) == pytest.approx(100 * np.isin(observed, (8, 9, 10)).mean(), abs=1e-4)


def test_finer_pixels_become_means_of_observed_blocks_and_coarser_ones_are_repeated(
    folder: Path, tmp_path: Path
) -> None:
    fine, coarse = numbers("B05", 10), numbers("B04", 20)
    bands = files(folder) | {
        "B05": BandFile(write_tif(tmp_path / "fine.tif", fine)),
        "B04": BandFile(write_tif(tmp_path / "coarse.tif", coarse, 20)),
    }
    made = wrap(tmp_path, bands, L2A)
    blocks = fine.reshape(6, 2, 9, 2).astype(int)
    means = np.where(blocks.min(axis=(1, 3)) == 0, 0, (blocks.sum(axis=(1, 3)) + 2) // 4)
    assert np.array_equal(image(made.product, "B05_20m"), means)
    assert np.array_equal(image(made.product, "B04_10m"), coarse.repeat(2, 0).repeat(2, 1))
    assert sum("was brought from" in note for note in made.notes) == 2


def test_a_stack_of_reflectance_and_absent_bands(tmp_path: Path) -> None:
    bands = [band for band in bands_of("L2A") if band not in ("B01", "B09")]
    rng = np.random.default_rng(3)
    reflectance = rng.uniform(0.01, 0.6, (len(bands), LATTICE.rows, LATTICE.columns)).astype(np.float32)
    path = write_tif(tmp_path / "stack.tif", reflectance)
    given = {band: BandFile(path, index) for index, band in enumerate(bands, 1)}
    made = wrap(tmp_path, given, L2A, BandEncoding(1.0), without=("B01", "B09"))
    assert np.abs(image(made.product, "B08_10m") / 1e4 - reflectance[bands.index("B08")]).max() <= 0.5001e-4
    assert not image(made.product, "B09_60m").any()
    assert {note for note in made.notes if "without data" in note} == {
        "B01 is written without data",
        "B09 is written without data",
    }


def test_the_extent_is_what_all_bands_share_in_whole_60_m_pixels(folder: Path, tmp_path: Path) -> None:
    values = np.full((20, 30), 500, dtype=np.uint16)
    transform = Affine(10, 0, LATTICE.ulx_m + 20, 0, -10, LATTICE.uly_m)
    bands = files(folder) | {"B02": BandFile(write_tif(tmp_path / "b.tif", values, transform=transform))}
    made = wrap(tmp_path, bands, L2A)
    assert "cut to what all bands share in whole 60 m pixels: 12 x 12 pixels of 10 m" in made.notes
    (path,) = made.product.glob("GRANULE/*/IMG_DATA/R10m/*_B03_10m.jp2")
    with rasterio.open(path, driver="JP2OpenJPEG") as file:
        assert (file.transform.c, file.shape) == (LATTICE.ulx_m + 60, (12, 12))
        assert np.array_equal(file.read(1), numbers("B03", 10)[:, 6:])


def test_identity_is_what_was_given(folder: Path, tmp_path: Path) -> None:
    east = TIME.astimezone(timezone(timedelta(hours=3)))
    identity = Identity("L2A", east, "S2B", 93, 20270, "0301", "34TFR", datetime(2018, 7, 1, tzinfo=UTC))
    made = wrap(tmp_path, files(folder), identity)
    assert made.product.name == "S2B_MSIL2A_20180605T092031_N0301_R093_T34TFR_20180701T000000.SAFE"
    again = wrap(tmp_path / "again", files(folder), identity)
    assert (again.product / "manifest.safe").read_bytes() == (made.product / "manifest.safe").read_bytes()


@pytest.mark.parametrize(
    ("lattice", "tile"),
    [
        (Lattice(32633, 330000, 5822040, 768, 1536), "T33UUU"),
        (Lattice(32634, 699960, 5100000, 600, 600), "T34TGR"),
        (Lattice(32723, 300000, 7399980, 600, 600), "T23KLP"),
    ],
)
def test_the_tile_follows_from_the_place(lattice: Lattice, tile: str) -> None:
    assert tile_of(lattice) == tile


def test_what_makes_no_product_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    good = files(folder)
    dark = write_tif(tmp_path / "dark.tif", np.zeros((12, 18), np.uint16))
    reflectance = write_tif(tmp_path / "r.tif", np.full((12, 18), 0.3, np.float32))
    less = {band: file for band, file in good.items() if band not in ("B01", "B11")}
    cases = [
        (less, L2A, {}, "no file of B01, B11; correct --pattern"),
        ({b: f for b, f in good.items() if b != "B09"}, L2A, {}, "or go --without B09"),
        (good, L2A, {"without": ("B04",)}, "--without B04: only B01 and B09"),
        (files(folder, "L1C"), L2A, {}, "level L2A has no B10"),
        (files(folder, "L1C"), Identity("L1C", TIME), {"scl": dark}, "holds no scene classification"),
        (good, Identity("L2A", TIME, mgrs_tile="T99ZZZ"), {}, "--tile T99ZZZ"),
        (
            good,
            Identity("L2A", TIME, mgrs_tile="T35TKL"),
            {},
            "lies in EPSG:32635, but the bands in EPSG:32634",
        ),
        (good | {"B04": BandFile(dark)}, L2A, {}, r"dark\.tif: B04 is nodata everywhere"),
        (good, L2A, {"encoding": BandEncoding(1.0)}, "DN of Sentinel-2 need --scale 1e-4"),
        (dict.fromkeys(good, BandFile(reflectance)), L2A, {}, "reflectance already need --scale 1"),
    ]
    for bands, identity, options, fault in cases:
        with pytest.raises(WrapError, match=fault) as found:
            wrap(tmp_path / "out", bands, identity, **options)
        assert "\n" not in str(found.value)


def test_the_command_prints_paths_and_says_what_it_did(folder: Path, tmp_path: Path) -> None:
    arguments = ["wrap", str(folder), "--time", "2018-06-05T09:20:31Z", "--out", str(tmp_path), "--orbit", "93"]
    made = CliRunner().invoke(app, [*arguments, "--band", f"B04={folder / 'crop_B03.tif'}"])
    assert made.exit_code == 0, made.output
    product = Path(made.stdout.strip())
    assert product.name == "S2A_MSIL2A_20180605T092031_N0209_R093_T34TGR_20180605T092031.SAFE"
    assert np.array_equal(image(product, "B04_10m"), numbers("B03", 10))
    assert made.stderr == "note: no --scl was given: all that is observed counts as clear, clouds too\n"
    refused = CliRunner().invoke(app, [*arguments, "--without", "B09", "--band", "B04=absent.tif"])
    assert (refused.exit_code, refused.stderr) == (2, "landstream: absent.tif: no such file; check the path\n")


@pytest.mark.realdata
def test_patches_of_bigearthnet(tmp_path: Path) -> None:
    name = "S2A_MSIL2A_20170617T113321_36_85"
    source = real_data() / "s2-l2a-bigearthnet-v1" / name
    bands = find_bands(source, "*_{band}.tif", bands_of("L2A"))
    made = wrap(tmp_path, bands, Identity("L2A", datetime(2017, 6, 17, 11, 33, 21, tzinfo=UTC)))
    for band, pixel_m in (("B02", 10), ("B8A", 20), ("B09", 60)):
        (path,) = made.product.glob(f"GRANULE/*/IMG_DATA/R{pixel_m}m/*_{band}_{pixel_m}m.jp2")
        with rasterio.open(path, driver="JP2OpenJPEG") as wrapped, rasterio.open(source / f"{name}_{band}.tif") as real:
            assert wrapped.transform == real.transform
            assert np.array_equal(wrapped.read(1), real.read(1))
