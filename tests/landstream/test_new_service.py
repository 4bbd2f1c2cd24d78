"""The files of a new service: it is whole, clean and works as it is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from landstream.new_service import with_extra
from tests.conftest import ROOT

WANTED = ("--consumes", "cloud-masks", "--consumes", "olci-grid", "--publishes", "snow-lines")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what holds services."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("examples", "landstream", "services", "shared", "simulator", "tests", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(copy: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def new_service(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(copy, "-m", "landstream", "new-service", *arguments)


def test_it_is_whole_and_clean_as_it_is_written(copy: Path) -> None:
    made = new_service(copy, "snow_line", *WANTED)
    assert made.returncode == 0, made.stderr
    assert "make deploy-files" in made.stdout
    found = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/shared/stage", "tests/services/snow_line")
    assert found.returncode == 0, found.stdout
    files = ("services/snow_line", "tests/services/snow_line", "pyproject.toml")
    for command in (("ruff", "check"), ("ruff", "format", "--check")):
        found = run(copy, "-m", *command, *files)
        assert found.returncode == 0, found.stdout
    extras = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["snow_line"] == []
    assert extras["all"][0].startswith("landstream[snow_line,")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("Snow", *WANTED), "'Snow' is not a name"),
        (("class", *WANTED), "'class' is not a name"),
        (("tiler", *WANTED), "services/tiler is there already"),
        (("snow", "--consumes", "snowflakes", "--publishes", "x"), "'snowflakes' is published by no stage; there are"),
        (("snow", "--consumes", "landing", "--publishes", "x"), "'landing' is published by no stage"),
        (("snow", "--consumes", "models", "--publishes", "cloud-masks"), "'cloud-masks' is another's collection"),
        (("snow", "--consumes", "models", "--publishes", "a/b"), "'a/b' is not a name of a collection"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_said_and_nothing_is_written(copy: Path, arguments: tuple[str, ...], fault: str) -> None:
    before = sorted(copy.rglob("*.py")), (copy / "pyproject.toml").read_text()
    result = new_service(copy, *arguments)
    assert result.returncode == 2
    assert fault in result.stderr
    assert (sorted(copy.rglob("*.py")), (copy / "pyproject.toml").read_text()) == before


def test_elsewhere_than_in_a_checkout(copy: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "landstream", "new-service", "snow", *WANTED]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "no checkout of Landstream" in found.stderr


def test_the_extra_goes_before_all() -> None:
    text = '[project.optional-dependencies]\na = ["x"]\nall = ["landstream[a]"]\ndev = []\n'
    assert with_extra(text, "b") == text.replace('all = ["landstream[a]"]', 'b = []\nall = ["landstream[b,a]"]')
