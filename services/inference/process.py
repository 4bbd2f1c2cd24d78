"""A sheet in a week becomes a map: predicted, written, drawn and described."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import numpy as np
from structlog import get_logger

from services.inference.connect import connect, embedded, load
from services.inference.current_map import APPLICABILITY, sheet_of_json
from services.inference.reads import held_ledger
from services.inference.stage import STAGE, InferenceSettings
from shared.geo.outline import project_polygon
from shared.items.classes import NOT_OBSERVED, classes_of
from shared.items.model_inputs import inputs_of_model
from shared.raster.grid import Lattice
from shared.stage.declare import NewItem, RetryLater, Task


def process(task: Task[InferenceSettings]) -> NewItem:
    """Predict and write the map of a sheet in a week.

    Raises:
        RetryLater: the cube does not hold yet what the map is planned of, or a given server not yet the model.
        RejectScene: the model's archive is not a plain SavedModel, or its area of applicability not one of ours.
    """
    from services.inference.applicability import load_applicability, map_dissimilarity, split_by_applicability
    from services.inference.blend import WINDOW_PX, map_extent
    from services.inference.item import PIXEL_M, QUICKLOOK, extent_of, facts_of, make_item, title_of
    from services.inference.picture import picture_of
    from services.inference.predict import WindowPredictor
    from services.inference.quicklook import thinning_of, write_quicklook
    from services.inference.true_colour import read_true_colour
    from services.inference.write import write_map
    from shared.cube.inputs import read_inputs
    from shared.raster.aoi import burn_aoi

    assert task.cube is not None
    area, cube, job = task.area, task.cube, task.job
    sheet = sheet_of_json(job.parameters["sheet"])
    inputs = inputs_of_model(task.inputs[0].item)
    held = held_ledger(sheet, job.week, inputs, cube)
    if held != job.parameters["ledger"]:
        raise RetryLater(f"the cube holds ledger {held} of sheet {sheet}, the map is of {job.parameters['ledger']}")
    extent, classes = extent_of(sheet, area.grid), len(area.labels.classes)
    with closing(connect(task)) as client:
        read = partial(read_inputs, cube, inputs, job.week, side=WINDOW_PX)
        predict = WindowPredictor(read, client, classes, bool(task.settings.serving_address)).predict
        observed = np.any([cube.observed(week) for week in inputs.weeks_of(job.week)], axis=0)
        overlap = task.settings.overlap_px
        values, confidence = map_extent(extent, observed, predict, classes, overlap, task.progress)
    lattice = Lattice.of_area(area.grid, PIXEL_M).window(extent)
    inside = burn_aoi(project_polygon(area.polygon, area.grid.crs), lattice)
    dissimilarity, applies = None, None
    if area.applicability and APPLICABILITY not in job.parameters:
        get_logger(stage=STAGE.name).warning("nobody knows where the model applies", model=task.inputs[0].item.id)
    if APPLICABILITY in job.parameters:
        applicability = load_applicability(task.inputs[0], APPLICABILITY)
        dissimilarity = map_dissimilarity(cube, inputs.weeks_of(job.week), extent, observed, applicability)
        applies = split_by_applicability(values, dissimilarity)
    facts = facts_of(area, job, task.inputs[0].item.id, values, inside, applies)
    write_map(
        task.folder,
        values,
        confidence,
        lattice,
        classes_of(area.labels, NOT_OBSERVED),
        title=title_of(area, job),
        attribution=facts.attribution,
        dissimilarity=dissimilarity,
    )
    colour = read_true_colour(cube, job.week, extent, observed, thinning_of(lattice.shape))
    write_quicklook(task.folder / QUICKLOOK, picture_of(area, job.week, facts, lattice, values, colour, applies))
    return make_item(area, job, facts, lattice, task.folder)


def warm_up() -> None:
    """Start the embedded server and load its client before the first map is due."""
    if not InferenceSettings().serving_address:
        embedded().start()
    load()
