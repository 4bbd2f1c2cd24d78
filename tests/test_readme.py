"""The README is true: its eighth service works as it stands, its lines run, its table is that of the declarations."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.stage import registry
from tests.conftest import AREAS, ROOT

README = (ROOT / "README.md").read_text()
FILES = re.findall(r"^`(services/[^`]+)`\n\n```python\n(.*?)```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the README's eighth service."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("landstream", "services", "shared", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    assert len(FILES) == 3
    for path, text in FILES:
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    return folder


def run(copy: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def test_an_eighth_service_runs_with_the_others(copy: Path, mapped: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(mapped, store)
    result = run(copy, "-m", "landstream", "run", "--area", AREAS / "small.yaml", "--store", store, "--once")
    assert result.returncode == 0, result.stderr
    made = run(copy, "-m", "landstream", "items", "greenness", "--store", store).stdout.splitlines()
    assert len(made) == 3
    assert all(0 < json.loads(item)["properties"]["landstream:mean_ndvi"] < 1 for item in made)


def test_a_service_without_extra_or_test_is_found(copy: Path) -> None:
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/shared/stage/test_registry.py", "-k", "greenness")
    before = run(copy, *command)
    assert "no extra greenness" in before.stdout
    pyproject = copy / "pyproject.toml"
    text = pyproject.read_text().replace(
        "[project.optional-dependencies]\n", '[project.optional-dependencies]\ngreenness = ["rasterio>=1.4,<1.5"]\n'
    )
    pyproject.write_text(text.replace("landstream[ingest,", "landstream[greenness,ingest,"))
    assert "holds no test" in run(copy, *command).stdout
    (copy / "tests" / "services" / "greenness").mkdir()
    (copy / "tests" / "services" / "greenness" / "test_greenness.py").write_text("def test_nothing() -> None: ...\n")
    after = run(copy, *command)
    assert after.returncode == 0, after.stdout


def test_the_table_is_that_of_the_declarations() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", README, re.MULTILINE)
    found = {name: (set(re.findall(r"`(.*?)`", a)), set(re.findall(r"`(.*?)`", b))) for name, a, b in rows}
    assert found == {n: (set(s.consumes), set(s.publishes)) for n in registry.names() for s in [registry.load(n)]}


def test_pictures_and_files_that_are_named_exist() -> None:
    for path in re.findall(r"\]\((docs/[^)]+)\)|`((?:docs|tests|examples)/[\w./-]+)`", README):
        name = next(filter(None, path))
        assert (ROOT / name).exists() or "greenness" in name, name


def test_the_line_that_wraps_real_data_is_one_unbroken_line() -> None:
    assert re.search(r"landstream simulate wrap .*brandenburg.* --out DIR`?$", README, re.MULTILINE)
