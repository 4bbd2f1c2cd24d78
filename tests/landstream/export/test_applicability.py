"""Where models apply, over a mosaic: as their maps' own layers, clipped; and models that do not know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landstream.export.applicability import Applies, NotKnown, applicability_of, dissimilarity_strips
from landstream.export.mosaic import Mosaic
from services.inference.applicability import map_dissimilarity
from services.inference.item import extent_of
from shared.area import load_area
from shared.items.item import Item
from shared.items.model_inputs import ModelInputs
from shared.items.properties import MapFacts
from shared.raster.applicability import PREDICTORS, Applicability, write_applicability
from shared.store import FolderStore
from tests.catalogues import catalogue_of, make
from tests.conftest import AREAS
from tests.services.trainer.fake_cube import FakeCube

AREA = load_area(AREAS / "small.yaml")
CUBE = FakeCube(AREA)
WEEK = "2018-W25"
MODEL = make("models", "small", week="static")


def blue_only(level: int) -> Applicability:
    """Where a model applies that learned from one level of the blue band."""
    points = np.full((2, len(PREDICTORS)), level, np.int64)
    ones = np.ones(len(PREDICTORS))
    return Applicability(ones * level, ones, ones * (np.arange(len(PREDICTORS)) == 0), points, 1.0, 500.0)


def map_of(model: Item) -> Item:
    facts = MapFacts(sheet=(0, 0), ledger="", model=model.id, observed_percent=0, classes={}, attribution="")
    said = {name.removeprefix("landstream:"): value for name, value in facts.properties().items()}
    return make("land-cover-maps", "small_x", week=WEEK, **said)


@pytest.mark.parametrize("history", [0, 5])
def test_a_mosaic_is_the_layer_of_its_sheets_clipped(history: int) -> None:
    mosaic, known = Mosaic(AREA), {MODEL.id: Applies(blue_only(3000), ModelInputs(history_weeks=history))}
    strips = list(dissimilarity_strips(mosaic, [map_of(MODEL)], CUBE, known))
    found = np.concatenate([strip.values for strip in strips])
    assert found.shape == mosaic.lattice.shape
    weeks = known[MODEL.id].inputs.weeks_of(WEEK)
    observed = np.ones((4, 4), bool)
    whole = map_dissimilarity(CUBE, weeks, extent_of((0, 0), AREA.grid), observed, known[MODEL.id].area)
    inside = np.concatenate([mosaic.inside(strip) for strip in mosaic.strips()])
    expected = whole.repeat(4, axis=0).repeat(4, axis=1)[mosaic.extent.slices]
    assert (found == np.where(inside, expected, 255)).all()
    assert len(np.unique(found)) > 50
    seen = (CUBE.msi_10m[WEEK] > 0).all(axis=-1)[mosaic.extent.slices]
    assert (found[inside & ~seen] == 255).all() != (history > 0), "an earlier week tells of what this one did not see"


def test_models_that_do_not_know_where_they_apply_are_named(tmp_path: Path) -> None:
    store, maps = FolderStore(tmp_path), [map_of(MODEL)]
    with pytest.raises(NotKnown, match=f"{MODEL.id}: does not know where it applies"):
        applicability_of(catalogue_of([MODEL, *maps]), maps, store)
    key = f"artifacts/models/static/{MODEL.id}/applicability-01.json"
    model = Item({**MODEL.json, "assets": {"applicability": {"href": f"../../../{key}"}}}, "static")
    store.put(key, write_applicability(blue_only(3000)))
    assert applicability_of(catalogue_of([model, *maps]), maps, store)[model.id].area.threshold == 500
    store.put(key, b"{}")
    with pytest.raises(NotKnown, match="not an area of applicability"):
        applicability_of(catalogue_of([model, *maps]), maps, store)
