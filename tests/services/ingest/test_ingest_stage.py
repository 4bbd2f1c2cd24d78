"""Ingest from landing unit to item: good, bad and unfinished deliveries."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from pyproj import Transformer
from shapely.geometry import shape

from services.ingest.process import process
from services.ingest.stage import STAGE, IngestSettings, plan
from shared.area import Area
from shared.items.landing import LandingObject, LandingUnit
from shared.stage import Job, LandingSource, LocalUnit, NewItem, RejectScene, RetryLater, Task
from simulator.clc import write_polygons
from tests.products.bad import KINDS, make_bad, reseal, zip_product

from .conftest import make_area, unit_of, write_scene

Run = Callable[..., NewItem]


def test_l2a_folder(ingest: Run, scene: Path) -> None:
    item = ingest(scene)
    assert (item.collection, item.week) == ("sentinel-2-l2a", "2018-W23")
    assert item.product == scene.stem
    p = item.properties
    assert p["landstream:scene"] == "S2A_MSIL2A_20180605T092031_R093_T34TGR"
    assert p["landstream:product_version"] == [509]
    assert p["landstream:offsets"]["B8A"] == -1000
    assert p["landstream:quantification"] == 10000
    assert (p["datetime"], p["platform"], p["sat:relative_orbit"]) == ("2018-06-05T09:20:31.024000Z", "sentinel-2a", 93)
    assert set(item.assets) == {
        *("B02_10m", "B03_10m", "B04_10m", "B08_10m", "B05_20m", "B06_20m", "B07_20m", "B8A_20m", "B11_20m", "B12_20m"),
        *("B01_60m", "B09_60m", "SCL_20m", "product_metadata", "granule_metadata", "manifest"),
    }
    for name, asset in item.assets.items():
        if name[0] in "BS":
            with rasterio.open(asset.path, driver="JP2OpenJPEG") as image:
                assert asset.fields["proj:shape"] == list(image.shape)
                assert asset.fields["proj:transform"] == list(image.transform)[:6]
    # latitude comes first in the metadata
    assert shape(item.geometry).contains(shapely.Point(23.977, 45.920))


def test_l1c_has_b10_and_no_scl(ingest: Run, tmp_path: Path) -> None:
    item = ingest(write_scene(tmp_path, "L1C", "0206"))
    assert item.collection == "sentinel-2-l1c"
    assert "B10_60m" in item.assets
    assert "SCL_20m" not in item.assets
    assert set(item.properties["landstream:offsets"].values()) == {0}


def test_zip_is_the_folder(ingest: Run, scene: Path, tmp_path: Path) -> None:
    archive = zip_product(scene, tmp_path / f"{scene.name}.zip")
    packed, plain = ingest(archive), ingest(scene)
    assert packed.properties == plain.properties
    assert packed.assets["B02_10m"].path.read_bytes() == plain.assets["B02_10m"].path.read_bytes()


def test_zip_of_any_name(ingest: Run, scene: Path, tmp_path: Path) -> None:
    assert ingest(zip_product(scene, tmp_path / "5f6c1b1e.zip")).product == scene.stem


def test_zip_of_a_frame(ingest: Run, frame: Path, tmp_path: Path) -> None:
    assert ingest(zip_product(frame, tmp_path / f"{frame.name}.zip")).properties == ingest(frame).properties


def pack(folder: Path, target: Path, prefix: str) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.write(path, prefix + path.relative_to(folder).as_posix())
    return target


def test_zip_without_its_folder(ingest: Run, scene: Path, tmp_path: Path) -> None:
    assert ingest(pack(scene, tmp_path / f"{scene.stem}.zip", "")).product == scene.stem


def test_nested_products(ingest: Run, scene: Path, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="deeper"):
        ingest(pack(scene, tmp_path / "nested.zip", f"downloads/{scene.name}/"))


def test_an_archive_does_not_wait(ingest: Run, scene: Path, tmp_path: Path) -> None:
    next(scene.glob("GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2")).unlink()
    with pytest.raises(RejectScene, match="B02_10m"):
        ingest(zip_product(scene, tmp_path / f"{scene.name}.zip"), patience_s=60.0)


def test_footprint_with_heights(ingest: Run, scene: Path) -> None:
    """Some old products give latitude, longitude and height."""
    plain = ingest(scene)
    path = next(scene.glob("MTD_MSI*.xml"))
    found = re.search(r"<EXT_POS_LIST>([^<]*)", path.read_text())
    assert found
    pairs = found[1].split()
    heights = " ".join(f"{a} {b} 0" for a, b in zip(pairs[::2], pairs[1::2], strict=True))
    spoil_xml(scene, "MTD_MSI*.xml", r"<EXT_POS_LIST>[^<]*", f"<EXT_POS_LIST>{heights}")
    assert ingest(scene).geometry == plain.geometry


def test_a_file_of_the_manifest_that_is_absent_is_an_incomplete_product(ingest: Run, scene: Path) -> None:
    for folder in scene.glob("GRANULE/*/QI_DATA"):
        shutil.rmtree(folder)
    with pytest.raises(RejectScene, match=r"QI_DATA.* is missing, as do \d+ more files of the manifest"):
        ingest(scene)


def test_olci_frame(ingest: Run, frame: Path) -> None:
    item = ingest(frame)
    p = item.properties
    assert (item.collection, item.product, item.week) == ("sentinel-3-olci-l1b", frame.stem, "2018-W23")
    assert p["landstream:scene"] == "S3A_EFR_031_093_1980"
    assert p["landstream:product_version"] == [1, 3, "20180606T000000"]
    assert p["landstream:product_type"] == "EFR"
    assert {"Oa01_radiance", "Oa21_radiance", "geo_coordinates", "qualityFlags", "tie_geometries", "manifest"} <= set(
        item.assets
    )


def test_items_are_stac(ingest: Run, scene: Path, frame: Path) -> None:
    for item in (ingest(scene), ingest(frame)):
        assets = {n: {"href": a.path.name, "type": a.media_type, **a.fields} for n, a in item.assets.items()}
        feature = {
            "type": "Feature",
            "stac_version": pystac.get_stac_version(),
            "stac_extensions": [],
            "id": "x",
            "geometry": item.geometry,
            "bbox": list(item.bbox),
            "properties": dict(item.properties),
            "links": [],
            "assets": assets,
        }
        assert pystac.Item.from_dict(feature).id == "x"


def test_a_satellite_that_nobody_has_seen_yet(ingest: Run, tmp_path: Path) -> None:
    item = ingest(write_scene(tmp_path, platform="S2E"))
    assert item.properties["platform"] == "sentinel-2e"
    assert item.product.startswith("S2E_MSIL2A_")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "unknown_class"])
def test_bad_product(kind: str, ingest: Run, scene: Path, frame: Path, tmp_path: Path) -> None:
    bad = make_bad(kind, frame if kind.startswith("sen3") else scene, tmp_path / "bad")
    with pytest.raises(RejectScene) as caught:
        ingest(bad, decode=kind == "corrupt_jp2")
    assert caught.value.file
    assert caught.value.fault
    assert caught.value.remedy
    assert not list(tmp_path.rglob("slipped.txt"))


def labels(out: Path, area: Area, code: int, layer: str = "U2018_CLC2018_V2020_20u1") -> Path:
    """A square of one code in the middle of an area."""
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(*area.polygon.centroid.coords[0])
    square = np.array([shapely.box(x - 500, y - 500, x + 500, y + 500)], dtype=object)
    return write_polygons(out, square, np.array([code], np.int32), layer)


def test_labels(ingest: Run, area: Area, tmp_path: Path) -> None:
    item = ingest(labels(tmp_path, area, 311))
    p = item.properties
    assert (item.collection, item.week, item.product) == ("label-polygons", "static", "U2018_CLC2018_V2020_20u1")
    assert (p["landstream:attribute"], p["landstream:reference_year"]) == ("Code_18", 2018)
    assert (p["landstream:campaign"], p["landstream:release"]) == ("2018", "V2020_20U1")
    assert p["datetime"] == "2018-01-01T00:00:00Z"


def test_unknown_class(ingest: Run, area: Area, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match=r"777.*unknown"):
        ingest(labels(tmp_path, area, 777))


def test_labels_elsewhere_name_both(ingest: Run, area: Area, tmp_path: Path) -> None:
    elsewhere = make_area([10.0, 50.0, 10.1, 50.1], [2018])
    with pytest.raises(RejectScene, match=r"outside the area small, whose AOI is 23\.935"):
        ingest(labels(tmp_path, elsewhere, 311))


def test_labels_without_the_attribute(ingest: Run, area: Area, tmp_path: Path) -> None:
    path = labels(tmp_path, area, 311)
    scheme = area.labels.model_dump() | {"attribute": "fclass", "source": "polygons"}
    with pytest.raises(RejectScene, match="fclass"):
        ingest(path, make_area([23.935, 45.905, 24.055, 45.985], [2018], scheme))


def test_truncated_geopackage_waits(ingest: Run, area: Area, tmp_path: Path) -> None:
    path = labels(tmp_path, area, 311)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(RetryLater):
        ingest(path, patience_s=60.0)
    with pytest.raises(RejectScene, match="truncated"):
        ingest(path)


def test_outside_the_aoi_names_both(ingest: Run, scene: Path) -> None:
    with pytest.raises(RejectScene, match=r"covers 23\.9.* outside the area here, whose AOI is 10\.0"):
        ingest(scene, make_area([10.0, 50.0, 10.1, 50.1], [2018]))


def test_outside_the_years_names_both(ingest: Run, scene: Path) -> None:
    with pytest.raises(RejectScene, match=r"ISO year 2018; area here accepts 2019, 2020"):
        ingest(scene, make_area([23.935, 45.905, 24.055, 45.985], [2019, 2020]))


def test_unfinished_folder_waits_its_patience(ingest: Run, scene: Path) -> None:
    band = next(scene.glob("GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2"))
    whole = band.read_bytes()
    band.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RetryLater, match="B02_10m"):
        ingest(scene, patience_s=60.0)
    with pytest.raises(RejectScene, match="B02_10m"):
        ingest(scene)
    band.write_bytes(whole)
    assert ingest(scene, patience_s=60.0).product == scene.stem


@pytest.mark.parametrize("spoil", ["missing", "empty", "half"])
def test_unfinished_manifest_waits(spoil: str, ingest: Run, scene: Path) -> None:
    manifest = scene / "manifest.safe"
    data = manifest.read_bytes()
    manifest.unlink()
    if spoil != "missing":
        manifest.write_bytes(data[: len(data) // 2] if spoil == "half" else b"")
    with pytest.raises(RetryLater):
        ingest(scene, patience_s=60.0)
    with pytest.raises(RejectScene, match=r"manifest\.safe"):
        ingest(scene)


def test_patience_ends(area: Area, tmp_path: Path) -> None:
    path = tmp_path / "S2A.zip"
    path.write_bytes(b"PK\x03\x04")
    unit = dataclasses.replace(unit_of(path, 60.0), modified_s=time.time() - 61)
    job = Job("", "", "", delivery=LandingSource(unit))
    task = Task(job, (), (), LocalUnit(unit, path), area, IngestSettings(), tmp_path)
    with pytest.raises(RejectScene):
        process(task)


def test_empty_deliveries(ingest: Run, tmp_path: Path) -> None:
    folder = tmp_path / "S2A_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T120000.SAFE"
    folder.mkdir()
    (folder / ".empty-folder").touch()
    (tmp_path / "nothing.zip").touch()
    (tmp_path / "nothing.gpkg").touch()
    for path in (folder, tmp_path / "nothing.zip", tmp_path / "nothing.gpkg"):
        with pytest.raises(RejectScene, match="empty"):
            ingest(path)


def test_links_are_refused(ingest: Run, scene: Path) -> None:
    (scene / "rep_info").symlink_to("/etc")
    with pytest.raises(RejectScene, match="link"):
        ingest(scene)


@pytest.mark.parametrize("href", ["../../etc/passwd", "/etc/passwd", "http://127.0.0.1/x", "a\\..\\b", "C:/x", ""])
def test_hostile_manifest(href: str, ingest: Run, scene: Path) -> None:
    manifest = scene / "manifest.safe"
    manifest.write_text(manifest.read_text().replace("./INSPIRE.xml", href, 1))
    with pytest.raises(RejectScene, match="unsafe path"):
        ingest(scene)


def spoil_xml(scene: Path, pattern: str, before: str, after: str) -> None:
    path = next(scene.glob(pattern))
    text = path.read_text()
    assert re.search(before, text)
    path.write_text(re.sub(before, after, text))
    reseal(scene)


@pytest.mark.parametrize(
    ("pattern", "before", "after", "fault"),
    [
        ("MTD_MSI*.xml", r"(<IMAGE_FILE>)GRANULE", r"\1../GRANULE", "unsafe path"),
        ("MTD_MSI*.xml", r"_N0509_R093_T34TGR_20180605T120000\.SAFE", "_N0509_R093_T34TGR_20190101T000000.SAFE", "URI"),
        ("MTD_MSI*.xml", r"<SENSING_ORBIT_NUMBER>93", "<SENSING_ORBIT_NUMBER>94", "SENSING_ORBIT_NUMBER"),
        ("MTD_MSI*.xml", r"<IMAGE_FILE>[^<]*B11_20m</IMAGE_FILE>", "", "B11_20m"),
        ("MTD_MSI*.xml", r"(QUANTIFICATION_VALUE unit=\"none\">)10000", r"\g<1>0", "quantification"),
        ("MTD_MSI*.xml", r"(BOA_ADD_OFFSET band_id=\"3\">)-1000", r"\g<1>nan", "BOA_ADD_OFFSET"),
        ("MTD_MSI*.xml", r"imageFormat=\"JPEG2000\"", 'imageFormat="GeoTIFF"', "GeoTIFF"),
        ("MTD_MSI*.xml", r"<EXT_POS_LIST>[^<]*", "<EXT_POS_LIST>1 2 3", "footprint"),
        ("GRANULE/*/MTD_TL.xml", r"EPSG:32634", "EPSG:32635", "32634"),
        ("GRANULE/*/MTD_TL.xml", r"<HORIZONTAL_CS_CODE>[^<]*</HORIZONTAL_CS_CODE>", "", "HORIZONTAL_CS_CODE"),
    ],
)
def test_metadata_contradictions(pattern: str, before: str, after: str, fault: str, ingest: Run, scene: Path) -> None:
    spoil_xml(scene, pattern, before, after)
    with pytest.raises(RejectScene, match=fault):
        ingest(scene)


def test_image_of_another_crs(ingest: Run, scene: Path) -> None:
    from simulator.jp2 import write_jp2

    band = next(scene.glob("GRANULE/*/IMG_DATA/R20m/*_B05_20m.jp2"))
    write_jp2(band, np.ones((60, 90), np.uint16), 32635, 729960, 5090040, 20)
    reseal(scene)
    with pytest.raises(RejectScene, match=r"B05_20m.*EPSG:32635.*EPSG:32634"):
        ingest(scene)


def test_image_of_another_grid(ingest: Run, scene: Path) -> None:
    from simulator.jp2 import write_jp2

    band = next(scene.glob("GRANULE/*/IMG_DATA/R20m/*_B05_20m.jp2"))
    write_jp2(band, np.ones((60, 90), np.uint16), 32634, 729980, 5090040, 20)
    reseal(scene)
    with pytest.raises(RejectScene, match=r"B05_20m.*grid"):
        ingest(scene)


def test_folder_renamed(ingest: Run, scene: Path) -> None:
    other = scene.with_name(scene.name.replace("R093", "R094"))
    scene.rename(other)
    with pytest.raises(RejectScene, match="named"):
        ingest(other)


def test_archive_named_after_another_product(ingest: Run, scene: Path, tmp_path: Path) -> None:
    archive = zip_product(scene, tmp_path / f"{scene.name.replace('R093', 'R094')}.zip")
    with pytest.raises(RejectScene, match="not what its name says"):
        ingest(archive)


def test_hostile_netcdf(ingest: Run, frame: Path, tmp_path: Path) -> None:
    import netCDF4

    for shape_, fault in (((72, 100), "where the manifest states"), ((100_000, 100_000), "where the manifest states")):
        root = Path(shutil.copytree(frame, tmp_path / str(shape_) / frame.name))
        (root / "Oa05_radiance.nc").unlink()
        with netCDF4.Dataset(root / "Oa05_radiance.nc", "w") as data:
            data.createDimension("rows", shape_[0])
            data.createDimension("columns", shape_[1])
            data.createVariable("Oa05_radiance", "u2", ("rows", "columns"), zlib=True, chunksizes=(72, 100))
        reseal(root)
        with pytest.raises(RejectScene, match=fault):
            ingest(root)


def test_netcdf_of_another_kind(ingest: Run, frame: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(frame, tmp_path / frame.name))
    (root / "Oa05_radiance.nc").write_bytes(b"CDF\x01" + bytes(100))
    reseal(root)
    with pytest.raises(RejectScene, match="not a netCDF-4"):
        ingest(root)


def test_corrupt_netcdf(ingest: Run, frame: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(frame, tmp_path / frame.name))
    path = root / "Oa05_radiance.nc"
    data = bytearray(path.read_bytes())
    data[-4000:-3000] = bytes(1000)
    path.write_bytes(data[:-1000])
    reseal(root)
    with pytest.raises(RejectScene, match="damaged"):
        ingest(root)


def test_zip_of_two_products(ingest: Run, scene: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(scene / "manifest.safe", f"{scene.name}/manifest.safe")
        archive.write(scene / "manifest.safe", f"{scene.name.replace('R093', 'R094')}/manifest.safe")
    with pytest.raises(RejectScene, match="2 products"):
        ingest(tmp_path / "two.zip")


def test_plan_is_one_job_a_unit(area: Area) -> None:
    unit = LandingUnit("x.zip", (LandingObject("", 1, "a"),))
    jobs = plan(unit, None, area, IngestSettings())  # type: ignore[arg-type]
    assert [j.delivery for j in jobs] == [LandingSource(unit)]
    assert plan(LandingUnit(".DS_Store", ()), None, area, IngestSettings()) == []  # type: ignore[arg-type]
    assert STAGE.consumes == ("landing",)
