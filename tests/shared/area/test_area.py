from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from shared.area import Area, AreaError, UnknownClass, load_area, preset
from shared.area.area import default_grid
from shared.area.clc import CLC_LEVEL_3
from shared.area.scheme import PRESETS
from shared.geo import TILE_M, Grid, MgrsTile, TileIndex
from shared.geo.mgrs import tiles_over, upper_left_m
from tests.conftest import AREAS
from tests.tiles import bounds_m

GOOD = (AREAS / "small.yaml").read_text()


@pytest.mark.parametrize(
    ("change", "line", "field"),
    [
        (("level: l2a", "level: l3"), 4, "level"),
        (("name: small", "name: Small Area"), 2, "name"),
        (("[23.935, 45.905", "[25, 45.905"), 3, "aoi"),
        (("labels: clc-level1", "labels: clc-level9"), 5, "labels"),
        (("filters: 8", "filters: 0"), 8, "training.filters"),
        (("years: [2018]", "years: []"), 7, "years"),
        (("level: l2a", "lavel: l2a"), 4, "lavel"),
    ],
)
def test_errors_name_line_and_field(tmp_path: Path, change: tuple[str, str], line: int, field: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(AreaError) as caught:
        load_area(path)
    assert str(caught.value).startswith(f"{path}:{line}: {field}")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{kind: cdes}", "'cdes' is not a kind; there are cdse, dhus, stac, folder"),
        ("{}", "write `source: {kind: ...}`, where kind is one of cdse, dhus, stac, folder"),
        ("cdse", "write `source: {kind: ...}`, where kind is one of cdse, dhus, stac, folder"),
        ("{kind: dhus}", "needs `api_url`"),
        ("{kind: cdse, stac_urls: x}", "did you mean `stac_url`?"),
        ("{kind: cdse, stac_url: x}", "is not an address"),
        ("{kind: cdse, start: 2018-06-02, end: 2018-06-01}", "start 2018-06-02 is after end 2018-06-01"),
        ("{kind: cdse, start: 2018-13-01}", "not YAML (month must be in 1..12)"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_line(tmp_path: Path, source: str, fault: str) -> None:
    path = tmp_path / "area.yaml"
    path.write_text((AREAS / "small.yaml").read_text() + f"\nsource: {source}\n")
    with pytest.raises(AreaError) as told:
        load_area(path)
    assert fault in str(told.value)
    assert "\n" not in str(told.value)


def test_a_mapping_file_is_a_label_scheme(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("labels: clc-level1", "labels: trees.yaml"))
    with pytest.raises(AreaError, match=r"trees\.yaml: cannot be read"):
        load_area(tmp_path / "a.yaml")
    classes = [{"code": c, "name": n, "color": "#00ff00", "sources": [n]} for c, n in (("b", "bush"), ("a", "tree"))]
    (tmp_path / "trees.yaml").write_text(json.dumps({"scheme": "trees", "attribute": "kind", "classes": classes}))
    scheme = load_area(tmp_path / "a.yaml").labels
    assert {value: c.name for value, c in scheme.values.items()} == {1: "tree", 2: "bush"}
    (tmp_path / "trees.yaml").write_text(
        json.dumps({"scheme": "trees", "attribute": "kind", "classes": classes[:1] * 2})
    )
    with pytest.raises(AreaError, match="given to two classes"):
        load_area(tmp_path / "a.yaml")


@pytest.mark.parametrize("text", ["", "- 1", "a: !!python/object/apply:os.system [true]", "a: [", "\x00"])
def test_what_is_no_area_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(AreaError, match=r"a\.yaml"):
        load_area(path)
    with pytest.raises(AreaError, match="cannot be read"):
        load_area(tmp_path / "absent.yaml")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_know_every_code_of_the_nomenclature(name: str) -> None:
    scheme = preset(name)
    values = {code: scheme.value_of(code) for code in CLC_LEVEL_3}
    assert set(values.values()) == set(range(1, len(scheme.classes) + 1))
    assert [c.code for c in scheme.classes] == sorted(c.code for c in scheme.classes)
    assert scheme.value_of("999") == scheme.value_of(990) == scheme.value_of(995.0) == 0
    assert scheme.value_of(211) == scheme.value_of("211") == scheme.value_of(211.0)
    with pytest.raises(UnknownClass, match="777"):
        scheme.value_of("777")


def test_sizes_of_the_presets() -> None:
    assert [len(preset(n).classes) for n in PRESETS] == [5, 15, 44, 9, 18]


def test_default_grid_holds_the_area_in_the_zone_with_most_of_it() -> None:
    grid = default_grid(box(23.0, 45.0, 24.2, 46.0))
    assert grid.epsg == 32634
    assert default_grid(box(23.9, 45.0, 25.0, 46.0)).epsg == 32635
    assert grid.origin_x_m % 60 == grid.origin_y_m % 60 == 0


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 49), st.integers(0, 49))
def test_tiles_and_boxes(rows: int, cols: int, row: int, col: int) -> None:
    grid = Grid(32634, 600_000, 5_000_040, rows, cols)
    tile = TileIndex(row % rows, col % cols)
    assert list(grid.tiles_within(bounds_m(grid, tile))) == [tile]
    assert len(list(grid.tiles_within(grid.bounds_m))) == rows * cols
    assert grid.shape_px(10) == (rows * 256, cols * 256)
    assert all(n * 60 >= tiles * TILE_M for n, tiles in zip(grid.shape_px(60), (rows, cols), strict=True))


# Upper left corners as ESA's products state them.
@pytest.mark.parametrize(
    ("inside", "name", "corner"),
    [
        ((12.6, 52.5), "T33UUU", (300_000, 5_900_040)),
        ((24.0 - 1e-3, 45.6), "T34TGR", (699_960, 5_100_000)),
        ((24.0 + 1e-3, 45.6), "T35TKL", (199_980, 5_100_000)),
    ],
)
def test_mgrs_tiles(inside: tuple[float, float], name: str, corner: tuple[int, int]) -> None:
    x, y = inside
    ((tile, bounds),) = tiles_over(box(x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4))
    assert (tile.name, (bounds[0], bounds[3])) == (name, corner)
    assert MgrsTile.parse(name) == tile
    assert upper_left_m(corner[0] // 100_000 + (corner[0] % 100_000 > 0), bounds[1] // 100_000 + 1) == corner


@pytest.mark.parametrize("name", ["", "T00UUU", "T61UUU", "T33IUU", "T33UOU", "T33UUW", "33", "T33UUU_"])
def test_no_mgrs_tile(name: str) -> None:
    with pytest.raises(ValueError, match="MGRS"):
        MgrsTile.parse(name)


def test_the_layer_of_applicability_is_told_only_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "area.yaml"
    for line, asked in (("", False), ("applicability: false\n", False), ("applicability: true\n", True)):
        path.write_text(GOOD + line)
        area = load_area(path)
        assert area.applicability == ("applicability" in area.model_dump(mode="json", by_alias=True)) == asked
        assert "applicability" not in area.identity


def test_an_area_takes_both_sensors_unless_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    before = load_area(path)
    assert before.sensors == ("s2", "olci")
    # What stores of before the key hold, byte for byte.
    assert "sensors" not in before.model_dump(mode="json", by_alias=True)
    assert "sensors" not in before.identity
    path.write_text(GOOD + "sensors: [olci, s2]\n")
    assert load_area(path) == before
    path.write_text(GOOD + "sensors: [s2]\n")
    after = load_area(path)
    assert after.sensors == ("s2",)
    stored = after.model_dump(mode="json", by_alias=True)
    assert stored["sensors"] == ["s2"]
    assert Area.model_validate(stored) == after
    assert after.identity == before.identity


@pytest.mark.parametrize(
    ("aoi", "fault"),
    [
        ("[175, -20, -175, -10]", "3: aoi: .*antimeridian"),
        ("[10, 80, 20, 85]", "3: aoi: .*polar"),
        ("[-70, -60, 70, 60]", "140 x 120 degrees is larger than a grid may be"),
        ('{"type": "Polygon", "coordinates": [[[179, 0], [-179, 0], [-179, 1], [179, 0]]]}', "3: aoi: .*antimeridian"),
    ],
)
def test_where_an_area_may_not_lie(tmp_path: Path, aoi: str, fault: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("\n".join(f"aoi: {aoi}" if line.startswith("aoi:") else line for line in GOOD.splitlines()))
    with pytest.raises(AreaError, match=fault):
        load_area(path)
