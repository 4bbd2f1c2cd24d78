"""What people bring becomes a model of the store, or a refusal that says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
Found = dict[str, Any]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which models were imported, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("imports")
    command = [sys.executable, "-W", "error", "-m", "tests.services.trainer.imports.import_once", str(folder)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def found(imported: Path) -> Found:
    """What became of each model."""
    read: Found = json.loads((imported / "found.json").read_text())
    return read


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("python", "the operation EagerPyFunc"),
        ("loop", "the operation StatelessWhile"),
        ("learning", "the operation AssignAddVariableOp"),
        ("classes", "probabilities of serving_default is uint8 (3, 64, 64, 4)"),
        ("everywhere", "serving_default answers where nothing was observed"),
        ("left out", "class of serving_default holds [0, 1] where the ground was observed"),
        ("large", "serving_default fails on windows of 192 px: "),
        ("other", "is not the archive that its item names"),
    ],
)
def test_a_refusal_names_the_archive_what_is_wrong_and_what_to_do(found: Found, name: str, fault: str) -> None:
    refused = found["found"][name]
    assert refused["file"] == f"{name}--v1-00000000/model.tar"
    assert refused["fault"].startswith(fault)
    assert refused["remedy"].endswith("import it again") or refused["remedy"] == "import the model again"


def test_it_is_scored_on_every_labelled_pixel_of_the_hold_out(found: Found) -> None:
    """The model that says the first class everywhere is right as often as that class was dealt, in both weeks."""
    properties = found["found"]["first"]["properties"]
    metrics = properties["landstream:metrics"]
    support = {value: row["support"] for value, row in metrics["per_class"].items()}
    assert support == {str(value): 2 * pixels for value, pixels in enumerate(found["pixels"], start=1)}
    assert metrics["accuracy"] == pytest.approx(found["pixels"][0] / sum(found["pixels"]), abs=1e-6)
    assert metrics["per_class"]["1"]["name"] == "Artificial surfaces"
    assert metrics["interval_95"]["accuracy"][0] < metrics["accuracy"] < metrics["interval_95"]["accuracy"][1]
    assert properties["landstream:hold_out"] == "clc-1--v1-00000001"
    assert properties["landstream:weeks"] == ["2018-W20", "2018-W25"]


def test_its_item_says_what_is_known_and_no_more(found: Found) -> None:
    model = found["found"]["rich"]
    properties = model["properties"]
    assert model["assets"] == {"model": "model.tar", "card": "card.html"}, "nobody knows its split"
    assert not {"landstream:training", "landstream:cube_state"} & properties.keys()
    assert (properties["mlm:name"], properties["title"]) == ("one-by-one", "a <title>")
    assert properties["mlm:total_parameters"] > 1000
    assert found["found"]["first"]["properties"]["mlm:total_parameters"] == 0
    assert properties["landstream:folds"]["count"] == 0
    digests = {found["found"][n]["properties"][f"landstream:{d}"] for n in ("rich", "first") for d in DIGESTS}
    assert len(digests) == 4


DIGESTS = ("weights_sha256", "probe_sha256")


def test_its_card_says_that_nobody_knows_what_it_has_seen(imported: Path) -> None:
    card = (imported / "rich" / "work" / "card.html").read_text()
    assert "Whether it has seen the hold-out is not known" in card
    assert "a &lt;title&gt;" in card
    assert "1 x 1 &lt;convolution&gt;" in card
    assert "<title>a" not in card
    assert "European Environment Agency" in card


def test_what_is_published_is_what_was_brought(imported: Path) -> None:
    brought, published = imported / "rich" / "model.tar", imported / "rich" / "work" / "model.tar"
    assert published.read_bytes() == brought.read_bytes()
    with tarfile.open(published, "r:") as archive:
        assert "saved_model.pb" in archive.getnames()
    assert sorted(p.name for p in published.parent.iterdir()) == ["card.html", "model.tar"], "no scratch is left"
