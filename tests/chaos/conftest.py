"""What the kill matrix and the orders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import AREAS, landstream


def digest_of(store: Path) -> list[str]:
    """The store's digest, line by line."""
    return landstream("digest", "--store", store).stdout.splitlines()


@pytest.fixture(scope="session")
def undisturbed(mapped: Path) -> list[str]:
    """The digest of a run over the six products that nobody disturbed."""
    return digest_of(mapped)


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All products of a season, in the order in which they are made."""
    folder = tmp_path_factory.mktemp("season")
    made = landstream("simulate", "season", "--area", AREAS / "small.yaml", "--out", folder)
    return [Path(line) for line in made.stdout.splitlines()]
