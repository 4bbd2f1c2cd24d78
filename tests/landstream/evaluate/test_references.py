"""Labels of any form become classes on the area's grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from landstream.evaluate.references import BadReferences, read_references, tile_rows
from tests.catalogues import AREA

GRID, SCHEME = AREA.grid, AREA.labels
DEGREES = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)


def at(row: float, col: float) -> tuple[float, float]:
    """Longitude and latitude of a place in 10 m pixels."""
    x, y = DEGREES.transform(GRID.origin_x_m + 10 * col, GRID.origin_y_m - 10 * row)
    return float(x), float(y)


def rasters(path: Path, **options: object) -> dict[int, np.ndarray]:
    return dict(tile_rows(read_references(path, SCHEME, GRID, **options), GRID))  # type: ignore[arg-type]


def write(path: Path, *places: tuple[float, float, str], head: str = "th_long,th_lat,LC1") -> Path:
    lines = [f"{at(row, col)[0]:.8f},{at(row, col)[1]:.8f},{code}" for row, col, code in places]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_points_of_a_csv_file_label_the_pixels_that_they_lie_in(tmp_path: Path) -> None:
    path = write(tmp_path / "lucas.csv", (3.5, 7.5, "312"), (300.2, 600.9, "112"), (-5, 3, "312"), (5.5, 5.5, "A11"))
    found = rasters(path)
    forest, urban = SCHEME.value_of("312"), SCHEME.value_of("112")
    assert sorted(found) == [0, 1], "what lies outside is nothing"
    assert {(int(y), int(x)): int(found[0][y, x]) for y, x in np.argwhere(found[0])} == {(3, 7): forest}
    assert {(int(y), int(x)): int(found[1][y, x]) for y, x in np.argwhere(found[1])} == {(300 - 256, 600): urban}
    assert read_references(path, SCHEME, GRID).left_out == {"A11": 1}
    renamed = rasters(path, renamed={"A11": "1"})
    assert renamed[0][5, 5] == 1, "a class's own code"


def test_polygons_label_the_pixels_whose_centre_they_hold(tmp_path: Path) -> None:
    west, south, east, north = (*at(20, 10), *at(10, 30))
    polygons = [shapely.box(west, south, east, north), shapely.box(*at(20, 10), *at(15, 20))]
    codes = np.array(["312", "999"], object)
    path = tmp_path / "other.gpkg"
    pyogrio.raw.write(path, shapely.to_wkb(polygons), [codes], ["code_18"], geometry_type="Polygon", crs="EPSG:4326")
    (strip,) = rasters(path).values()
    assert abs(int((strip > 0).sum()) - 200) < 25
    assert set(np.unique(strip)) == {0, SCHEME.value_of("312")}, "a polygon of an unknown code covers nothing"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "lon,lat\n1,2\n", "has none of the columns class, code"),
        ("a.csv", "lon,lat,class\n", "has no row"),
        ("a.csv", "lon,lat,class\nnorth,2,312\n", ":2: could not convert"),
        ("a.csv", "lon,lat,class\n24,46,A11\n", "no label has a code of clc-level1 .* but A11; --map tells others"),
        ("a.geojson", "{}", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadReferences, match=told) as raised:
        read_references(tmp_path / name, SCHEME, GRID)
    assert str(raised.value).startswith(str(tmp_path / name))
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    for name in ("none.csv", "none.gpkg"):
        with pytest.raises(BadReferences, match=r"none\.\w+: No such file or directory; check the path"):
            read_references(tmp_path / name, SCHEME, GRID)


def test_the_field_is_asked_for_where_none_fits(tmp_path: Path) -> None:
    path = tmp_path / "other.gpkg"
    wkb, codes = shapely.to_wkb([shapely.Point(*at(5.5, 5.5))]), np.array(["312"], object)
    pyogrio.raw.write(path, wkb, [codes], ["kind"], geometry_type="Point", crs="EPSG:4326")
    with pytest.raises(BadReferences, match="--attribute names it, of kind"):
        read_references(path, SCHEME, GRID)
    assert (rasters(path, attribute="KIND")[0] > 0).sum() == 1
