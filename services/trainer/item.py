"""The STAC item of a model, with the Machine Learning Model extension, and its split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.names import architecture
from services.trainer.split import BLOCK_PX
from shared.area import Area
from shared.geo import TILE_10M_PX
from shared.items.classes import classes_of, classification
from shared.items.model_inputs import ModelInputs, describe_inputs, inputs_of_area
from shared.items.properties import ModelFacts
from shared.items.stac import CLASSIFICATION_EXTENSION, HTML, JSON, MLM_EXTENSION, TAR
from shared.items.weeks import span_properties
from shared.stage.declare import NewAsset, NewItem

Array = npt.NDArray[Any]


MODEL, CARD, SPLIT, APPLICABILITY = "model.tar", "card.html", "split.json", "applicability.json"
CURVES, TENSORBOARD = "curves.json", "tensorboard.tar"


def make_item(area: Area, facts: ModelFacts, parameters: int, folder: Path) -> NewItem:
    """Make the item of a model.

    Args:
        area: whose classes it maps.
        facts: what training told.
        parameters: number of weights.
        folder: where `MODEL`, `CARD`, `SPLIT`, `CURVES` and `TENSORBOARD` are, and `APPLICABILITY` where it is known.
    """
    properties = {
        **span_properties(facts.weeks[0], facts.weeks[-1]),
        **_describe_network(area, parameters, facts.determinism),
    }
    return NewItem(
        geometry=area.aoi,
        bbox=area.polygon.bounds,
        properties=properties | facts.properties(),
        assets={
            "model": model_asset(folder / MODEL, inputs_of_area(area, area.training)),
            "card": NewAsset(folder / CARD, HTML, ("metadata", "overview"), "Model card"),
            "split": NewAsset(folder / SPLIT, JSON, ("metadata",), "Blocks of training and tests"),
            "curves": NewAsset(folder / CURVES, JSON, ("metadata",), "Losses and learning rates of each epoch"),
            "tensorboard": NewAsset(
                folder / TENSORBOARD, TAR, ("metadata",), "The curves as TensorBoard's event files"
            ),
            **_applicability_asset(folder / APPLICABILITY),
        },
        extensions=(MLM_EXTENSION, CLASSIFICATION_EXTENSION),
    )


def _applicability_asset(path: Path) -> dict[str, NewAsset]:
    """Return the asset that maps tell from where the model applies; none where nobody knows."""
    title = "Training points and threshold of the area of applicability"
    return {"applicability": NewAsset(path, JSON, ("metadata",), title)} if path.exists() else {}


def model_asset(archive: Path, inputs: ModelInputs | None = None) -> NewAsset:
    """Return the asset of a model's archive; it reads the bands of 10 and 20 m by default."""
    fields = {
        "mlm:artifact_type": "tf.keras.Model.export",
        "bands": [{"name": n} for bands in (inputs or ModelInputs()).bands.values() for n in bands],
    }
    title = "TensorFlow SavedModel, one folder in an uncompressed tar"
    return NewAsset(archive, TAR, ("mlm:model",), title, fields)


def class_names(area: Area) -> dict[str, dict[str, str]]:
    """Return raster value -> code and name of a class."""
    return {str(v): {"code": c.code, "name": c.name} for v, c in area.labels.values.items()}


def write_split(area: Area, holdout: Array, fold: Array | None = None) -> str:
    """Write the split as JSON text: a line of digits for each row of blocks.

    Args:
        area: its grid says where the blocks lie.
        holdout: uint8 (block row, block col).
        fold: uint8 (block row, block col); None = a hold-out, which has no folds.
    """

    def lines(blocks: Array) -> list[str]:
        return ["".join("0123456789a"[value] for value in row) for row in blocks.tolist()]

    split: dict[str, Any] = {
        "block_px": BLOCK_PX,
        "pixel_m": 10,
        "epsg": area.grid.epsg,
        "origin_m": [area.grid.origin_x_m, area.grid.origin_y_m],
        "legend": {"holdout": "0 unlabelled, 1 train, 2 hold-out"},
        "holdout": lines(holdout),
    }
    if fold is not None:
        split["buffer_px"] = area.training.buffer_px
        split["legend"]["fold"] = "0 unlabelled or no folds, else the fold that tests the block; a = 10"
        split["fold"] = lines(fold)
    return json.dumps(split, indent=1) + "\n"


def read_blocks(path: Path) -> Array:
    """Return the hold-out that `write_split` wrote: uint8 (block row, block col)."""
    lines = json.loads(path.read_text(encoding="utf-8"))["holdout"]
    return np.array([[int(sign) for sign in line] for line in lines], np.uint8)


def _describe_network(area: Area, parameters: int, determinism: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `mlm:` properties of the networks."""
    return {
        "mlm:name": f"landstream-{area.name}".rstrip("-"),  # the schema wants a letter first, a letter or digit last
        "mlm:architecture": architecture(area.training),
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "TensorFlow",
        "mlm:framework_version": str(determinism["tensorflow"]),
        "mlm:total_parameters": parameters,
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:batch_size_suggestion": 8,
        "mlm:accelerator_constrained": False,
        **describe_signature(area, inputs_of_area(area, area.training)),
        "mlm:hyperparameters": area.training.model_dump(mode="json"),
    }


def describe_signature(area: Area, inputs: ModelInputs | None = None) -> dict[str, Any]:
    """Return `mlm:input`, by default the bands of 10 and 20 m, and `mlm:output` of a model that maps the area."""
    inputs = inputs or ModelInputs()
    classes = classification(classes_of(area.labels))
    raster = {
        "shape": [-1, TILE_10M_PX, TILE_10M_PX],
        "dim_order": ["batch", "height", "width"],
        "data_type": "uint8",
    }
    return {
        "mlm:input": describe_inputs(inputs),
        "mlm:output": [
            {
                "name": "class",
                "tasks": ["semantic-segmentation"],
                "result": raster,
                "classification:classes": classes,
            },
            {
                "name": "confidence",
                "tasks": ["semantic-segmentation"],
                "description": "percent; 0 where not observed",
                "result": raster,
            },
        ],
    }
