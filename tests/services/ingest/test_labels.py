"""Label deliveries as EEA, states and tools make them: which layer is taken, and what its codes may be."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from shared.area import Area
from shared.stage import NewItem, RejectScene

from .conftest import LABELS_AOI, make_area
from .conftest import write_squares as write

Run = Callable[..., NewItem]


def text(*codes: str | None) -> np.ndarray:
    return np.array(codes, dtype=object)


def area_of(label_year: int) -> Area:
    return make_area(LABELS_AOI, [2018], "clc-level3", label_year)


def facts(item: NewItem) -> tuple[str, str, int]:
    p = item.properties
    return p["landstream:layer"], p["landstream:attribute"], p["landstream:reference_year"]


@pytest.mark.parametrize(
    "codes",
    [
        text("311", "312"),
        text(" 311", "312 "),
        text("311", None),
        text("311", ""),
        np.array([311, 312], np.int32),
        np.array([311.0, 312.0]),
        np.array([311.0, np.nan]),
    ],
)
@pytest.mark.parametrize("kind", ["MultiPolygon", "Unknown"])
def test_codes_of_any_type_with_nulls(kind: str, codes: np.ndarray, ingest: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "clc18_ro.gpkg", "clc18_ro", {"CODE_18": codes}, kind)
    assert facts(ingest(path, area_of(2018))) == ("clc18_ro", "CODE_18", 2018)


@pytest.mark.parametrize("codes", [text("311", "777"), np.array([311.0, 311.5]), text("311", "None")])
def test_a_code_that_is_none_of_corine_is_refused(codes: np.ndarray, ingest: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "clc18_ro.gpkg", "clc18_ro", {"CODE_18": codes})
    with pytest.raises(RejectScene, match=r"unknown to the label scheme.*correct CODE_18 in layer clc18_ro"):
        ingest(path, area_of(2018))


@pytest.mark.parametrize(
    ("label_year", "year"), [(2018, 18), (2024, 24), (2021, 24), (2020, 18), (1990, 0), (2030, 24)]
)
def test_the_layer_nearest_the_label_year(label_year: int, year: int, ingest: Run, tmp_path: Path) -> None:
    """Whatever year the file's name tells; the later one of two that are as near."""
    path = tmp_path / "CLC2024_RO.gpkg"
    for n in (24, 0, 18):
        write(path, f"clc{n:02d}_ro", {f"code_{n:02d}": text("311", "312")})
    assert facts(ingest(path, area_of(label_year))) == (f"clc{year:02d}_ro", f"code_{year:02d}", 2000 + year)


def test_a_layer_of_elsewhere_is_passed_over(ingest: Run, tmp_path: Path) -> None:
    path = write(
        tmp_path / "U2018_CLC2018_V2020_20u1.gpkg", "clc18_fr_reu", {"Code_18": text("311", "312")}, east_m=9e5
    )
    write(path, "clc12", {"Code_12": text("311", "312")})
    assert facts(ingest(path, area_of(2018))) == ("clc12", "Code_12", 2012)


@pytest.mark.parametrize(
    ("layer", "columns"),
    [
        ("cha1218_ro", ["CODE_18"]),
        ("RO_cha18", ["CODE_18"]),
        ("U2018_CHA1218_V2020_20u1", ["Code_18"]),
        ("clc18_changes", ["CODE_18"]),
        ("sol1824_ro", ["code_18"]),
        ("clc18_ro", ["CODE_12", "CODE_18"]),
        ("clc18_ro", ["CODE_18", "CHANGE"]),
        ("clc18_ro", ["code_18", "chtype"]),
    ],
)
def test_a_change_layer_is_no_status_layer(layer: str, columns: list[str], ingest: Run, tmp_path: Path) -> None:
    changes = {column: text("311", "312") for column in columns}
    path = write(tmp_path / "clc2018_ro.gpkg", layer, changes)
    with pytest.raises(RejectScene, match="deliver a status layer"):
        ingest(path, area_of(2018))
    write(path, "status12", {"CODE_12": text("311", "312")})
    assert facts(ingest(path, area_of(2018))) == ("status12", "CODE_12", 2012)


@pytest.mark.parametrize("layer", ["Solothurn_clc18", "champagne18", "CLC18_Chablais"])
def test_a_place_is_no_change(layer: str, ingest: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "clc2018.gpkg", layer, {"CODE_18": text("311", "312")})
    assert facts(ingest(path, area_of(2018)))[0] == layer


@pytest.mark.parametrize("name", ["u2018_clc2012_v2018_20_geoPackage.zip", "CLC2018_CLC2012_V2018_20.gpkg"])
def test_names_of_eea(name: str, ingest: Run, tmp_path: Path) -> None:
    layer = "CLC2018_CLC2012_V2018_20"
    path = write(tmp_path / f"{layer}.gpkg", layer, {"Code_12": text("311", "312")})
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(path, f"DATA/{path.name}")
    item = ingest(tmp_path / name, area_of(2018))
    p = item.properties
    assert facts(item) == (layer, "Code_12", 2012)
    assert (p["landstream:campaign"], p["landstream:release"]) == ("2018", "V2018_20")


_TM = (
    'PROJCS["own",GEOGCS["own",DATUM["own",SPHEROID[{}]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",24],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("crs", "known"),
    [
        ("EPSG:3844", True),  # Pulkovo 1942(58)
        ("EPSG:23034", True),  # ED50
        ("EPSG:3035", True),
        (_TM.format('"GRS 1980",6378137,298.257222101'), True),
        (_TM.format('"Bessel 1841",6377397.155,299.1528128'), False),
    ],
)
def test_a_datum_whose_shift_nobody_knows_is_refused(crs: str, known: bool, ingest: Run, tmp_path: Path) -> None:
    """Labels taken over without the shift would lie a hundred metres off, and nothing would tell."""
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(23.995, 45.945)
    square = shapely.to_wkb(np.array([shapely.box(x - 900, y - 900, x + 900, y + 900)], dtype=object))
    path = tmp_path / "clc18_ro.gpkg"
    fields = {"fields": ["CODE_18"], "field_data": [text("311")], "geometry_type": "Polygon"}
    pyogrio.raw.write(path, square, **fields, crs=crs, driver="GPKG", layer="clc18_ro")
    if known:
        assert facts(ingest(path, area_of(2018))) == ("clc18_ro", "CODE_18", 2018)
    else:
        with pytest.raises(
            RejectScene, match=r"clc18_ro\.gpkg: layer clc18_ro is in .* datum shift to WGS 84 is unknown"
        ):
            ingest(path, area_of(2018))


@pytest.mark.parametrize("name", ["clc2018_ro.zip", "95719.zip", "CLC 2018.zip"])
def test_an_archive_of_any_name_is_of_the_edition_that_it_holds(name: str, ingest: Run, tmp_path: Path) -> None:
    edition = "U2018_CLC2018_V2020_20u1"
    path = write(tmp_path / f"{edition}.gpkg", edition, {"Code_18": text("311", "312")})
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.write(path, f"DATA/{path.name}")
    p = ingest(tmp_path / name, area_of(2018)).properties
    assert (p["landstream:campaign"], p["landstream:release"]) == ("2018", "V2020_20U1")
    assert p["landstream:product"] == Path(name).stem.replace(" ", "_")


def test_lines_hold_no_classes(ingest: Run, tmp_path: Path) -> None:
    path = tmp_path / "clc18_ro.gpkg"
    line = shapely.to_wkb(np.array([shapely.LineString([(0, 0), (1, 1)])], dtype=object))
    fields = {"fields": ["CODE_18"], "field_data": [text("311")], "geometry_type": "LineString"}
    pyogrio.raw.write(path, line, **fields, crs="EPSG:3035", driver="GPKG", layer="clc18_ro")
    with pytest.raises(RejectScene, match="has no polygons"):
        ingest(path, area_of(2018))
