"""A store in which a driver's items are created."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.store import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)
