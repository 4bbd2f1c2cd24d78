"""The README is true: its further service works as it stands, its lines run, its table is that of the declarations."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from landstream.new_service import with_extra
from shared.stage import published, registry
from tests.conftest import AREAS, ROOT

README = (ROOT / "README.md").read_text()
FILES = re.findall(r"^`(services/[^`]+)`[^\n]*\n\n```python\n(.*?)```", README, re.DOTALL | re.MULTILINE)
(EXTRA,) = re.findall(r"`greenness = (\[.*?\])`", README)
LEFT_OUT = {".git", ".venv", ".services", ".hypothesis", ".pytest_cache", ".ruff_cache", "runs", "build", "dist"}
"""What a checkout holds that is no part of the project."""

TEST = """import numpy as np

from services.greenness.process import mean_index


def test_bare_ground_is_not_green() -> None:
    assert mean_index(np.full((2, 2), 0.2), np.full((2, 2), 0.2), np.ones((2, 2), bool)) == 0
"""
KNOW_THE_SERVICES = (
    "tests/docker",
    "tests/docs/test_operations.py",
    "tests/k8s",
    "tests/landstream/provision",
    "tests/services/greenness",
    "tests/shared/stage",
    "tests/test_agreement.py",
    "tests/tools",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the README's further service, as it is printed."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "secrets")
    for path in ROOT.iterdir():
        if path.is_dir() and path.name not in LEFT_OUT:
            shutil.copytree(path, folder / path.name, ignore=ignored)
        elif path.is_file():
            shutil.copy2(path, folder / path.name)
    for name in (".venv", ".services"):  # what is installed serves both
        if (ROOT / name).exists():
            (folder / name).symlink_to((ROOT / name).resolve())
    assert [path for path, _ in FILES] == [
        f"services/greenness/{name}.py" for name in ("__init__", "stage", "process", "__main__")
    ]
    for path, text in FILES:
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    return folder


def run(copy: Path, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), **variables}
    return subprocess.run([*map(str, command)], cwd=copy, env=environment, capture_output=True, text=True, check=False)


def make(copy: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    """What `make` does, but install."""
    return run(copy, "make", "INSTALLED=", f"BIN={Path(sys.executable).parent}", *targets)


def test_a_further_service_runs_with_the_others(copy: Path, mapped: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(mapped, store)
    command = (sys.executable, "-m", "landstream")
    result = run(copy, *command, "run", "--area", AREAS / "small.yaml", "--store", store, "--once")
    assert result.returncode == 0, result.stderr
    made = run(copy, *command, "items", "greenness", "--store", store).stdout.splitlines()
    assert len(made) == 3
    assert all(0 < json.loads(item)["properties"]["landstream:red_edge_index"] < 1 for item in made)


def test_a_further_service_is_deployed_by_its_declaration_alone(copy: Path) -> None:
    tests = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    registry_test = (*tests, "tests/shared/stage/test_registry.py", "-k", "greenness")
    assert "no extra greenness" in run(copy, *registry_test).stdout
    pyproject = copy / "pyproject.toml"
    text = with_extra(pyproject.read_text(), "greenness")
    pyproject.write_text(text.replace("greenness = []", f"greenness = {EXTRA}"))
    assert "holds no test" in run(copy, *registry_test).stdout
    (copy / "tests" / "services" / "greenness").mkdir()
    (copy / "tests" / "services" / "greenness" / "test_greenness.py").write_text(TEST)
    found = make(copy, "check")
    assert "docker-compose.yml: is not what the services declare; run `make deploy-files`" in found.stderr
    for target in ("deploy-files", "check"):
        found = make(copy, target)
        assert found.returncode == 0, f"make {target}\n{found.stdout}\n{found.stderr}"
    # Faults are planted in what is committed: they are found, or not, whatever the services; so are those of servers.
    found = run(
        copy, *tests, *KNOW_THE_SERVICES, "-k", "not planted and not wrong_rule", "--ignore=tests/tools/servers"
    )
    assert found.returncode == 0, found.stdout[-6000:]


def test_the_table_is_that_of_the_declarations() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", README, re.MULTILINE)
    found = {name: (set(re.findall(r"`(.*?)`", a)), set(re.findall(r"`(.*?)`", b))) for name, a, b in rows}
    assert found == {n: (set(s.consumes), set(published(s))) for n in registry.names() for s in [registry.load(n)]}


def test_pictures_and_files_that_are_named_exist() -> None:
    for path in re.findall(r"\]\((docs/[^)]+)\)|`((?:docs|tests|examples)/[\w./-]+)`", README):
        name = next(filter(None, path))
        assert (ROOT / name).exists() or "greenness" in name, name


def test_the_line_that_wraps_real_data_is_one_unbroken_line() -> None:
    assert re.search(r"landstream simulate wrap .*brandenburg.* --out DIR`?$", README, re.MULTILINE)
