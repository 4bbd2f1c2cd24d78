"""The commands make what they say and print where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.commands import app

AREA = """name: border
aoi: [23.99, 45.59, 24.02, 45.61]
labels: clc-level3
label_year: 2018
years: [2018]
"""


@pytest.mark.parametrize(
    ("command", "ending"), [("s2-l2a", ".SAFE"), ("s2-l1c", ".SAFE"), ("s3-olci", ".SEN3"), ("clc", ".gpkg")]
)
def test_one_product(tmp_path: Path, command: str, ending: str) -> None:
    result = CliRunner().invoke(app, [command, "--size", "120", "--seed", "3", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    path = Path(result.stdout.strip())
    assert path.suffix == ending
    assert path.exists()


def test_season_of_an_area(tmp_path: Path) -> None:
    area = tmp_path / "area.yaml"
    area.write_text(AREA)
    out = tmp_path / "landing"
    arguments = ["season", "--area", str(area), "--out", str(out), "--products", "6", "--size", "300", "--workers", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    paths = [Path(line) for line in result.stdout.split()]
    assert sorted(path.suffix for path in paths) == [".SAFE"] * 3 + [".SEN3"] * 2 + [".gpkg"]
    assert all(path.parent == out for path in paths)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["s2-l2a", "--size", "100"], "multiple of 6"),
        (["s2-l2a", "--week", "2018-23"], "ISO week"),
        (["s2-l2a", "--baseline", "5.9"], "form"),
        (["wrap", "--time", "yesterday"], "not a time such as 2017"),
        (["wrap", "--time", "2018-06-05", "--baseline", "5.9"], "not four digits"),
        (["wrap", "--time", "2018-06-05", "--attribute", "fclass"], "need each other"),
        (["wrap", "nowhere", "--time", "2018-06-05"], "nowhere: no such folder"),
        (["wrap", "--time", "2018-06-05", "--band", "B4"], "write it as B04=FILE"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
