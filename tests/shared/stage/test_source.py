"""How what a job is made of is named and fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.item import Item
from shared.items.keys import is_key
from shared.items.landing import LandingObject, LandingUnit
from shared.stage.source import LandingSource, Source, Unfetchable, name_in_id, suffix_of
from shared.store import FolderStore

ITEM_ID = "a--v1-0a1b2c3d"


class Fetched:
    """Notes what is fetched, and writes the key as content."""

    def __init__(self) -> None:
        self.checked: dict[str, str | None] = {}

    def __call__(self, key: str, path: Path, sha256: str | None = None) -> None:
        self.checked[key] = sha256
        path.write_text(key)


def item_with(**assets: str) -> Item:
    """An item whose assets lie at keys; each states a checksum."""
    checksum = "1220" + "ab" * 32
    stated = {name: {"href": f"../../../{key}", "file:checksum": checksum} for name, key in assets.items()}
    json = {"id": ITEM_ID, "collection": "cloud-masks", "properties": {}, "assets": stated}
    return Item(json, "2018-W23")


def test_wanted_assets_are_fetched_with_their_checksums(tmp_path: Path) -> None:
    item = item_with(mask="artifacts/m.tif", table="artifacts/t.gdb.zip", more="artifacts/more.json")
    fetch = Fetched()
    paths = Source(item, ("mask", "table")).fetch(fetch, tmp_path / "some")
    assert {name: path.name for name, path in paths.items()} == {"mask": "mask.tif", "table": "table.gdb.zip"}
    assert paths["mask"].read_text() == "artifacts/m.tif"
    assert fetch.checked == {"artifacts/m.tif": "ab" * 32, "artifacts/t.gdb.zip": "ab" * 32}
    assert set(Source(item).fetch(Fetched(), tmp_path / "all")) == {"mask", "table", "more"}
    assert Source(item, ()).fetch(Fetched(), tmp_path / "none") == {}
    assert (Source(item).id, Source(item).subject) == (ITEM_ID, "a")


def test_a_file_and_a_folder_are_fetched_as_they_lie(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    for key in ("landing/a.zip", "landing/b.SAFE/manifest.safe", "landing/b.SAFE/GRANULE/B02.jp2"):
        store.put(key, key.encode())
    file = LandingUnit("a.zip", (LandingObject("", 13, "e"),))
    folder = LandingUnit("b.SAFE", tuple(LandingObject(p, 1, "e") for p in ("GRANULE/B02.jp2", "manifest.safe")))
    (path,) = LandingSource(file).fetch(store.fetch, tmp_path / "in0").values()
    assert (path, path.read_text()) == (tmp_path / "in0" / "a.zip", "landing/a.zip")
    found = LandingSource(folder).fetch(store.fetch, tmp_path / "in1")
    assert found == {"b.SAFE": tmp_path / "in1" / "b.SAFE"}
    assert (found["b.SAFE"] / "GRANULE" / "B02.jp2").read_text() == "landing/b.SAFE/GRANULE/B02.jp2"


@pytest.mark.parametrize("paths", [("x", "x/y"), ("x/y", "x")])
def test_an_object_that_is_anothers_folder_fits_on_no_disk(paths: tuple[str, ...], tmp_path: Path) -> None:
    def fetch(key: str, path: Path, sha256: str | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(key)

    unit = LandingUnit("u", tuple(LandingObject(p, 1, "e") for p in paths))
    with pytest.raises(Unfetchable) as error:
        LandingSource(unit).fetch(fetch, tmp_path / "in")
    assert error.value.key == f"landing/u/{paths[1]}"


@given(st.text(min_size=1, max_size=300))
def test_a_unit_s_job_has_a_name_that_keys_can_hold(name: str) -> None:
    unit = LandingUnit(name.encode("utf-8", "replace").decode(), (LandingObject("", 1, "e"),))
    job_id = LandingSource(unit).job_id
    assert is_key(f"failures/ingest/{job_id}.json")
    assert job_id == f"{name_in_id(unit.name)}--{unit.receipt_id[:8]}"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a/B02.jp2", ".jp2"), ("clc.gdb.zip", ".gdb.zip"), ("model.tar.gz", ".tar.gz"), ("mask.tif.aux.xml", ".xml"),
        ("S3A_x.SEN3.zip", ".zip"), ("README", ""), (".hidden", ""), (f"x.{'y' * 20}", ""),
    ],
)  # fmt: skip
def test_suffixes(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix
