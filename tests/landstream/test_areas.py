"""`landstream area`: files that it writes are read back, and what it says of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from shapely.geometry import shape

from landstream.areas import schema_beside
from shared.area import Area, load_area
from shared.area.inputs import Inputs
from shared.area.recipe import Recipe
from shared.area.splitting import Splitting
from shared.area.training import TrainingPolicy, TrainingSettings
from tests.conftest import AREAS, ROOT, landstream
from tests.landstream.test_cli import HEAVY, installed_by_extras_only, run_without


def test_new_writes_a_commented_file_that_is_good(tmp_path: Path) -> None:
    path = tmp_path / "sibiu.yaml"
    arguments = ("--aoi", "23.9,45.7,24.3,45.9", "--year", 2018, "--labels", "clc-vegetation-8", "--out", path)
    assert "10 x 13 tiles in EPSG:32635" in landstream("area", "new", "sibiu", *arguments).stdout
    area = load_area(path)
    assert (area.grid.epsg, area.grid.rows, area.grid.cols, area.years) == (32635, 10, 13, (2018,))
    assert area.labels.scheme == "clc-vegetation-8"
    assert (area.train, area.training) == (TrainingPolicy(), TrainingSettings())
    text = path.read_text()
    written = yaml.safe_load(text)
    assert set(written) == {field.alias or name for name, field in Area.model_fields.items()}
    assert set(written["train"]) == set(TrainingPolicy.model_fields)
    assert set(written["training"]) == {*TrainingSettings.model_fields} - {
        *Inputs.model_fields,
        *Recipe.model_fields,
        *Splitting.model_fields,
    }
    assert written["training"] == TrainingSettings().model_dump(mode="json") | written["training"]
    assert "T34TGR, T35TKL" in text
    assert "A year of scenes takes up to 1.4 TB with all copies" in text
    assert "exists" in landstream("area", "new", "sibiu", *arguments, check=False).stderr


def test_new_reads_geojson(tmp_path: Path) -> None:
    triangle = {"type": "Polygon", "coordinates": [[[23.9, 45.7], [24.3, 45.7], [24.1, 45.9], [23.9, 45.7]]]}
    (tmp_path / "aoi.json").write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": triangle}))
    arguments = ("--aoi", tmp_path / "aoi.json", "--year", 2018, "--out", tmp_path / "a.yaml")
    landstream("area", "new", "triangle", *arguments)
    assert load_area(tmp_path / "a.yaml").polygon.area == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--aoi", "25,45,24,46"), "west 25 is not west of east 24"),
        (("--aoi", "175,-20,-175,-10"), "areas across the antimeridian (180 degrees) are not supported"),
        (("--aoi", "10,83,20,85"), "polar"),
        (("--aoi", "-70,-60,70,60"), "an AOI of 140 x 120 degrees is larger than a grid may be (5120 km): divide it"),
        (("--aoi", "23.9,45.7,24.3,45.9", "--sensors", "s2,sar"), "sensors"),
        (("--aoi", "a,b,c,d"), "not W,S,E,N"),
        (("--aoi", "absent.json"), "no such file; give W,S,E,N in degrees, WKT, or a file"),
        (("--aoi", "23.9,45.7,24.3,45.9", "--labels", "nonsense"), "not a label scheme"),
    ],
)
def test_new_refuses_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = landstream("area", "new", "x", "--year", 2018, "--out", tmp_path / "x.yaml", *arguments, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x.yaml").exists()


def new(tmp_path: Path, aoi: str, *more: object) -> subprocess.CompletedProcess[str]:
    return landstream("area", "new", "x", "--aoi", aoi, "--year", 2018, "--out", tmp_path / "x.yaml", *more)


def test_a_projected_outline_is_reprojected_and_that_is_said(tmp_path: Path) -> None:
    result = new(tmp_path, "SRID=32635;POLYGON ((260000 5070000, 280000 5070000, 280000 5085000, 260000 5070000))")
    assert result.stderr == "note: reprojected from EPSG:32635 (WGS 84 / UTM zone 35N) to degrees\n"
    assert load_area(tmp_path / "x.yaml").grid.epsg == 32635


def test_new_says_what_a_year_takes(tmp_path: Path) -> None:
    result = new(tmp_path, "23.9,45.7,24.3,45.9")
    assert result.stdout.splitlines()[1:] == [
        "Sentinel-2 tiles: 2 (T34TGR, T35TKL)",
        "scenes a year: up to 299 of Sentinel-2, 494 of OLCI",
        "disk a year, all copies: up to 1.4 TB (landing 598.6 GB, artifacts 763.4 GB, cube 3.1 GB, maps 371.8 MB)",
        "computing a year on 2 cores: up to 11 h for scenes; training and maps come on top",
    ]
    assert result.stderr == ""


def test_new_leaves_out_a_sensor(tmp_path: Path) -> None:
    assert "494" not in new(tmp_path, "23.9,45.7,24.3,45.9", "--sensors", "s2").stdout
    assert load_area(tmp_path / "x.yaml").sensors == ("s2",)
    checked = landstream("area", "check", tmp_path / "x.yaml").stdout
    assert "sensors: s2; scenes of olci are registered and go no further" in checked


def test_new_warns_of_size_and_where_corine_does_not_exist(tmp_path: Path) -> None:
    warnings = new(tmp_path, "-66,-12,-54,-2").stderr.splitlines()
    assert [line.partition(":")[0] for line in warnings] == ["warning", "warning"]
    assert "TB and" in warnings[0]
    assert "--sensors s2" in warnings[0]
    assert "Corine Land Cover maps no part of this area" in warnings[1]


def test_a_mapping_of_ones_own_needs_no_corine(tmp_path: Path) -> None:
    mapping = yaml.safe_load((AREAS / "brandenburg.yaml").read_text())["labels"]
    (tmp_path / "labels.yaml").write_text(yaml.safe_dump(mapping))
    assert new(tmp_path, "-60.1,-3.1,-60.0,-3.0", "--labels", "labels.yaml").stderr == ""


def test_a_schema_is_named_relatively_inside_the_checkout(tmp_path: Path) -> None:
    assert schema_beside(ROOT / "examples" / "areas" / "new.yaml") == "../../docs/area.schema.json"
    assert schema_beside(ROOT / "new.yaml") == "docs/area.schema.json"
    assert Path(schema_beside(tmp_path / "new.yaml")).is_file()


def test_bbox_geojson_and_wkt_need_base_dependencies_alone(tmp_path: Path) -> None:
    polygon = {"type": "Polygon", "coordinates": [[[23.9, 45.7], [24.3, 45.7], [24.1, 45.9], [23.9, 45.7]]]}
    (tmp_path / "a.json").write_text(json.dumps(polygon))
    package = tmp_path / "a.gpkg"
    package.write_bytes(b"SQLite format 3\x00" + bytes(52) + b"GP" + bytes(100))
    outlines = ("23.9,45.7,24.3,45.9", tmp_path / "a.json", shape(polygon).wkt, package)
    commands = [
        ("area", "new", "x", "--aoi", aoi, "--year", 2018, "--out", tmp_path / f"{n}.yaml")
        for n, aoi in enumerate(outlines)
    ]
    found = run_without(installed_by_extras_only(), *commands)
    assert found["codes"] == [0, 0, 0, 2]
    assert "a GeoPackage needs pyogrio: pip install 'landstream[rasterize]'" in found["errors"][3]
    assert not HEAVY.intersection(found["loaded"])
