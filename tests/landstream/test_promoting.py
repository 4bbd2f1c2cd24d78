"""Where the area promotes what is better: a worse challenger leaves its evaluation and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import AREAS, content_of, copy_store, landstream

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
GOOD = {"filters": 8, "epochs": 2, "steps": 10, "folds": 0}
WORSE = GOOD | {"filters": 4, "epochs": 1, "steps": 1, "architecture": "segnet"}


def run(store: Path, folder: Path, training: dict[str, Any], *products: Path) -> str:
    area = yaml.safe_load((AREAS / "small.yaml").read_text()) | {"promote": "better", "training": training}
    (folder / "area.yaml").write_text(yaml.safe_dump(area))
    return landstream("run", "--area", folder / "area.yaml", "--store", store, "--once", *products).stderr


def items(store: Path, collection: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in landstream("items", collection, "--all", "--store", store).stdout.splitlines()]


def test_a_worse_challenger_is_not_promoted_and_a_person_may_promote_it(
    six: list[Path], mapped: Path, tmp_path: Path
) -> None:
    store = copy_store(mapped, tmp_path / "store")
    before = content_of(store)
    run(store, tmp_path, GOOD, *six)
    assert items(store, "evaluations") == []
    (champion,) = items(store, "promotions")
    said = run(store, tmp_path, WORSE)
    (evaluation,) = items(store, "evaluations")
    assert evaluation["properties"]["landstream:verdict"] == "not better"
    assert evaluation["properties"]["landstream:champion"] == champion["properties"]["landstream:model"]
    assert items(store, "promotions") == [champion]
    assert content_of(store) == before, said
    assert " done " not in run(store, tmp_path, WORSE), "a loser is neither trained nor judged again"
    challenger = evaluation["properties"]["landstream:challenger"]
    landstream("model", "promote", challenger, "--reason", "to see it", "--store", store)
    run(store, tmp_path, WORSE)
    assert len(items(store, "evaluations")) == 1, "the champion of before had its turn"
    assert content_of(store) != before
    landstream("model", "rollback", "--reason", "it is worse", "--store", store)
    assert content_of(store) == before, "the maps of before are current again at once"
