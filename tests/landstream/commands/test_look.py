"""What people see of a store, and what programs read of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landstream.workspace import bind
from shared.items.ids import canonical
from shared.items.item import Item
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, make, promotion, scene
from tests.conftest import landstream
from tests.landstream.terminal import on_terminal
from tests.landstream.test_result import mapped

PRODUCT = "S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a scene that is to be masked, and a map."""
    folder = tmp_path_factory.mktemp("look") / "store"
    opened = FolderStore(folder)
    bind(opened, AREA)
    model = make("models", "small", week="static", metrics={"accuracy": 0.9, "miou": 0.7, "pixels": 10})
    items: list[Item] = [model, promotion(model, 1), *mapped("2018-W22", model, 61.26), scene(PRODUCT, 500, "other")]
    for item in items:
        opened.put(item.key, canonical(item.json))
    return folder


def lines(*arguments: object) -> list[dict]:
    return [json.loads(line) for line in landstream(*arguments).stdout.splitlines()]


def test_maps_are_a_table_on_a_terminal_and_items_elsewhere(store: Path) -> None:
    (item,) = lines("maps", "--store", store)
    assert (item["collection"], item["links"][-1]["rel"]) == ("land-cover-maps", "self")
    path = f"{store}/artifacts/land-cover-maps/2018-W22/{item['id']}/land_cover-02.tif"
    assert on_terminal("maps", "--latest", "--store", store, columns=60) == [
        "week      sheet   observed",
        "2018-W22  r00c00  61.3 %",
        f"  path  {path}",
    ]
    assert on_terminal("maps", "--store", store, columns=400)[1] == f"2018-W22  r00c00  61.3 %    {path}"
    assert [json.loads(line) for line in on_terminal("maps", "--store", store, "--json")] == [item]


def test_maps_of_a_week_are_those_alone_and_another_week_is_said_to_have_none(store: Path) -> None:
    assert lines("maps", "--week", "2018-W22", "--store", store) == lines("maps", "--store", store)
    wrong = landstream("maps", "--week", "2018-W23", "--store", store, check=False)
    said = "landstream: 2018-W23: no map of this week; there are maps of 2018-W22\n"
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (2, "", said)


def test_items_name_id_time_and_file(store: Path) -> None:
    (found,) = lines("items", "sentinel-2-l2a", "--store", store)[1:]
    shown = on_terminal("items", "sentinel-2-l2a", "--store", store, columns=400)
    assert shown[0].split() == ["week", "time", "id", "path"]
    key = f"items/sentinel-2-l2a/{WEEK}/{found['id']}.json"
    assert shown[2].split() == [WEEK, found["properties"]["datetime"], found["id"], f"{store}/{key}"]
    assert (store / key).is_file()
    assert on_terminal("items", "cloud-masks", "--all", "--store", store)[0].split() == ["week", "time", "id"]
    assert on_terminal("items", "olci-grid", "--store", store) == ["no items of olci-grid"]


def test_an_unknown_collection_is_refused_with_those_that_there_are(store: Path) -> None:
    said = landstream("items", "nosuch", "--store", store, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("landstream: 'nosuch' is not a collection; there are cloud-masks, cube-updates, ")
    assert len(said.stderr.splitlines()) == 1


def test_what_is_due_names_stage_week_and_product(store: Path) -> None:
    due = lines("sweep", "--store", store)
    assert {k: v for k, v in due[0].items() if k != "job"} == {"stage": "cloudmask", "week": WEEK}
    shown = on_terminal("sweep", "--store", store)
    assert shown[0].split() == ["stage", "week", "product"]
    assert shown[1].split() == ["cloudmask", WEEK, PRODUCT]


def test_status_ends_with_the_result(store: Path) -> None:
    shown = landstream("status", "--store", store).stdout.splitlines()
    named = ["accuracy", "mIoU", "area", "land", "observed", "quicklook", "newest"]
    assert [line.split()[0] for line in shown[-7:]] == named
    found = json.loads(landstream("status", "--store", store, "--json").stdout)["result"]
    assert (found["model"]["miou"], found["map"]["week"]) == (0.7, "2018-W22")
