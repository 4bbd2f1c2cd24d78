"""Cloud masks: codes, dilation, the detector and both levels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rio_cogeo import cog_validate
from scipy.ndimage import distance_transform_edt

from services.cloudmask.detect import BANDS, block_mean, cloud_probability, codes_from_probability
from services.cloudmask.mask import classify_scl, dilate_clear, percentages
from services.cloudmask.process import process
from services.cloudmask.read_bands import read_l1c
from services.cloudmask.stage import STAGE, CloudmaskSettings, plan
from shared.area import Area, load_area
from shared.items.item import Item
from shared.items.properties import SceneFacts
from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_NODATA, MASK_SHADOW, msi_assets
from shared.stage import BrokenPicture, Job, LocalItem, NewItem, Source, Task, published
from simulator.jp2 import write_jp2
from simulator.spectra import S2_RESOLUTION_M

ROOT = Path(__file__).parents[3]
PRODUCT = "S2A_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T120000"


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


def test_scl_codes() -> None:
    scl = np.arange(256, dtype=np.uint8)[np.newaxis]
    expected = [0, 0, 1, 3, 1, 1, 1, 1, 2, 2, 2, 4] + [0] * 244
    assert classify_scl(scl, thin_cirrus_is_cloud=True)[0].tolist() == expected
    expected[10] = MASK_CLEAR
    assert classify_scl(scl, thin_cirrus_is_cloud=False)[0].tolist() == expected


def test_the_disk_is_exact() -> None:
    """200 m: every pixel whose centre lies within ten pixels, and no other."""
    codes = np.full((41, 41), MASK_CLEAR, np.uint8)
    codes[20, 20] = MASK_CLOUD
    y, x = np.mgrid[-20:21, -20:21]
    assert np.array_equal(dilate_clear(codes) == 1, np.hypot(y, x) > 10)


def brute(codes: NDArray[np.uint8], radius_px: int) -> NDArray[np.uint8]:
    clear = codes == MASK_CLEAR
    bad = np.argwhere((codes == MASK_CLOUD) | (codes == MASK_SHADOW))
    for y, x in np.argwhere(clear):
        clear[y, x] = not any((y - v) ** 2 + (x - u) ** 2 <= radius_px**2 for v, u in bad)
    return clear.astype(np.uint8)


@given(
    arrays(
        np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 1, 1, 1, 2, 3, 4])
    ),
    st.integers(0, 13),
)
def test_dilation_is_that_of_a_disk(codes: NDArray[np.uint8], radius_px: int) -> None:
    assert np.array_equal(dilate_clear(codes, radius_px), brute(codes, radius_px))


@pytest.mark.parametrize("columns", [63, 64, 65, 200])
def test_dilation_over_the_edges_of_words(columns: int) -> None:
    """Rows are worked on 64 pixels at a time."""
    rng = np.random.default_rng(columns)
    codes = rng.choice(
        np.array([MASK_NODATA, MASK_CLEAR, MASK_CLOUD, MASK_SHADOW], np.uint8),
        (40, columns),
        p=[0.02, 0.96, 0.01, 0.01],
    )
    assert np.array_equal(dilate_clear(codes), brute(codes, 10))


def test_a_whole_scene() -> None:
    """5,490 x 5,490 pixels: nine bytes a pixel at most, and right across its whole width."""
    rng = np.random.default_rng(2)
    scl = np.full((5490, 5490), 4, np.uint8)
    scl[rng.integers(5490, size=3000), rng.integers(5490, size=3000)] = 9
    tracemalloc.start()
    codes = classify_scl(scl, thin_cirrus_is_cloud=True)
    clear = dilate_clear(codes)
    shares = percentages(codes, clear)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9 * scl.size
    assert np.array_equal(clear == 1, distance_transform_edt(scl == 4) > 10)
    assert shares["usable"] == pytest.approx(100 * np.mean(clear), abs=1e-4)


@given(arrays(np.uint8, (9, 11), elements=st.integers(0, 11)))
def test_clear_is_never_more_than_code_1(scl: NDArray[np.uint8]) -> None:
    codes = classify_scl(scl, thin_cirrus_is_cloud=True)
    assert not dilate_clear(codes)[codes != MASK_CLEAR].any()


def test_percentages() -> None:
    codes = np.array([[0, 1, 1, 2, 3]], np.uint8)
    shares = percentages(codes, np.array([[0, 1, 0, 0, 0]], np.uint8))
    assert (shares["observed"], shares["clear"], shares["cloud"], shares["usable"]) == (80, 50, 25, 25)
    assert percentages(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))["clear"] == 0


def test_block_mean_leaves_out_nodata() -> None:
    values = np.array([[1, 3, 5], [np.nan, 5, 7]], np.float32)
    assert np.array_equal(block_mean(values, 2, (1, 2)), [[3, 6]])
    assert np.isnan(block_mean(np.full((2, 2), np.nan, np.float32), 2, (1, 2))).all()


def test_the_detector_tells_cloud_from_land() -> None:
    land = {"B01": 0.12, "B02": 0.10, "B04": 0.08, "B05": 0.12, "B08": 0.30, "B8A": 0.32, "B09": 0.08, "B10": 0.002,
            "B11": 0.20, "B12": 0.11}  # fmt: skip
    cloud = {"B01": 0.55, "B02": 0.55, "B04": 0.57, "B05": 0.58, "B08": 0.62, "B8A": 0.64, "B09": 0.30, "B10": 0.03,
             "B11": 0.45, "B12": 0.35}  # fmt: skip
    image = np.empty((20, 40, len(BANDS)), np.float32)
    image[:, :20], image[:, 20:] = [land[b] for b in BANDS], [cloud[b] for b in BANDS]
    image[0, 0, 3] = np.nan
    probability = cloud_probability(image)
    assert np.isnan(probability[0, 0])
    assert np.nanmax(probability[:, :15]) < 0.3
    assert probability[:, 25:].min() > 0.8
    assert np.array_equal(probability, cloud_probability(image, strip_px=3), equal_nan=True)


def test_codes_of_a_60_m_pixel_stand_for_nine() -> None:
    observed = np.ones((4, 7), bool)
    observed[0, 0] = False
    codes = codes_from_probability(np.array([[0.1, 0.9, np.nan]]).astype(np.float32), observed, 0.4)
    assert codes[1].tolist() == [1, 1, 1, 2, 2, 2, 0]
    assert codes[0, 0] == MASK_NODATA


@dataclass
class Current:
    """A catalogue in which an item is current or not."""

    answer: bool = True

    def is_current(self, item: Item) -> bool:
        return self.answer


def write_bands(folder: Path, level: str, values: Mapping[str, NDArray[Any]]) -> LocalItem:
    """A scene of 120 x 180 pixels at 10 m: its item and files."""
    paths, assets = {}, {}
    for name, image in values.items():
        pixel_m = int(name.split("_")[1][:-1])
        paths[name] = folder / f"{name}.jp2"
        write_jp2(paths[name], image, 32634, 729960, 5090040, pixel_m)
        transform = [pixel_m, 0, 729960, 0, -pixel_m, 5090040]
        assets[name] = {"proj:code": "EPSG:32634", "proj:shape": list(image.shape), "proj:transform": transform}
    properties = {
        "datetime": "2018-06-05T09:20:31.024000Z",
        "platform": "sentinel-2a",
        "proj:code": "EPSG:32634",
    } | SceneFacts(
        scene="S2A_MSIL2A_20180605T092031_R093_T34TGR",
        product=PRODUCT,
        product_version=(509,),
        attribution="Contains Copernicus Sentinel data [2018]",
        mgrs_tile="T34TGR",
        level="l1c" if level == "l1c" else "l2a",
        quantification=10000.0,
        offsets=dict.fromkeys(S2_RESOLUTION_M, -1000),
    ).properties()
    json_ = {
        "id": f"{PRODUCT}--v1-00000000",
        "collection": f"sentinel-2-{level}",
        "geometry": {"type": "Point", "coordinates": [24, 46]},
        "bbox": [24, 46, 24, 46],
        "properties": properties,
        "assets": assets,
    }
    return LocalItem(Item(json_, "2018-W23"), paths)


def run(scene: LocalItem, area: Area, folder: Path) -> NewItem:
    area = area.model_copy(update={"level": scene.item.properties["landstream:level"]})
    (job,) = plan(scene.item, Current(), area, CloudmaskSettings())  # type: ignore[arg-type]
    assert set(job.inputs[0].assets or ()) == set(scene.paths)
    folder.mkdir()
    return process(Task(job, (scene,), (), None, area, CloudmaskSettings(), folder))


def test_l2a(area: Area, tmp_path: Path) -> None:
    scl = np.full((60, 90), 4, np.uint8)
    scl[30, 40], scl[0:5], scl[59, 89] = 9, 0, 11
    item = run(write_bands(tmp_path, "l2a", {"SCL_20m": scl}), area, tmp_path / "out")
    path = item.assets["mask"].path
    assert cog_validate(path, quiet=True)[0]
    with rasterio.open(path) as image:
        codes, clear = image.read()
        assert image.crs.to_epsg() == 32634
        assert list(image.transform)[:6] == [20, 0, 729960, 0, -20, 5090040]
        assert image.tags()["TIFFTAG_COPYRIGHT"] == "Contains modified Copernicus Sentinel data [2018]"
        assert [image.tags(1)[f"CLASS_{value}"] for value in (0, 3)] == ["Not observed", "Cloud shadow"]
        assert image.tags(2)["CLASS_1"] == "Clear"
        assert image.mask_flag_enums[0] == [MaskFlags.all_valid], "the clear band masks nothing"
        assert image.descriptions == ("code", "clear")
    assert np.array_equal(codes, classify_scl(scl, True))
    assert np.array_equal(clear, dilate_clear(codes))
    assert (clear[30, 50], clear[30, 51], clear[59, 89], clear[0, 0]) == (0, 1, 0, 0)
    assert item.properties["landstream:scene"] == "S2A_MSIL2A_20180605T092031_R093_T34TGR"
    assert item.assets["mask"].fields["proj:shape"] == [60, 90]
    assert item.properties["landstream:mask_source"] == "SCL"
    assert item.assets["mask_aux"].beside == "mask"
    assert item.assets["mask_aux"].path.name == "mask.tif.aux.xml"


def test_l1c(area: Area, tmp_path: Path) -> None:
    bright = dict.fromkeys(S2_RESOLUTION_M, 6500) | {"B10": 1300, "B09": 4000, "B12": 4500, "B11": 5500}
    dark = dict.fromkeys(S2_RESOLUTION_M, 2200) | {"B10": 1020, "B09": 1800, "B08": 4000, "B8A": 4200, "B11": 3000}
    values = {}
    for name in msi_assets("l1c"):
        band, pixel_m = name.split("_")[0], int(name.split("_")[1][:-1])
        values[name] = np.full((1200 // pixel_m, 1800 // pixel_m), dark[band], np.uint16)
        values[name][:, : 600 // pixel_m] = bright[band]
    values["B03_10m"][119, 179] = 0
    item = run(write_bands(tmp_path, "l1c", values), area, tmp_path / "out")
    with rasterio.open(item.assets["mask"].path) as image:
        codes, clear = image.read()
    assert (codes[:, :25] == MASK_CLOUD).all()
    assert (codes[:59, 40:] == MASK_CLEAR).all()
    assert codes[59, 89] == MASK_NODATA
    assert clear[30, 60] == 1
    assert str(item.properties["landstream:mask_source"]).startswith("s2cloudless")


def test_offsets_do_not_wrap(tmp_path: Path) -> None:
    scene = write_bands(tmp_path, "l1c", {"B01_60m": np.array([[0, 1, 500, 2000]], np.uint16).repeat(4, 0)})
    reflectance, observed = read_l1c(scene.paths, {"B01": -1000}, 10000.0, (12, 12))
    assert np.allclose(reflectance[0, :, 0], [np.nan, -0.0999, -0.05, 0.1], equal_nan=True)
    assert observed[0].tolist() == [False] * 3 + [True] * 9


@pytest.mark.parametrize("level", ["l2a", "l1c"])
def test_a_broken_image_is_said(level: str, area: Area, tmp_path: Path) -> None:
    names = ["SCL_20m"] if level == "l2a" else msi_assets("l1c")
    sizes_m = {name: int(name.split("_")[1][:-1]) for name in names}
    kind = np.uint8 if level == "l2a" else np.uint16
    scene = write_bands(tmp_path, level, {n: np.ones((1200 // m, 1800 // m), kind) for n, m in sizes_m.items()})
    path = scene.paths[names[-1]]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BrokenPicture, match=r"is a corrupt JPEG2000 file .*deliver the product again") as error:
        run(scene, area, tmp_path / "out")
    assert error.value.file == path.name


def test_scenes_of_the_other_level_are_masked_if_the_area_says_so(area: Area, tmp_path: Path) -> None:
    other = write_bands(tmp_path, "l1c", {"B01_60m": np.ones((4, 4), np.uint16)}).item
    assert plan(other, Current(), area, CloudmaskSettings()) == []  # type: ignore[arg-type]
    asked = area.model_copy(update={"mask_other_level": True})
    assert len(plan(other, Current(), asked, CloudmaskSettings())) == 1  # type: ignore[arg-type]
    l1c = area.model_copy(update={"level": "l1c"})
    assert len(plan(other, Current(), l1c, CloudmaskSettings())) == 1  # type: ignore[arg-type]


def test_plan(area: Area, tmp_path: Path) -> None:
    scene = write_bands(tmp_path, "l2a", {"SCL_20m": np.zeros((60, 90), np.uint8)}).item
    assert plan(scene, Current(False), area, CloudmaskSettings()) == []  # type: ignore[arg-type]
    (job,) = plan(scene, Current(), area, CloudmaskSettings())  # type: ignore[arg-type]
    assert job == Job(
        "cloud-masks", PRODUCT, "2018-W23", (Source(scene, ("SCL_20m",)),), {"thin_cirrus_is_cloud": True}
    )
    assert CloudmaskSettings().result_bearing() == {"cloud_threshold": 0.4}
    assert published(STAGE) == ("cloud-masks",)


@pytest.mark.realdata
def test_real_clouds(data: Path, area: Area, tmp_path: Path) -> None:
    """Brandenburg, 2017-02-16: a band of clouds in the north, nearly none over the fields in the south-east."""
    paths = {
        f"{band}_{m}m": data / "s2-l1c-brandenburg-t33uuu" / "IMG_DATA" / f"T33UUU_20170216T102101_{band}.jp2"
        for band, m in S2_RESOLUTION_M.items()
    }
    reflectance, observed = read_l1c(paths, {}, 10000.0, (384, 768))
    codes = codes_from_probability(cloud_probability(reflectance), observed, 0.4)
    assert (codes[20:120, 430:540] == MASK_CLOUD).mean() > 0.9
    assert (codes[200:330, 480:640] == MASK_CLOUD).mean() < 0.05
    assert (codes == MASK_NODATA).mean() < 0.001
