"""A product is put into `landing/` whole, once, and under names that can be keys."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.keys import is_key
from shared.run.deliver import EMPTY_FOLDER, DeliveryStopped, deliver, linker, unit_name
from shared.store import FolderStore, StoreError


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A folder with files at two depths."""
    root = tmp_path / "scene.SAFE"
    (root / "GRANULE").mkdir(parents=True)
    (root / "manifest.safe").write_text("<xfdu/>")
    (root / "GRANULE" / "B02.jp2").write_bytes(b"pixels")
    return root


def test_a_folder_is_one_unit(store: FolderStore, product: Path) -> None:
    unit = deliver(store, product, Event())
    assert (unit.name, unit.is_folder) == ("scene.SAFE", True)
    assert [o.path for o in unit.objects] == ["GRANULE/B02.jp2", "manifest.safe"]
    assert store.get("landing/scene.SAFE/GRANULE/B02.jp2") == b"pixels"


def test_a_file_is_one_unit(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "labels (1).gpkg").write_bytes(b"polygons")
    unit = deliver(store, tmp_path / "labels (1).gpkg", Event())
    assert (unit.name, unit.is_folder) == ("labels_(1).gpkg", False)
    assert store.get("landing/labels_(1).gpkg") == b"polygons"


def test_a_product_that_is_linked_is_the_same_unit_and_takes_no_space(
    store: FolderStore, product: Path, tmp_path: Path
) -> None:
    copied = deliver(FolderStore(tmp_path / "other"), product, Event())
    assert deliver(store, product, Event(), link=True).receipt_id == copied.receipt_id
    assert (product / "manifest.safe").samefile(store.root / "landing/scene.SAFE/manifest.safe")
    assert (product / "manifest.safe").stat().st_mode & 0o222 == 0


def test_nothing_is_linked_into_a_store_that_is_far_away(tmp_path: Path) -> None:
    class Far:
        location = "s3://bucket"

    with pytest.raises(StoreError, match="s3://bucket: --link is for a store in a folder; leave it out"):
        linker(Far())  # type: ignore[arg-type]


def test_an_empty_folder_is_a_unit_too(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "empty.SAFE").mkdir()
    assert [o.path for o in deliver(store, tmp_path / "empty.SAFE", Event()).objects] == [EMPTY_FOLDER]


def test_what_lies_there_is_not_sent_again_and_what_changed_is(store: FolderStore, product: Path) -> None:
    first = deliver(store, product, Event())
    before = {info.key: info.modified_s for info in store.list("landing/")}
    assert deliver(store, product, Event()).receipt_id == first.receipt_id
    assert {info.key: info.modified_s for info in store.list("landing/")} == before
    (product / "manifest.safe").write_text("<new/>")
    assert deliver(store, product, Event()).receipt_id != first.receipt_id
    assert store.get("landing/scene.SAFE/manifest.safe") == b"<new/>"


def test_a_name_that_no_key_can_hold_is_written_as_in_a_url(store: FolderStore, product: Path) -> None:
    for name in ("manifest.safe:Zone.Identifier", "Lies mich.txt", "ä", "L\udce9gende", "a%3A"):
        (product / name).touch()
    paths = {o.path for o in deliver(store, product, Event()).objects}
    odd = {"manifest.safe%3AZone.Identifier", "Lies_mich.txt", "%C3%A4", "L%E9gende", "a_3A"}
    assert paths == {"GRANULE/B02.jp2", "manifest.safe"} | odd


def test_links_are_not_followed(store: FolderStore, product: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("elsewhere")
    (product / "link").symlink_to(tmp_path / "secret")
    assert "link" not in [o.path for o in deliver(store, product, Event()).objects]


def test_a_stop_ends_it_between_files(store: FolderStore, product: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(DeliveryStopped):
        deliver(store, product, stop)
    assert not list(store.keys("landing/"))


@given(st.text(max_size=300))
def test_any_name_becomes_a_segment_of_a_key(name: str) -> None:
    made = unit_name(name)
    assert "/" not in made
    assert made in (".", "..") or is_key(f"landing/{made}")
    assert unit_name(made) == made
