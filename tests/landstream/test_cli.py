"""What every command has in common: what it loads, and how it ends where a server is away."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from landstream import cli
from landstream.workspace import bind
from shared.area import load_area
from shared.bus import BusUnavailable
from shared.store import FolderStore, Forbidden, StoreUnavailable
from tests.conftest import AREAS, ROOT, landstream


@pytest.mark.parametrize("error", [StoreUnavailable("S3: does not answer"), BusUnavailable("Kafka: does not answer")])
@pytest.mark.parametrize("command", [["status"], ["failures"], ["sweep"], ["digest"], ["maps"], ["items", "models"]])
def test_a_server_that_goes_away_is_one_line(
    command: list[str], error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    bind(FolderStore(tmp_path), load_area(AREAS / "small.yaml"))

    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr("shared.items.reader.CatalogueReader.snapshot", away)
    monkeypatch.setattr(sys, "argv", ["landstream", *command, "--store", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err == f"landstream: {error}\n"


def test_a_right_that_is_missing_anywhere_says_who_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    bind(FolderStore(tmp_path), load_area(AREAS / "small.yaml"))

    def refuse(*_: object, **__: object) -> None:
        raise Forbidden("s3://b", "reprocess/tiler/all-v3.json", "write")

    monkeypatch.setattr("landstream.reprocessing.order", refuse)
    monkeypatch.setattr(sys, "argv", ["landstream", "reprocess", "tiler", "--store", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err.endswith("may not write it; use the keys of the user `operator`\n")


HEAVY = {"rasterio", "pyogrio", "pandas", "zarr", "icechunk", "netCDF4", "scipy", "sklearn", "tensorflow", "keras"}
CLIENTS = {"boto3", "botocore", "kafka", "minio", "grpc"}
SAFE = "S2A_MSIL2A_20180529T092031_N0206_R093_T34TGR_20180529T123138.SAFE"


def run_without(packages: set[str], *commands: tuple[object, ...]) -> dict:
    """What commands end with, and what they load, in a process to which packages are not installed."""
    asked = {"without": sorted(packages), "commands": [list(map(str, c)) for c in commands]}
    script = [sys.executable, Path(__file__).parent / "light.py", json.dumps(asked)]
    # Without the addresses of servers, which other tests of this process may have set.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANDSTREAM_", "AWS_"))}
    environment = {**kept, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def installed_by_extras_only() -> set[str]:
    """Top-level packages that are here, and not where only the base dependencies of pyproject.toml are installed."""
    base = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted, found = [Requirement(line) for line in base], set[str]()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name in found and not requirement.extras:
            continue
        found.add(name)
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            extras = ["", *requirement.extras]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(needed)
    packages = metadata.packages_distributions().items()
    ours = {"landstream", "services", "shared", "simulator"}
    return {name for name, owners in packages if not found.intersection(map(canonicalize_name, owners))} - ours


@pytest.mark.parametrize("command", [("--help",), ("run", "--help"), ("deliver", "--help"), ("failpoints",)])
def test_help_loads_nothing_but_typer(command: tuple[str, ...]) -> None:
    found = run_without(set(), command)
    assert found["codes"] == [0]
    unwanted = HEAVY | CLIENTS | {"numpy", "pydantic_settings", "structlog", "shapely", "pyproj", "pystac"}
    assert not unwanted.intersection(found["loaded"])
    assert not {"simulator", "services"}.intersection(found["loaded"])


def test_help_takes_little_time() -> None:
    # Other work on the machine only adds to what it takes: the least of some is what is its own.
    assert min(seconds_of_help() for _ in range(5)) < 0.6, "seconds of CPU"


def seconds_of_help() -> float:
    before = os.times()
    landstream("--help")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def commands() -> list[tuple[str, ...]]:
    """Every command, those of groups too."""
    found: list[tuple[str, ...]] = []
    for name in map(cli.name_of, (command for theme in cli.THEMES.values() for command in theme)):
        if name not in cli.GROUPS:
            found.append((name,))
            continue
        module, _, app = cli.GROUPS[name].app.partition(":")
        group = typer.main.get_command(getattr(importlib.import_module(module), app))
        found += [(name, *below) for below in ([(n,) for n in getattr(group, "commands", {})] or [()])]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_gives_an_example(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli.app, [*command, "--help"], prog_name="landstream")
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"landstream {' '.join(command)}" in shown.output.partition("Example")[2]


def test_commands_are_shown_by_theme_each_in_one_line() -> None:
    shown = landstream("--help", env={**os.environ, "COLUMNS": "80"}).stdout
    assert [line[:-1] for line in shown.splitlines() if line.endswith(":")][1:] == [*cli.THEMES]
    assert "..." not in shown.partition("Make maps:")[2]


def test_a_file_of_commands_is_read_at_a_glance() -> None:
    files = [ROOT / "landstream" / "cli.py", *(ROOT / "landstream" / "commands").glob("*.py")]
    assert {f.name: n for f in files if (n := len(f.read_text().splitlines())) > 200} == {}


def test_the_version_is_told() -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    assert landstream("--version").stdout == f"landstream {metadata.version('landstream')} (Python {python})\n"


@pytest.mark.parametrize(
    ("words", "expected"), [("landstream stat", "status"), ("landstream area ch", "check"), ("landstream x", "")]
)
def test_a_shell_completes_commands(words: str, expected: str) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_LANDSTREAM_COMPLETE": "complete_bash"}
    code = "import sys; sys.argv = ['landstream']; from landstream.cli import main; main()"
    environment = {**os.environ, **asked, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert shown.stdout.split() == expected.split()


def test_the_simulator_shows_without_being_loaded(tmp_path: Path) -> None:
    given = ("--area", AREAS / "small.yaml", "--out", tmp_path, "--products", 1)
    shown = landstream("--help").stdout
    assert "simulate" in shown
    assert "area" in shown
    found = run_without(HEAVY, ("simulate", "season", "--help"), ("simulate", "season", *given))
    assert found["codes"] == [0, 2]
    error = found["errors"][1]
    assert len(error.splitlines()) == 1
    assert "not installed" in error


LOOKS = ["status"], ["failures"], ["maps"], ["sweep"], ["items", "models"], ["trace", "T34TGR"], ["doctor"]


def test_status_loads_no_raster_cube_learning_or_client_library(mapped: Path) -> None:
    found = run_without(HEAVY | CLIENTS, *((*command, "--store", mapped) for command in LOOKS))
    assert found["codes"] == [0] * len(LOOKS), found["errors"]
    assert not (HEAVY | CLIENTS).intersection(found["loaded"])


def test_base_dependencies_are_enough_to_order_deliver_and_look(tmp_path: Path) -> None:
    store, area, product = tmp_path / "store", tmp_path / "sibiu.yaml", tmp_path / SAFE
    bind(FolderStore(store), load_area(AREAS / "small.yaml"))
    product.mkdir()
    (product / "manifest.safe").write_text("<xfdu/>")
    found = run_without(
        installed_by_extras_only(),
        ("--help",),
        ("area", "new", "sibiu", "--aoi", "23.9,45.7,24.3,45.9", "--year", 2018, "--out", area),
        ("area", "check", area, product),
        ("deliver", "--store", store, product),
        ("status", "--store", store),
        ("failures", "--store", store),
        ("maps", "--store", store),
        ("items", "sentinel-2-l2a", "--store", store),
        ("sweep", "--store", store),
        ("digest", "--store", store),
        ("trace", "2018-W23", "--store", store),
        ("doctor", "--store", store),
    )
    assert found["codes"] == [*[0] * 10, 1, 0], found["errors"]
    assert (store / "landing" / SAFE / "manifest.safe").is_file()
    assert not (HEAVY | CLIENTS).intersection(found["loaded"])


def test_the_sweeper_shows_its_help_without_clients() -> None:
    code = "import atexit, runpy, sys; atexit.register(lambda: print(*sys.modules)); sys.argv[1:] = ['--help']"
    code += "; runpy.run_module('services.sweeper', run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "shared" in loaded
    assert "--kafka" in result.stdout
    assert not (HEAVY | CLIENTS).intersection(loaded)


def test_a_failure_record_that_cannot_be_read_is_told_and_left_alone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    bind(store, load_area(AREAS / "small.yaml"))
    damaged, whole = "failures/tiler/a--01234567.json", "failures/ingest/b--01234567.json"
    record = {"id": "b--01234567", "stage": "ingest", "collection": "", "week": "", "unit": "b", "receipt": "c"}
    store.put(damaged, b"")
    store.put(whole, json.dumps(record).encode())
    for command in (["status"], ["failures"], ["requeue", "all"]):
        said = landstream(*command, "--store", tmp_path)
        assert said.stderr.splitlines()[-1].startswith(f"left alone: {damaged}: not a failure record"), command
    assert list(store.keys("failures/")) == [damaged]
    assert list(json.loads(landstream("status", "--store", tmp_path, "--json").stdout)["left_alone"]) == [damaged]
