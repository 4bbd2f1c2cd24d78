"""A served model is scored where labels lie: each pixel once a week, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from landstream.evaluate.score import in_blocks, report, score
from services.inference.predict import Inputs
from shared.items.model_inputs import ModelInputs
from tests.catalogues import AREA
from tests.services.trainer.fake_cube import FakeCube

CUBE = FakeCube(AREA)
CLASSES = len(AREA.labels.classes)
SAID = 2


class SaysOne:
    """A model that calls all that was observed by one class."""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, windows: Iterable[Inputs]) -> Iterator[np.ndarray]:
        for fine in (window["msi_10m"] for window in windows):
            self.asked += 1
            shares = np.zeros((*fine.shape[:2], CLASSES), np.uint8)
            shares[..., SAID - 1] = 255 * (fine > 0).all(axis=-1)
            yield shares


def rows(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for row in range(CUBE.grid.rows):
        strip = labels[row * 256 : (row + 1) * 256]
        if strip.any():
            yield row, strip


def test_all_labelled_pixels_that_were_observed_count_once_a_week() -> None:
    found = score(CUBE, SaysOne(), rows(CUBE.given), CUBE.weeks(), ModelInputs(), CLASSES)
    said = report(found, AREA.labels)
    right = observed = 0
    for week in CUBE.weeks():
        labels = CUBE.given * (CUBE.msi_10m[week] > 0).all(axis=-1)
        observed, right = observed + int((labels > 0).sum()), right + int((labels == SAID).sum())
        assert said["by_week"][week]["pixels"] == int((labels > 0).sum())
    assert said["pixels"] == observed
    assert said["accuracy"] == pytest.approx(right / observed, abs=1e-6)
    assert said["per_class"][str(SAID)]["recall"] == 1
    assert said["interval_95"]["accuracy"][0] < said["accuracy"] < said["interval_95"]["accuracy"][1]
    assert said["blocks"] == len({(y // 128, x // 128) for y, x in np.argwhere(CUBE.given)})


def test_only_ground_with_labels_is_mapped() -> None:
    labels, few, all_ = np.zeros_like(CUBE.given), SaysOne(), SaysOne()
    labels[300, 700] = SAID
    found = score(CUBE, few, rows(labels), CUBE.weeks()[:1], ModelInputs(), CLASSES)
    score(CUBE, all_, rows(CUBE.given), CUBE.weeks()[:1], ModelInputs(), CLASSES)
    assert report(found, AREA.labels)["pixels"] == 1
    assert 0 < few.asked <= 9 < all_.asked, "the windows that overlap one tile"


def test_a_week_without_data_there_says_nothing() -> None:
    labels = np.zeros_like(CUBE.given)
    labels[5, 5] = SAID
    said = report(score(CUBE, SaysOne(), rows(labels), CUBE.weeks(), ModelInputs(), CLASSES), AREA.labels)
    assert list(said["by_week"]) == ["2018-W20"], "the corner has holes in later weeks"


def test_blocks_that_were_trained_on_are_known() -> None:
    inside = in_blocks(["01", "12", "11"], 0, 256)
    assert inside[:128, 128:].all()
    assert inside[128:, :128].all()
    assert inside.sum() == 2 * 128 * 128
    assert in_blocks(["01", "12", "11"], 1, 256)[:128].all()
    assert not in_blocks([], 0, 256).any()
