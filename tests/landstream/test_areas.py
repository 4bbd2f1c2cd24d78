"""`landstream area`: files that it writes are read back, products are judged by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.area import load_area
from tests.conftest import AREAS, landstream

AREA = load_area(AREAS / "small.yaml")


def test_new_writes_a_commented_file_that_is_good(tmp_path: Path) -> None:
    path = tmp_path / "sibiu.yaml"
    arguments = ("--aoi", "23.9,45.7,24.3,45.9", "--year", 2018, "--labels", "clc-vegetation-8", "--out", path)
    assert "10 x 13 tiles in EPSG:32635" in landstream("area", "new", "sibiu", *arguments).stdout
    area = load_area(path)
    assert (area.grid.epsg, area.grid.rows, area.grid.cols, area.years) == (32635, 10, 13, (2018,))
    assert area.labels.scheme == "clc-vegetation-8"
    assert area.policy == type(area.policy)()
    text = path.read_text()
    assert "T34TGR, T35TKL" in text
    assert "MB for each week" in text
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
        (("--aoi", "25,45,24,46"), "not west, south, east, north"),
        (("--aoi", "a,b,c,d"), "not W,S,E,N"),
        (("--aoi", "absent.json"), "neither W,S,E,N nor a GeoJSON file"),
        (("--aoi", "23.9,45.7,24.3,45.9", "--labels", "nonsense"), "not a label scheme"),
    ],
)
def test_new_refuses_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = landstream("area", "new", "x", "--year", 2018, "--out", tmp_path / "x.yaml", *arguments, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x.yaml").exists()
