"""Products are complete, sealed, deterministic, and encode what their metadata say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import netCDF4
import numpy as np
import pyogrio
import pytest
import rasterio

from simulator.safe import encode_dn
from simulator.season import Acquisition, Site, plan_season, write_acquisition, write_season

Season = Mapping[str, tuple[Acquisition, Path]]
_ENTRY = re.compile(
    r'size="(\d+)"[^>]*>\s*<fileLocation [^>]*?href="\./([^"]+)"[^>]*>\s*<checksum checksumName="([^"]+)">(\w+)<'
)


def _digests(root: Path) -> dict[str, str]:
    files = sorted(root.rglob("*")) if root.is_dir() else [root]
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}


def test_manifests_list_every_file_with_its_checksum(season: Season) -> None:
    for acquisition, root in season.values():
        if acquisition.kind == "clc":
            continue
        manifest = root / ("manifest.safe" if root.suffix == ".SAFE" else "xfdumanifest.xml")
        entries = _ENTRY.findall(manifest.read_text(encoding="utf-8"))
        files = {f.relative_to(root).as_posix() for f in root.rglob("*") if f.is_file()} - {manifest.name}
        assert {path for _, path, _, _ in entries} == files
        for size, path, algorithm, digest in entries:
            data = (root / path).read_bytes()
            assert len(data) == int(size)
            assert (
                hashlib.new(algorithm.lower().replace("-256", "_256").replace("sha3_", "sha3_"), data).hexdigest()
                == digest
            )
            modern = root.suffix == ".SAFE" and acquisition.baseline >= "0400"
            assert algorithm == ("SHA3-256" if modern else "MD5")


@pytest.mark.parametrize("why", ["swath", "frame over the whole area", "labels", "the same at the other level"])
def test_same_arguments_give_same_bytes(season: Season, site: Site, tmp_path: Path, why: str) -> None:
    acquisition, root = next(value for key, value in season.items() if why in key)
    assert _digests(write_acquisition(site, acquisition, tmp_path)) == _digests(root)


def test_offset_is_in_the_numbers_and_in_the_metadata(season: Season) -> None:
    old, new = season["old baseline, no offset"][1], season["reprocessed"][1]
    with rasterio.open(next(old.rglob("*_B08_10m.jp2"))) as a, rasterio.open(next(new.rglob("*_B08_10m.jp2"))) as b:
        difference = b.read(1).astype(int) - a.read(1)
    assert np.abs(difference - 1000).max() <= 1
    assert "BOA_ADD_OFFSET" not in (old / "MTD_MSIL2A.xml").read_text(encoding="utf-8")
    assert (new / "MTD_MSIL2A.xml").read_text(encoding="utf-8").count(">-1000<") == 13
    assert not list(old.rglob("*_B01_20m.jp2"))
    assert list(new.rglob("*_B01_20m.jp2"))


def test_encoding_keeps_negative_reflectance_apart_from_nodata() -> None:
    reflectance = np.array([[np.nan, -0.05, 0.0, 0.1234]], dtype=np.float32)
    assert encode_dn(reflectance, -1000).tolist() == [[0, 500, 1000, 2234]]
    assert encode_dn(reflectance, 0).tolist() == [[0, 1, 1, 1234]]


def test_jp2_are_lossless_tiled_and_of_15_bits(season: Season) -> None:
    root = season["reprocessed"][1]
    with rasterio.open(next(root.rglob("*_B04_10m.jp2"))) as image:
        assert image.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "15"
        assert image.transform.c % 60 == 0
        assert image.transform.f % 60 == 0
    assert not list(root.rglob("*.aux.xml"))


def test_swath_edge_and_twins_leave_nodata(season: Season) -> None:
    def observed(why: str) -> np.ndarray:
        with rasterio.open(next(season[why][1].rglob("*_B02_10m.jp2"))) as image:
            return image.read(1) > 0

    assert 0.6 < observed("autumn, swath's edge").mean() < 0.95
    one, other = observed("twin products: one part of the granule"), observed("twin products: the other part")
    assert (one | other).all()
    assert 0 < (one & other).mean() < 0.15
    with rasterio.open(next(season["autumn, swath's edge"][1].rglob("*_SCL_20m.jp2"))) as scl:
        assert np.array_equal(scl.read(1) > 0, observed("autumn, swath's edge")[::2, ::2])


def test_granules_of_a_datatake_differ_by_a_smooth_gain_of_up_to_three_percent(season: Season) -> None:
    means = []
    for why in ("one datatake, first tile", "one datatake, second tile"):
        root = season[why][1]
        with (
            rasterio.open(next(root.rglob("*_B8A_20m.jp2"))) as image,
            rasterio.open(next(root.rglob("*_SCL_20m.jp2"))) as scl,
        ):
            reflectance = (image.read(1).astype(float) - 1000) / 10000
            means.append(float(np.median(reflectance[scl.read(1) == 4])))
    assert 0.002 < abs(means[0] / means[1] - 1) < 0.04


def test_season_holds_what_makes_streams_hard(season: Season) -> None:
    acquisitions = [a for a, _ in season.values()]
    names = [path.name for _, path in season.values()]
    assert len(set(names)) == len(names)
    assert {"T34TGR", "T35TKL"} <= {name.split("_")[5] for name in names if name.endswith(".SAFE")}
    assert {a.kind for a in acquisitions} == {"s2-l2a", "s2-l1c", "s3-olci", "clc"}
    weeks = {a.time.isocalendar().week for a in acquisitions if a.kind == "s2-l2a"}
    assert len(weeks) >= 6
    stems = [name.rsplit("_", 1)[0] for name in names if name.startswith("S2")]
    assert len(stems) - len(set(stems)) == 1  # twins differ in the discriminator alone


def test_six_products_are_three_two_and_one() -> None:
    plan = plan_season(2018, products=6)
    kinds = [a.kind for a in plan]
    assert (kinds.count("s2-l2a"), kinds.count("s3-olci"), kinds.count("clc")) == (3, 2, 1)
    assert {a.tile for a in plan} == {0, 1}
    assert {a.baseline for a in plan if a.kind == "s2-l2a"} == {"0206", "0500"}
    assert len({a.time.isocalendar()[:2] for a in plan if a.kind == "s3-olci"}) == 1


def test_a_longer_season_begins_as_the_season_and_repeats_nothing() -> None:
    plan = plan_season(2018, products=131)
    assert plan[:20] == plan_season(2018)
    assert len(set(plan)) == len(plan) == 131


def test_workers_do_not_change_the_products(site: Site, season: Season, tmp_path: Path) -> None:
    plan = plan_season(2018, products=3)
    for acquisition, path in zip(plan, write_season(site, plan, tmp_path, workers=2), strict=True):
        assert _digests(path) == _digests(season[acquisition.why][1])


def test_olci_is_packed_as_esa_packs_it(season: Season) -> None:
    root = season["frame over the whole area"][1]
    with netCDF4.Dataset(root / "Oa17_radiance.nc") as data:
        variable = data["Oa17_radiance"]
        assert variable.dtype == np.uint16
        assert variable.scale_factor == np.float32(0.00493004)
        assert 20 < float(np.ma.median(variable[:])) < 160
        assert np.ma.getmaskarray(variable[:]).any()
    with netCDF4.Dataset(root / "geo_coordinates.nc") as data:
        data.set_auto_maskandscale(False)
        assert data["latitude"][:].dtype == np.int32
        rows, columns = data["latitude"].shape
    with netCDF4.Dataset(root / "tie_geometries.nc") as data:
        assert data["SZA"].shape == (rows, (columns - 1) // 64 + 1)
        assert (data["SZA"].shape[1] - 1) * data.ac_subsampling_factor + 1 == columns
        assert data["SZA"].shape[1] >= 4
    assert not list(root.glob("*_unc.nc"))


def test_both_flag_layouts_occur(season: Season) -> None:
    counts = {}
    for why in ("frame over the whole area", "later collection, other flags"):
        root = season[why][1]
        with netCDF4.Dataset(root / "qualityFlags.nc") as data:
            variable = data["quality_flags"]
            masks = dict(zip(variable.flag_meanings.split(), variable.flag_masks, strict=True))
            counts[root.name[-8:-5]] = len(masks)
            flags = variable[:]
            for flag in ("land", "invalid", "duplicated"):
                assert np.mean(flags & masks[flag] > 0) > 0, flag
    assert counts == {"002": 32, "003": 13}


def test_corine_is_pan_european_and_valid(season: Season) -> None:
    path = season["labels"][1]
    info = pyogrio.read_info(path)
    assert info["layer_name"] == path.stem == "U2018_CLC2018_V2020_20u1"
    assert info["crs"] == "EPSG:3035"
    assert info["geometry_type"] == "MultiPolygon"
    assert list(info["fields"]) == ["Code_18", "Remark", "Area_Ha", "ID"]
    _, _, geometry, fields = pyogrio.raw.read(path)
    import shapely

    assert shapely.is_valid(shapely.from_wkb(geometry)).all()
    assert all(re.fullmatch(r"[1-5][1-4][1-4]", code) for code in fields[0])
    assert np.median(fields[2]) >= 25
