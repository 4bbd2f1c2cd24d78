"""Each network of the thesis, and each input, on a store: trained, exported, served over gRPC, and mapped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import AREAS, copy_store, landstream

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
QUICK = {"filters": 4, "epochs": 1, "steps": 4, "folds": 0}
TRAININGS: dict[str, dict[str, Any]] = {
    **{name: {"architecture": name} for name in ("unet", "segnet", "resnet", "multiscale")},
    "committee": {"members": ["unet", "segnet", "resnet", "multiscale"]},
    "everything": {"inputs": ["msi_10m", "msi_20m", "msi_60m", "olci_300m", "week"], "history_weeks": 5},
    "thesis-2018": {"preset": "thesis-2018", "weeks": [1, 53], "keep_best": False},
}


def items(store: Path, collection: str, *options: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)["properties"]
        for line in landstream("items", collection, *options, "--store", store).stdout.splitlines()
    ]


@pytest.mark.parametrize("name", TRAININGS)
def test_it_is_trained_served_and_mapped(name: str, mapped: Path, tmp_path: Path) -> None:
    store = copy_store(mapped, tmp_path / "store")
    before = {said["title"] for said in items(store, "land-cover-maps")}
    area = yaml.safe_load((AREAS / "small.yaml").read_text()) | {"training": QUICK | TRAININGS[name]}
    (tmp_path / "area.yaml").write_text(yaml.safe_dump(area))
    landstream("run", "--area", tmp_path / "area.yaml", "--store", store, "--once")
    (champion,) = items(store, "models")
    maps = items(store, "land-cover-maps")
    assert {said["title"] for said in maps} == before
    assert all(said["landstream:model"].startswith("small--v") for said in maps)
    assert len({said["landstream:model"] for said in maps}) == 1
    wanted = TRAININGS[name].get("inputs", ["msi_10m"] if name == "thesis-2018" else ["msi_10m", "msi_20m"])
    assert [i["name"] for i in champion["mlm:input"]] == wanted
    assert all(said["landstream:observed_percent"] > 0 for said in maps)
