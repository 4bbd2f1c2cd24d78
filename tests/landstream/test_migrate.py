"""A store that the version before made is carried over, whatever interrupts it, and goes on as if it were of today."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pystac
import pytest

from landstream.digest import cube_lines
from landstream.migrate import migrate
from shared.area import Area
from shared.cube import open_cube
from shared.store import AREA_KEY, FORMAT, FolderStore, NotFound, OtherFormat, read_format
from tests.conftest import AREAS, landstream

ARCHIVE = Path(__file__).parent / "store-format-1.tar.xz"
SCENE = "S2A_MSIL2A_20180605T092031_N0510_R093_T34TGR_20180605T120000"
POLYGONS = "items/label-polygons/static/u2018_clc2018_v2020_20u1_geoPackage--v1-2de0490b.json"


def unpack(folder: Path) -> Path:
    """The store of format 1, from one scene and one delivery of labels; its objects in landing/ with their etags."""
    with tarfile.open(ARCHIVE) as archive:
        for member in filter(tarfile.TarInfo.isreg, archive):
            path = folder / member.name
            assert path.resolve().is_relative_to(folder.resolve())
            path.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            path.write_bytes(content.read())
    store = FolderStore(folder)
    for key in list(store.keys("landing/")):
        store.put(key, store.get(key))
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store of format 1."""
    return unpack(tmp_path / "store")


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was carried over; tests read it only."""
    folder = unpack(tmp_path_factory.mktemp("migrated") / "store")
    landstream("migrate", "--store", folder)
    return folder


def objects(folder: Path) -> dict[str, bytes]:
    """What a store holds beside its cube: key -> bytes."""
    store = FolderStore(folder)
    return {key: store.get(key) for key in store.keys("") if not key.startswith(("cube/", ".cube"))}


def lines_of_the_cube(folder: Path) -> list[str]:
    """What the cube holds, read from the cube itself."""
    _, fields = read_format(FolderStore(folder))
    return sorted(cube_lines(open_cube(str(folder / "cube"), Area.model_validate(fields), "read")))


@pytest.mark.parametrize(
    "command", [("status",), ("digest",), ("run", "--area", AREAS / "small.yaml", "--once"), ("deliver", ARCHIVE)]
)
def test_every_other_command_says_what_to_do(old: Path, command: tuple[object, ...]) -> None:
    before = objects(old)
    result = landstream(*command, "--store", old, check=False)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines() == [
        f"landstream: {old}: is kept in format 1, this version reads 2; run `landstream migrate --store {old}`"
    ]
    assert objects(old) == before


def test_each_step_says_what_it_did_and_the_cube_stays(old: Path) -> None:
    before = lines_of_the_cube(old)
    said = landstream("migrate", "--store", old).stdout.splitlines()
    assert [line.split(":")[0] for line in said] == [
        "receipts", "artifacts", "items", "links", "corine-land-cover", "training requests", "pages", "area.json",
    ]  # fmt: skip
    assert said[0] == "receipts: 2 moved to receipts/UNIT/"
    found = landstream("digest", "--content", "--store", old).stdout.splitlines()
    assert before
    assert [line for line in found if line.split("  ")[1].startswith("cube/")] == before
    again = objects(old)
    assert landstream("migrate", "--store", old).stdout == f"{old}: is kept in format {FORMAT} already\n"
    assert objects(old) == again


def test_what_was_done_counts_and_nothing_failed(migrated: Path) -> None:
    stages = json.loads(landstream("status", "--store", migrated, "--json").stdout)["stages"]
    assert stages["ingest"] == {"done": 2, "waiting": 0, "failed": 0}
    assert stages["cloudmask"] == {"done": 1, "waiting": 0, "failed": 0}
    assert stages["tiler"] == {"done": 1, "waiting": 0, "failed": 0}
    due = [json.loads(line)["stage"] for line in landstream("sweep", "--store", migrated).stdout.splitlines()]
    assert due == ["rasterize"]
    assert landstream("failures", "--store", migrated).stdout == ""
    (shown,) = map(json.loads, landstream("items", "label-polygons", "--store", migrated).stdout.splitlines())
    assert shown["collection"] == "label-polygons"


def test_the_catalogue_is_whole(migrated: Path) -> None:
    keys = objects(migrated).keys()
    assert not [key for key in keys if "corine-land-cover" in key or "training-requests" in key]
    assert POLYGONS in keys
    catalog = pystac.Catalog.from_file(migrated / "catalog.json")
    found = list(catalog.get_items(recursive=True))
    assert len(found) == len([key for key in keys if key.startswith("items/")])
    for item in found:
        for asset in item.assets.values():
            href = asset.get_absolute_href()
            assert href is not None
            assert Path(href).stat().st_size == asset.extra_fields["file:size"]
        sources = [link.get_absolute_href() or "" for rel in ("derived_from", "via") for link in item.get_links(rel)]
        assert all(Path(href).is_file() for href in sources if "training-requests" not in href)


class Interrupted(FolderStore):
    """A store that a migration loses at its n-th change."""

    def __init__(self, root: Path, changes: int) -> None:
        super().__init__(root)
        self.left = changes

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InterruptedError

    def put(self, key, data, *, create_only=False):  # type: ignore[no-untyped-def]
        """Put, or end before."""
        self._count()
        return super().put(key, data, create_only=create_only)

    def delete(self, key: str) -> None:
        """Delete, or end before."""
        self._count()
        super().delete(key)


def test_an_interrupted_migration_is_run_again(old: Path, migrated: Path) -> None:
    interruptions = 0
    while True:
        store = Interrupted(old, 3)
        try:
            migrate(store, store.work, lambda line: None)
            break
        except InterruptedError:
            interruptions += 1
            if interruptions > 100:  # as if each try got nowhere: then let it through
                raise
            (store.work / "artifact").unlink(missing_ok=True)
    assert interruptions > 3
    assert objects(old) == objects(migrated)


def test_a_newer_format_and_what_is_no_store_are_refused(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    with pytest.raises(NotFound):
        migrate(store, store.work, lambda line: None)
    store.put(AREA_KEY, b'{"format": 99}')
    with pytest.raises(OtherFormat, match="use a newer Landstream"):
        migrate(store, store.work, lambda line: None)
    result = landstream("migrate", "--store", tmp_path / "none", check=False)
    assert result.returncode == 2
    assert "no store here" in result.stderr
    assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module")
def gone_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that was carried over and run; tests read it only."""
    folder = unpack(tmp_path_factory.mktemp("gone-on") / "store")
    landstream("migrate", "--store", folder)
    landstream("run", "--area", AREAS / "small.yaml", "--store", folder, "--once")
    return folder


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_a_run_goes_on_to_a_map(gone_on: Path) -> None:
    status = json.loads(landstream("status", "--store", gone_on, "--json").stdout)
    for name in ("rasterize", "trainer", "inference"):
        assert status["stages"][name] == {"done": 1, "waiting": 0, "failed": 0}, name
    (latest,) = map(json.loads, landstream("maps", "--latest", "--store", gone_on).stdout.splitlines())
    assert latest["properties"]["start_datetime"] == "2018-06-04T00:00:00Z"
    assert latest["properties"]["landstream:model"] == status["result"]["model"]["id"]
    folder = gone_on / "items" / "land-cover-maps" / "2018-W23"
    others = [m for p in folder.iterdir() if (m := json.loads(p.read_text()))["id"] != latest["id"]]
    assert sum("--v1-" in m["id"] for m in others) == 1, "the old one is history"
    # The old champion may have mapped the new ledger, once, if the new model was not trained by then.
    made = [
        (m["properties"]["landstream:model"], m["properties"]["landstream:ledger"])
        for m in others
        if "--v2-" in m["id"]
    ]
    assert made in ([], [("small--v1-e373a843", latest["properties"]["landstream:ledger"])])
    assert len(others) == 1 + len(made)
