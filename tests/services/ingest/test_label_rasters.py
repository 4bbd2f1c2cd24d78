"""Rasters of classes as deliveries: which are taken, of which year and edition, and what is said of the others."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from shared.area import Area
from shared.stage import NewItem, RejectScene

from .conftest import LABELS_AOI, make_area, write_squares

Run = Callable[..., NewItem]
EDITION = "U2018_CLC2018_V2020_20u1"
OWN: dict[str, Any] = {
    "scheme": "worldcover",
    "source": "raster",
    "classes": [
        {"code": "10", "name": "Trees", "color": "#006400", "sources": ["10"]},
        {"code": "80", "name": "Water", "color": "#0064c8", "sources": ["80"]},
    ],
}


@pytest.fixture
def area() -> Area:
    return make_area(LABELS_AOI, [2018], "clc-level3", 2018)


def write(
    path: Path,
    count: int = 1,
    dtype: str = "uint8",
    east_m: float = 0,
    crs: str | None = "EPSG:3035",
    value: int = 10,
) -> Path:
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(23.995, 45.945)
    corner = rasterio.Affine(100, 0, x - 5000 + east_m, 0, -100, y + 5000)
    given = {} if crs is None else {"crs": crs, "transform": corner}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", height=100, width=100, count=count, dtype=dtype, **given) as file:
        file.write(np.full((count, 100, 100), value, dtype))
    return path


def pack(target: Path, *files: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in files:
            archive.write(file, f"DATA/{file.name}")
    return target


def test_a_raster_of_corine(ingest: Run, tmp_path: Path) -> None:
    path = write(tmp_path / f"{EDITION}.tif")
    item = ingest(path)
    p = item.properties
    assert (item.collection, item.product, item.week) == ("label-rasters", EDITION, "static")
    assert (p["landstream:reference_year"], p["landstream:campaign"]) == (2018, "2018")
    assert (p["landstream:release"], p["landstream:label_source"]) == ("V2020_20U1", "clc")
    assert p["landstream:crs"] == "EPSG:3035"
    assert item.assets["classes"].path.read_bytes() == path.read_bytes()


def test_eeas_zip_of_a_raster(ingest: Run, tmp_path: Path) -> None:
    """With its attribute table and the rasters of the overseas departments beside it."""
    raster = write(tmp_path / "made" / f"{EDITION}.tif")
    table, overseas = tmp_path / "made" / f"{EDITION}.tif.vat.dbf", write(tmp_path / "x" / "GLP.tif", east_m=9e5)
    table.write_bytes(b"x")
    item = ingest(pack(tmp_path / "u2018_clc2018_v2020_20u1_raster100m.zip", raster, table, overseas))
    assert item.assets["classes"].path.read_bytes() == raster.read_bytes()
    assert item.properties["landstream:release"] == "V2020_20U1"


def test_polygons_are_taken_where_a_download_holds_both(ingest: Run, tmp_path: Path) -> None:
    raster = pack(tmp_path / "raster100m.zip", write(tmp_path / "made" / f"{EDITION}.tif"))
    codes = {"Code_18": np.array(["311", "312"], dtype=object)}
    polygons = pack(tmp_path / "geoPackage.zip", write_squares(tmp_path / f"{EDITION}.gpkg", EDITION, codes))
    assert ingest(pack(tmp_path / "95719.zip", raster, polygons)).collection == "label-polygons"
    assert ingest(pack(tmp_path / "95720.zip", raster)).collection == "label-rasters"


def test_a_folder_that_holds_a_raster(ingest: Run, tmp_path: Path) -> None:
    write(tmp_path / "labels" / "DATA" / f"{EDITION}.tif")
    assert ingest(tmp_path / "labels").properties["landstream:release"] == "V2020_20U1"


def test_a_scheme_of_pixel_values(ingest: Run, tmp_path: Path) -> None:
    own = make_area(LABELS_AOI, [2018], OWN, 2021)
    item = ingest(write(tmp_path / "ESA_WorldCover_10m_2021_v200_N45E024_Map.tif"), own)
    assert item.properties["landstream:label_source"] == "raster"
    assert item.properties["landstream:reference_year"] == 2021


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"count": 3}, r"clc\.tif: has 3 bands of uint8, not one of classes"),
        ({"dtype": "float32"}, r"clc\.tif: has 1 bands of float32, not one of classes"),
        ({"crs": None}, r"clc\.tif: has no georeference"),
        ({"east_m": 9e5}, r"clc\.tif: covers .*, outside the area here"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_is_refused(made: dict[str, Any], why: str, ingest: Run, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match=why):
        ingest(write(tmp_path / "clc.tif", **made))


def test_changes_are_no_land_cover(ingest: Run, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match=r"U2018_CHA1218_V2020_20u1\.tif: holds the changes between two years"):
        ingest(write(tmp_path / "U2018_CHA1218_V2020_20u1.tif"))


@pytest.mark.parametrize("west", [-180.0, -180.05, 0.0])
def test_a_raster_of_the_whole_earth(west: float, ingest: Run, tmp_path: Path) -> None:
    """Makers whose pixels' centres lie on the round degrees have one that ends beyond it."""
    corner = rasterio.Affine(0.1, 0, west, 0, -0.1, 90 if west >= -180 else 90.05)
    path, lines = tmp_path / "earth.tif", 1800 if west >= -180 else 1801
    with rasterio.open(
        path, "w", "GTiff", 3600, lines, 1, crs="EPSG:4326", transform=corner, dtype="uint8", sparse_ok=True
    ):
        pass
    item = ingest(path)
    assert item.bbox[0] <= 23.9
    assert item.bbox[2] >= 24.1


def test_heights_are_no_classes(ingest: Run, tmp_path: Path) -> None:
    """They would win over labels of another year, and rasterize would refuse them."""
    with pytest.raises(RejectScene, match=r"dem\.tif: has pixels of 700, unknown to the label scheme clc-level3"):
        ingest(write(tmp_path / "dem.tif", dtype="int16", value=700))


def test_tiles_are_to_be_joined(ingest: Run, tmp_path: Path) -> None:
    tiles = [write(tmp_path / "made" / f"{n}.tif", east_m=1000 * n) for n in range(2)]
    with pytest.raises(RejectScene, match=r"holds 2 rasters over the area.*joins tiles"):
        ingest(pack(tmp_path / "tiles.zip", *tiles))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_lies_beside_a_raster_of_classes(ingest: Run, tmp_path: Path) -> None:
    """A picture, a probability, a raster without a place: none of them is classes, and none is in the way."""
    made = tmp_path / "made"
    classes = write(made / "clc.tif")
    others = [write(made / "a.tif", count=3), write(made / "b.tif", dtype="float32"), write(made / "d.tif", crs=None)]
    item = ingest(pack(tmp_path / "labels.zip", *others, classes))
    assert item.assets["classes"].path.read_bytes() == classes.read_bytes()
    with pytest.raises(RejectScene, match="has 3 bands of uint8"):
        ingest(pack(tmp_path / "none.zip", *others))
    away = write(made / "e.tif", east_m=9e5)
    with pytest.raises(RejectScene, match="has 3 bands of uint8"):
        ingest(pack(tmp_path / "away.zip", *others, away))


def test_what_the_scheme_does_not_read(ingest: Run, tmp_path: Path) -> None:
    own = make_area(LABELS_AOI, [2018], OWN, 2021)
    codes = {"Code_18": np.array(["311", "312"], dtype=object)}
    with pytest.raises(RejectScene, match=r"holds polygons, and label scheme worldcover reads a raster"):
        ingest(write_squares(tmp_path / "clc18.gpkg", "clc18", codes), own)
    polygons = OWN | {"source": "polygons", "attribute": "fclass"}
    with pytest.raises(RejectScene, match=r"is a raster of classes, and label scheme worldcover reads polygons"):
        ingest(write(tmp_path / "clc.tif"), make_area(LABELS_AOI, [2018], polygons, 2021))


def test_what_only_has_the_name_of_one(ingest: Run, tmp_path: Path) -> None:
    (tmp_path / "clc.tif").write_bytes(b"x" * 100)
    with pytest.raises(RejectScene, match="is not a product"):
        ingest(tmp_path / "clc.tif")
    (tmp_path / "cut.tif").write_bytes(b"II*\x00" + bytes(4))
    with pytest.raises(RejectScene, match=r"cut\.tif: is a corrupt GeoTIFF"):
        ingest(tmp_path / "cut.tif")
