"""What is withdrawn was never there, and what is restored always was: told by the cube and the maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from landstream.digest import content_lines
from shared.store import FolderStore
from tests.conftest import AREAS, content_of, copy_store, landstream
from tests.landstream.cubes import AREA, fill_cube, write_products

ALONE, HIGHER = "old baseline, no offset", "reprocessed"
"""A scene that is alone in its week, and a higher version of it; see `simulator.season`."""

BESIDE, PARTIAL = "neighbouring UTM zone, with offset", "twin products: one part"
"""Two scenes of another week."""

Products = dict[str, Path]
CubeOf = Callable[..., Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Products:
    """The products, by why they are in a season."""
    reasons = (ALONE, HIGHER, BESIDE, PARTIAL, "labels")
    return dict(zip(reasons, write_products(tmp_path_factory.mktemp("products"), *reasons), strict=True))


@pytest.fixture(scope="module")
def cube_of(made: Products, tmp_path_factory: pytest.TempPathFactory) -> CubeOf:
    """Stores of some products; each is made once, to be read only."""
    folder, kept = tmp_path_factory.mktemp("cubes"), dict[frozenset[str], Path]()

    def store_of(*reasons: str) -> Path:
        key = frozenset(reasons)
        if key not in kept:
            kept[key] = fill_cube(folder / str(len(kept)), *(made[r] for r in reasons))
        return kept[key]

    return store_of


def say(store: Path, word: str, product: Path) -> None:
    landstream(word, product.name.partition(".")[0], "--reason", "a test", "--store", store)


def cube_lines(store: Path) -> list[str]:
    return content_lines(FolderStore(store), AREA)


@pytest.mark.parametrize(
    ("withdrawn", "others"),
    [
        pytest.param(HIGHER, (ALONE,), id="a higher version"),
        pytest.param(ALONE, (BESIDE, PARTIAL), id="alone in its week", marks=pytest.mark.chaos),
        pytest.param(PARTIAL, (ALONE, BESIDE), id="one of two of a week", marks=pytest.mark.chaos),
    ],
)
def test_a_scene_leaves_the_cube_and_comes_back(
    withdrawn: str, others: tuple[str, ...], made: Products, cube_of: CubeOf, tmp_path: Path
) -> None:
    never, always = cube_lines(cube_of(*others)), cube_lines(cube_of(*others, withdrawn))
    assert never != always
    store = copy_store(cube_of(*others, withdrawn), tmp_path / "store")
    say(store, "withdraw", made[withdrawn])
    assert cube_lines(fill_cube(store)) == never
    say(store, "restore", made[withdrawn])
    assert cube_lines(fill_cube(store)) == always


@pytest.mark.chaos
def test_what_is_withdrawn_before_it_arrives_is_not_merged(made: Products, cube_of: CubeOf, tmp_path: Path) -> None:
    store = copy_store(cube_of(ALONE, BESIDE), tmp_path / "store")
    say(store, "withdraw", made[PARTIAL])
    assert cube_lines(fill_cube(store, made[PARTIAL])) == cube_lines(cube_of(ALONE, BESIDE))
    assert sum(1 for _ in FolderStore(store).keys("items/sentinel-2-l2a/")) == 3, "it is registered all the same"
    say(store, "restore", made[PARTIAL])
    assert cube_lines(fill_cube(store)) == cube_lines(cube_of(ALONE, BESIDE, PARTIAL))


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_maps_follow_what_is_withdrawn_and_restored(made: Products, tmp_path: Path) -> None:
    """One of two scenes of a week: the model and the maps of all weeks are those of a run without it, and with it."""
    small = yaml.safe_load((AREAS / "small.yaml").read_text())
    small["training"] = {"filters": 4, "epochs": 1, "steps": 2, "folds": 0}
    area = tmp_path / "small.yaml"
    area.write_text(yaml.safe_dump(small))

    def run(store: Path, *reasons: str) -> list[str]:
        landstream("run", "--area", area, "--store", store, "--once", *(made[r] for r in reasons))
        return content_of(store)

    never = run(tmp_path / "without", ALONE, BESIDE, "labels")
    store = copy_store(tmp_path / "without", tmp_path / "store")
    always = run(store, PARTIAL)
    assert any("  maps/" in line for line in never)
    assert never != always
    say(store, "withdraw", made[PARTIAL])
    assert run(store) == never
    say(store, "restore", made[PARTIAL])
    assert run(store) == always
