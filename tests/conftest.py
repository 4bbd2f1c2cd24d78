"""What all tests share: hypothesis without deadlines, the real data, a season of products."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from shared.store.s3 import S3Settings, connect
from tools.servers import MissingToolError, Server

ROOT = Path(__file__).parent.parent
AREAS = ROOT / "examples" / "areas"
EAGER = {"every_tile_weeks": 1, "grow_percent": 0, "at_least_hours": 0}
"""Of an area's `train`: a model whenever something is new, so that what comes at the end does not depend on when."""
MISSING_TOOL = 4
"""Exit code of the servers' start where a program that it needs is absent."""

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


def content_of(store: Path) -> list[str]:
    """The lines of the digest of a store's cube and maps."""
    return landstream("digest", "--content", "--store", store).stdout.splitlines()


def copy_store(store: Path, target: Path) -> Path:
    """Copy a store into a new folder; the copy."""

    def copy(source: str, copied: str) -> None:
        # What lies in landing/ is told by its inode too, and is looked at again if that changes.
        if "/landing/" in source:
            os.link(source, copied)
        else:
            shutil.copy2(source, copied)

    shutil.copytree(store, target, copy_function=copy)
    return target


@dataclass(frozen=True)
class Servers:
    """Real servers: Kafka, and an S3 store whose events come on Kafka's topic of objects.

    Attributes:
        kafka: `HOST:PORT`.
        s3: `http://HOST:PORT`.
        variables: what a process needs in its environment to use them.
    """

    kafka: str
    s3: str
    variables: dict[str, str]

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process that uses them."""
        return {**os.environ, **self.variables, **more}


def variables_of(file: str) -> dict[str, str]:
    """The lines of a file that the servers' start wrote."""
    lines = (ROOT / ".services" / file).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The given servers (`LANDSTREAM_KAFKA`, `LANDSTREAM_S3`), or our own, started unless they run."""
    given = [bool(os.environ.get(name)) for name in ("LANDSTREAM_KAFKA", "LANDSTREAM_S3")]
    assert any(given) == all(given), "give both LANDSTREAM_KAFKA and LANDSTREAM_S3, or none"
    if not all(given):
        result = subprocess.run([sys.executable, "-m", "tools.servers", "up"], cwd=ROOT, capture_output=True, text=True)
        if result.returncode == MISSING_TOOL:
            absent(f"no servers: {result.stderr.strip()}; or give LANDSTREAM_KAFKA and LANDSTREAM_S3")
        assert result.returncode == 0, result.stderr
        os.environ.update(variables_of("env"))
    names = ("LANDSTREAM_KAFKA", "LANDSTREAM_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    variables = {name: os.environ[name] for name in names if name in os.environ}
    return Servers(variables["LANDSTREAM_KAFKA"], variables["LANDSTREAM_S3"], variables)


def absent(reason: object) -> NoReturn:
    """Skip, for something that tests need is not on this machine; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(reason))
    pytest.skip(str(reason))


@contextmanager
def running(server: Server) -> Iterator[None]:
    """A server of one's own."""
    try:
        server.start()
    except MissingToolError as error:
        absent(error)
    try:
        yield
    finally:
        server.stop()


@pytest.fixture
def bucket(servers: Servers) -> Iterator[str]:
    """A new bucket on the real store; emptied and removed."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client = connect(S3Settings())
    client.create_bucket(Bucket=name)
    yield name
    remove_bucket(client, name)


def remove_bucket(client, name: str) -> None:
    """Empty and remove a bucket."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for found in page.get("Contents", ()):
            client.delete_object(Bucket=name, Key=found["Key"])
    client.delete_bucket(Bucket=name)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is filled once per test run, however many processes share it; tests read it only."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.with_suffix(".made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            folder.with_suffix(".made").touch()
    return folder


def make_season(folder: Path, products: int) -> None:
    """Simulate a small season."""
    landstream("simulate", "season", "--area", AREAS / "small.yaml", "--out", folder, "--products", products)


def run_over(products: list[Path], store: Path) -> None:
    """Run over products until nothing is left to do."""
    landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", *products)


@pytest.fixture(scope="session")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve products of a small season, many of one week."""
    return sorted(made_once(tmp_path_factory, "twelve", lambda folder: make_season(folder, 12)).iterdir())


@pytest.fixture(scope="session")
def merged(twelve: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store after an embedded run over the twelve products but the labels: merged, and nothing trained or mapped."""
    scenes = [product for product in twelve if product.suffix != ".gpkg"]
    return made_once(tmp_path_factory, "merged", lambda store: run_over(scenes, store))


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The six products of a small season: 3 Sentinel-2, 2 OLCI, 1 Corine."""
    return sorted(made_once(tmp_path_factory, "six", lambda folder: make_season(folder, 6)).iterdir())


@pytest.fixture(scope="session")
def mapped(six: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store after `run --once` over the six products."""
    return made_once(tmp_path_factory, "mapped", lambda store: run_over(six, store))
