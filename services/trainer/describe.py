"""Describe a model in STAC's Machine Learning Model extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.area import Area

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
BANDS_10M = ("B02", "B03", "B04", "B08")
BANDS_20M = ("B05", "B06", "B07", "B8A", "B11", "B12")


def describe(area: Area, parameters: int, determinism: Mapping[str, Any]) -> dict[str, Any]:
    """The `mlm:` properties of a model's item.

    Args:
        area: whose classes it maps.
        parameters: number of weights.
        determinism: what was pinned, as recorded.
    """
    classes = [
        {"value": value, "name": c.code, "title": c.name, "description": c.name, "color_hint": c.color[1:].upper()}
        for value, c in area.labels.values.items()
    ]
    return {
        "bands": [{"name": name} for name in BANDS_10M + BANDS_20M],
        "mlm:name": f"landstream-{area.name}".rstrip("-"),  # the schema wants a letter first, a letter or digit last
        "mlm:architecture": "U-Net",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "TensorFlow",
        "mlm:framework_version": str(determinism["tensorflow"]),
        "mlm:total_parameters": parameters,
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:batch_size_suggestion": 8,
        "mlm:accelerator_constrained": False,
        "mlm:input": [_input("msi_10m", BANDS_10M, 256), _input("msi_20m", BANDS_20M, 128)],
        "mlm:output": [
            {
                "name": "class",
                "tasks": ["semantic-segmentation"],
                "result": {"shape": [-1, 256, 256], "dim_order": ["batch", "height", "width"], "data_type": "uint8"},
                "classification:classes": classes,
            },
            {
                "name": "confidence",
                "tasks": ["semantic-segmentation"],
                "description": "percent; 0 where not observed",
                "result": {"shape": [-1, 256, 256], "dim_order": ["batch", "height", "width"], "data_type": "uint8"},
            },
        ],
        "mlm:hyperparameters": area.policy.training.model_dump(mode="json"),
    }


def _input(name: str, bands: tuple[str, ...], side: int) -> dict[str, Any]:
    return {
        "name": name,
        "bands": list(bands),
        "input": {
            "shape": [-1, side, side, len(bands)],
            "dim_order": ["batch", "height", "width", "bands"],
            "data_type": "uint16",
        },
        "description": "stored value: reflectance x 10000 + 1000; 0 = not observed",
        "pre_processing_function": None,
    }
