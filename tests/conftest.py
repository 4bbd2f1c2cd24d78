"""What all tests share: hypothesis without deadlines, the real data, a season of products."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
AREAS = ROOT / "tests" / "areas"

# Timings on shared machines are noisy: a deadline would test the machine.
settings.register_profile("landstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("landstream")


def real_data() -> Path:
    """The folder of real data."""
    return Path(os.environ.get("LANDSTREAM_DATA", ROOT / ".." / "shared" / "data")).resolve()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if real_data().is_dir() or os.environ.get("CI") == "true":
        return  # in CI a missing folder fails
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=f"no real data at {real_data()}; set LANDSTREAM_DATA"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; fails where it is absent."""
    folder = real_data()
    assert folder.is_dir(), f"no real data at {folder}; set LANDSTREAM_DATA"
    return folder


def landstream(*arguments: object, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "landstream", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)
    if check:
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The six products of a small season: 3 Sentinel-2, 2 OLCI, 1 Corine."""
    folder = tmp_path_factory.mktemp("six")
    landstream("simulate", "season", "--area", AREAS / "small.yaml", "--out", folder, "--products", 6)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def mapped(six: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store after `run --once` over the six products; tests read it only."""
    store = tmp_path_factory.mktemp("mapped") / "store"
    landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", *six)
    return store
