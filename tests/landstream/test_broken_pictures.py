"""A higher version whose picture cannot be decoded gives way to the lower one, in either order of arrival."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from landstream.digest import content_lines
from shared.store import FolderStore
from tests.conftest import AREAS, copy_store, landstream
from tests.landstream.cubes import AREA, fill_cube, write_products
from tests.products.bad import reseal

FAILED_EXIT = 3
Versions = tuple[Path, Path]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """One scene in an old baseline, and in a higher one."""
    old, new = write_products(tmp_path_factory.mktemp("products"), "old baseline, no offset", "reprocessed")
    return old, new


@pytest.fixture(scope="module")
def old_alone(versions: Versions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the old version; tests read it only."""
    return fill_cube(tmp_path_factory.mktemp("old") / "store", versions[0])


def spoil(product: Path, picture: str, folder: Path) -> Path:
    """Copy a product and cut one of its pictures off; the manifest vouches for what is left."""
    copied = Path(shutil.copytree(product, folder / product.name))
    (path,) = copied.glob(f"GRANULE/*/IMG_DATA/**/*_{picture}.jp2")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    reseal(copied)
    return copied


def records(store: Path) -> list[dict[str, Any]]:
    folder = FolderStore(store)
    return [json.loads(folder.get(key)) for key in folder.keys("failures/")]


def lines_of(store: Path) -> list[str]:
    return content_lines(FolderStore(store), AREA)


@pytest.mark.parametrize(("picture", "stage"), [("B03_10m", "tiler"), ("SCL_20m", "cloudmask")])
@pytest.mark.parametrize("order", ["after", pytest.param("before", marks=pytest.mark.chaos)])
def test_the_lower_version_is_in_the_cube(
    order: str, picture: str, stage: str, versions: Versions, old_alone: Path, tmp_path: Path
) -> None:
    broken, store = spoil(versions[1], picture, tmp_path), tmp_path / "store"
    if order == "after":
        fill_cube(copy_store(old_alone, store), broken)
    else:
        fill_cube(store, broken)
        assert lines_of(store) == []
        fill_cube(store, versions[0])
    (record,) = records(store)
    assert (record["stage"], record["broken"], record["attempts"]) == (stage, True, 1)
    assert record["file"] == f"{picture}.jp2"
    assert "is a corrupt JPEG2000 file" in record["fault"]
    assert "deliver the product again" in record["remedy"]
    assert lines_of(store) == lines_of(old_alone)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_stream_finds_out_by_itself(versions: Versions, old_alone: Path, tmp_path: Path) -> None:
    """Both arrive at once: what stands aside for the broken one is masked and merged when that is known."""
    broken, store = spoil(versions[1], "B03_10m", tmp_path), tmp_path / "store"
    command = ("run", "--area", AREAS / "small.yaml", "--store", store, "--once", broken, versions[0])
    assert landstream(*command, check=False).returncode == FAILED_EXIT
    assert lines_of(store) == lines_of(old_alone)
