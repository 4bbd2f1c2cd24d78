"""The layer of the area of applicability: which pixels are unlike what the model learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.inference.applicability import load_applicability, map_dissimilarity, split_by_applicability
from services.inference.item import extent_of
from shared.area import load_area
from shared.items.item import Item
from shared.raster.applicability import PREDICTORS, Applicability, cell_predictors, write_applicability
from shared.raster.grid import Window
from shared.stage import LocalItem, RejectScene
from tests.services.inference.conftest import ROOT
from tests.services.trainer.fake_cube import FakeCube, cut

AREA = load_area(ROOT / "examples" / "areas" / "small.yaml")
CUBE = FakeCube(AREA)
WEEK = "2018-W25"


def learned_from(kinds: tuple[int, ...]) -> Applicability:
    """What a model learned from that saw patches of some classes alone, in the first week."""
    week = CUBE.weeks()[0]
    whole = [cut(bands[week], -n, -n, len(bands[week]) + 2 * n, len(bands[week]) + 2 * n) for bands, n in BANDS]
    predictors, _ = cell_predictors(*whole)
    patches = CUBE.truth.reshape(256, 4, 256, 4)[:, 0, :, 0]
    points = np.rint(predictors[np.isin(patches, kinds)][::40]).astype(np.int64)
    deviation = np.maximum(points.std(axis=0), 1.0)
    return Applicability(points.mean(axis=0), deviation, np.ones(len(PREDICTORS)), points, 1.0, 4.0)


BANDS = ((CUBE.msi_10m, 4), (CUBE.msi_20m, 2))
EXTENT = extent_of((0, 0), AREA.grid)


def test_patches_of_a_class_that_was_never_seen_lie_outside() -> None:
    layer = map_dissimilarity(CUBE, [WEEK], EXTENT, CUBE.observed(WEEK), learned_from((1, 2, 3)))
    seen = (CUBE.msi_10m[WEEK] > 0).all(axis=-1).reshape(256, 4, 256, 4).any(axis=(1, 3))
    assert layer.shape == (256, 256)
    assert ((layer != 255) == seen).all()
    known = np.isin(CUBE.truth, (1, 2, 3)).reshape(256, 4, 256, 4)[:, 0, :, 0]
    assert (layer[known & seen] <= 100).mean() > 0.8
    assert (layer[~known & seen] <= 100).mean() < 0.2


def test_two_sheets_agree_along_their_border() -> None:
    applicability = learned_from((1, 2, 3, 4, 5))
    whole = map_dissimilarity(CUBE, [WEEK], EXTENT, CUBE.observed(WEEK), applicability)
    part = map_dissimilarity(CUBE, [WEEK], Window(256, 512, 512, 256), CUBE.observed(WEEK), applicability)
    assert (part == whole[64:192, 128:192]).all()


def test_rows_that_were_not_observed_are_not_read() -> None:
    observed = np.zeros((4, 4), bool)
    observed[2, 1] = True
    layer = map_dissimilarity(CUBE, [WEEK], EXTENT, observed, learned_from((1,)))
    assert (layer[:128] == 255).all()
    assert (layer[128:192] != 255).any()
    assert (layer[192:] == 255).all()


def test_pixels_inside_and_outside() -> None:
    values = np.full((8, 8), 3, np.uint8)
    values[0, 0] = 0
    split = split_by_applicability(values, np.array([[100, 101], [255, 0]], np.uint8))
    assert split[::4, ::4].tolist() == [[0, 2], [2, 1]]
    assert split[:4, :4].sum() == 15


def test_another_file_is_refused(tmp_path: Path) -> None:
    model = Item({"id": "small--v1-0000000a", "collection": "models", "properties": {}, "assets": {}}, "static")
    (tmp_path / "a.json").write_bytes(write_applicability(learned_from((1,)))[:-9])
    with pytest.raises(RejectScene, match=r"small--v1-0000000a: not an area of applicability.*reprocess trainer"):
        load_applicability(LocalItem(model, {"applicability": tmp_path / "a.json"}), "applicability")
