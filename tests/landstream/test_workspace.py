"""A store belongs to one area, and is opened only where there is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landstream.workspace import AREA_KEY, WorkspaceError, area_of, bind, machine_folder, open_bound, workspace
from shared.area import Area, load_area
from shared.area.area import parse_area
from shared.store import FolderStore, StoreLocked
from tests.conftest import AREAS


@pytest.fixture
def area() -> Area:
    return load_area(AREAS / "small.yaml")


def changed(area: Area, **fields: object) -> Area:
    """The area with other fields."""
    return parse_area(area.model_dump(mode="json", by_alias=True) | fields, "test")


def test_the_first_area_binds_and_the_same_one_fits_again(area: Area, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    bind(store, area)
    bind(store, area)
    assert area_of(store) == area
    opened, found = open_bound(str(tmp_path))
    assert opened.location == store.location
    assert found == area


def test_what_the_store_is_not_bound_to_follows_the_file(area: Area, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    bind(store, area)
    years = changed(area, years=[2018, 2019], training=area.training.model_dump() | {"filters": 99})
    assert bind(store, years) == [
        f"training.filters was {area.training.filters} and is 99",
        "years was [2018] and is [2018, 2019]",
    ]
    assert area_of(store).years == (2018, 2019)
    assert bind(store, years) == []
    alone = changed(years, sensors=["s2"], aoi=[23.94, 45.905, 24.055, 45.985])
    assert bind(store, alone) == ["the AOI has another outline", "sensors was ('s2', 'olci') and is ('s2',)"]
    assert "sensors was ('s2',) and is ('s2', 'olci')" in bind(store, years)


def test_another_grid_or_level_is_refused_with_the_difference(area: Area, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    bind(store, area)
    grid = json.loads(store.get(AREA_KEY))["grid"] | {"rows": 1}
    cases = [("level", "l1c", "level is l2a there and l1c here"), ("grid", grid, r"grid\.rows is")]
    for field, value, said in cases:
        with pytest.raises(WorkspaceError, match=said):
            bind(store, changed(area, **{field: value}))
    assert area_of(store) == area


@pytest.mark.parametrize(
    ("location", "said"),
    [("{tmp}/nothing", "no store here"), ("ftp://bucket", "no store"), ("s3://bucket/folder", "name the bucket alone")],
)
def test_what_is_not_a_store_is_refused_in_one_line(location: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=said) as found:
        open_bound(location.format(tmp=tmp_path))
    assert "\n" not in str(found.value)


def test_a_folder_without_an_area_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no area\.json there"):
        area_of(FolderStore(tmp_path))


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with workspace(str(tmp_path / "store")) as (store, folder):
        assert folder.is_dir()
        assert isinstance(store, FolderStore)
        with pytest.raises(StoreLocked), workspace(str(tmp_path / "store")):
            pass
    with workspace(str(tmp_path / "store")):
        pass
    with pytest.raises(WorkspaceError, match="no store"), workspace("ftp://bucket"):
        pass


def test_a_folder_of_this_machine_is_this_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("LANDSTREAM_S3", "http://one:9000")
    first = machine_folder("bucket", "run")
    assert first == machine_folder("bucket", "run")
    assert first.is_dir()
    assert (first.parents[1].stat().st_mode & 0o777) == 0o700
    monkeypatch.setenv("LANDSTREAM_S3", "http://two:9000")
    assert machine_folder("bucket", "run") != first
    first.parents[1].rename(tmp_path / "elsewhere")
    first.parents[1].symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceError, match="another user's"):
        machine_folder("bucket", "run")
