"""Label deliveries as downloads, archivers and people leave them: each in a file that rasterize opens."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.rasterize.read_polygons import extract_member, read_polygons
from shared.area import Area
from shared.stage import NewItem, RejectScene, RetryLater

from .conftest import LABELS_AOI, make_area, write_squares

Run = Callable[..., NewItem]
EDITION = "U2018_CLC2018_V2020_20u1"
CODES = {"Code_18": np.array(["311", "312"], dtype=object)}


@pytest.fixture
def area() -> Area:
    return make_area(LABELS_AOI, [2018], "clc-level3", 2018)


def pack(target: Path, root: Path, start: str = "") -> Path:
    """Zip what lies in a folder, below `start`."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(p for p in root.rglob("*") if p.is_file()):
            archive.write(file, start + file.relative_to(root).as_posix())
    return target


def codes_of(item: NewItem, tmp_path: Path) -> list[str]:
    """The classes that rasterize reads of what was kept."""
    p, kept = item.properties, item.assets["polygons"].path
    member = p["landstream:member"]
    assert kept.suffix == (".zip" if member else ".gpkg")
    path = extract_member(kept, member, tmp_path / "extracted") if member else kept
    bounds = (100000.0, 4900000.0, 900000.0, 5300000.0)
    return sorted(read_polygons(path, p["landstream:layer"], p["landstream:attribute"], bounds, "EPSG:32635")[1])


@pytest.fixture
def gdb(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    return write_squares(tmp_path / "made" / f"{EDITION}.gdb", EDITION, CODES)


@pytest.fixture
def gpkg(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir(exist_ok=True)
    return write_squares(tmp_path / "made" / f"{EDITION}.gpkg", EDITION, CODES)


def test_a_download_holds_a_zip_for_each_format(gpkg: Path, ingest: Run, tmp_path: Path) -> None:
    """`<number>.zip` with `Results/..._{geoPackage,raster100m}.zip`."""
    results = tmp_path / "download" / "Results"
    results.mkdir(parents=True)
    inner = results / "u2018_clc2018_v2020_20u1_geoPackage.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(gpkg, f"DATA/{gpkg.name}")
        archive.writestr("Documents/readme.txt", "x")
    with zipfile.ZipFile(results / "u2018_clc2018_v2020_20u1_raster100m.zip", "w") as archive:
        archive.writestr(f"DATA/{EDITION}.tif", b"II*\x00")
    item = ingest(pack(tmp_path / "95719.zip", tmp_path / "download"))
    assert codes_of(item, tmp_path) == ["311", "312"]
    assert item.assets["polygons"].path.read_bytes() == inner.read_bytes(), "the zip that holds the layer is kept"
    assert item.properties["landstream:product"] == "95719"
    assert item.properties["landstream:release"] == "V2020_20U1"


def test_a_download_that_somebody_unpacked(gpkg: Path, ingest: Run, tmp_path: Path) -> None:
    inside = tmp_path / "made"
    folder = tmp_path / "95719" / "Results"
    folder.mkdir(parents=True)
    pack(folder / "u2018_clc2018_v2020_20u1_geoPackage.zip", inside, "DATA/")
    item = ingest(folder.parent)
    assert codes_of(item, tmp_path) == ["311", "312"]
    assert item.properties["landstream:release"] == "V2020_20U1"


def test_a_folder_that_holds_a_geopackage(gpkg: Path, ingest: Run, tmp_path: Path) -> None:
    folder = tmp_path / "labels" / "DATA"
    folder.mkdir(parents=True)
    shutil.copy(gpkg, folder)
    item = ingest(folder.parent)
    assert codes_of(item, tmp_path) == ["311", "312"]
    assert item.properties["landstream:member"] == ""


def test_a_geodatabase_is_a_folder(gdb: Path, ingest: Run, tmp_path: Path) -> None:
    item, again = ingest(gdb), ingest(gdb)
    assert codes_of(item, tmp_path) == ["311", "312"]
    assert item.properties["landstream:product"] == EDITION
    assert item.assets["polygons"].path.read_bytes() == again.assets["polygons"].path.read_bytes()


def test_a_folder_is_taken_once_nothing_more_arrives(gdb: Path, ingest: Run) -> None:
    with pytest.raises(RetryLater, match="once nothing more arrives"):
        ingest(gdb, patience_s=600)


@pytest.mark.parametrize("suffix", [".gdb.zip", ".zip", ".gdb.tar.gz", ""])
@pytest.mark.parametrize("start", ["", f"{EDITION}.gdb/"])
def test_tables_at_the_root_of_an_archive(start: str, suffix: str, gdb: Path, ingest: Run, tmp_path: Path) -> None:
    path = tmp_path / f"{EDITION}{suffix}"
    if suffix.endswith(".tar.gz"):
        with tarfile.open(path, "w:gz") as archive:
            for file in sorted(gdb.iterdir()):
                archive.add(file, start + file.name)
    else:
        pack(path, gdb, start)
    item = ingest(path)
    assert codes_of(item, tmp_path) == ["311", "312"]
    assert item.properties["landstream:product"] == EDITION
    assert item.properties["landstream:release"] == "V2020_20U1"


def test_a_shapefile_in_a_folder(ingest: Run, tmp_path: Path) -> None:
    folder = tmp_path / "clc2018_ro"
    folder.mkdir()
    write_squares(folder / "clc18_ro.shp", "clc18_ro", CODES)
    (folder / "readme.txt").write_text("x")
    item = ingest(folder)
    assert codes_of(item, tmp_path) == ["311", "312"]
    with zipfile.ZipFile(item.assets["polygons"].path) as kept:
        assert {Path(name).suffix for name in kept.namelist()} >= {".shp", ".dbf", ".shx", ".prj"}
        assert "readme.txt" not in kept.namelist()


def test_zips_in_a_zip_share_one_limit(gpkg: Path, ingest: Run, tmp_path: Path) -> None:
    made = tmp_path / "download"
    made.mkdir()
    for n in range(3):
        pack(made / f"{n}_geoPackage.zip", tmp_path / "made")
    size = sum(p.stat().st_size for p in made.iterdir()) + 2 * gpkg.stat().st_size
    with pytest.raises(RejectScene, match=r"2_geoPackage\.zip: unpacks to more than"):
        ingest(pack(tmp_path / "95719.zip", made), max_bytes=size + 1)


def test_a_zip_in_a_zip_in_a_zip_is_not_followed(gpkg: Path, ingest: Run, tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / str(n)).mkdir()
    pack(tmp_path / "0" / "inner.zip", tmp_path / "made")
    pack(tmp_path / "1" / "middle.zip", tmp_path / "0")
    with pytest.raises(RejectScene, match="is not a product"):
        ingest(pack(tmp_path / "2" / "95719.zip", tmp_path / "1"))


def test_an_inner_zip_that_climbs_out_is_refused(ingest: Run, tmp_path: Path) -> None:
    (tmp_path / "download").mkdir()
    with zipfile.ZipFile(tmp_path / "download" / "inner.zip", "w") as archive:
        archive.writestr("../../clc18.gpkg", "x")
    with pytest.raises(RejectScene, match=r"inner\.zip: names the unsafe path"):
        ingest(pack(tmp_path / "95719.zip", tmp_path / "download"))
    assert not list(tmp_path.rglob("clc18.gpkg"))


@pytest.mark.parametrize("made", ["gpkg", "gdb"])
def test_a_zip_of_windows_own_archivers(made: str, ingest: Run, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Their slashes are back-slashes: the next stage finds there what ingest has found."""
    dataset: Path = request.getfixturevalue(made)
    with zipfile.ZipFile(tmp_path / "clc.zip", "w") as archive:
        for file in [dataset] if dataset.is_file() else dataset.iterdir():
            archive.write(file, "\\".join(["DATA", *file.relative_to(tmp_path / "made").parts]))
    assert codes_of(ingest(tmp_path / "clc.zip"), tmp_path) == ["311", "312"]


def test_what_is_no_dataset_is_not_in_the_way_of_one(gpkg: Path, ingest: Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "clc.zip", "w") as archive:
        archive.writestr("A/legend.shp", b"\x00\x00\x27\x0a")
        archive.write(gpkg, f"DATA/{gpkg.name}")
    assert codes_of(ingest(tmp_path / "clc.zip"), tmp_path) == ["311", "312"]
    with zipfile.ZipFile(tmp_path / "legend.zip", "w") as archive:
        archive.writestr("A/legend.shp", b"\x00\x00\x27\x0a")
    with pytest.raises(RejectScene, match=r"A/legend\.shp: lacks its \.dbf, \.prj, \.shx"):
        ingest(tmp_path / "legend.zip")
