"""Pictures of a model's card as PNG in the page: held-out blocks, the split, and where the map errs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.image import imsave

from services.trainer.examples import Example
from shared.raster.render import enlarge, hatch_unseen, render_classes, render_true_colour

SCALE: Final = 2
"""Side of an example's pixel."""

MOST_PX: Final = 512
"""Side that a small plan is enlarged to at most: print shops smooth what is small."""

SPLIT_COLORS: Final = {"unlabelled": "#9aa0a6", "train": "#6f9fd8", "hold-out": "#e8903a"}
"""Of a block, by its value in the split: 0, 1, 2."""

ERROR_STEPS: Final = (
    (0.05, "#fde0c5", "under 5 %"),
    (0.10, "#f5b27a", "5 to 10 %"),
    (0.20, "#e8833a", "10 to 20 %"),
    (0.40, "#c2571a", "20 to 40 %"),
    (1.01, "#6b2407", "40 % and more"),
)
"""(share of wrong pixels below, colour, words)."""

UNTESTED: Final = "#9aa0a65a"
"""Blocks that are labelled and not tested: grey, seen through."""

NAMELESS: Final[dict[str, Any]] = {"Software": None}
"""Without this field a picture holds no version of the plotting library: the same figures, the same bytes."""

Array = npt.NDArray[Any]


def draw_split(holdout: Array) -> str:
    """Draw the split: uint8 (block row, block col), 0 unlabelled, 1 train, 2 hold-out."""
    table = np.array([(*_rgb(color), 255 if i else 70) for i, color in enumerate(SPLIT_COLORS.values())], np.uint8)
    return _image(_blown_up(table[holdout]), "Blocks of training and of the hold-out", "plan")


def draw_errors(wrong: Array, holdout: Array) -> str:
    """Draw the share of wrong pixels, float64 (block row, block col), NaN where none is tested, over the split."""
    picture = np.zeros((*wrong.shape, 4), np.uint8)
    picture[holdout > 0] = tuple(bytes.fromhex(UNTESTED[1:]))
    step = np.searchsorted([below for below, _, _ in ERROR_STEPS], np.nan_to_num(wrong), side="right")
    table = np.array([(*_rgb(color), 255) for _, color, _ in ERROR_STEPS], np.uint8)
    tested = np.isfinite(wrong)
    picture[tested] = table[step[tested]]
    return _image(_blown_up(picture), "Share of wrong pixels of each held-out block", "plan")


def draw_example(example: Example, colors: Mapping[int, str]) -> tuple[str, str, str]:
    """Draw a block: true colour, reference, map."""
    fine, labels, mapped = (enlarge(a, SCALE) for a in (example.fine, example.labels, example.mapped))
    drawn = {
        "true colour": hatch_unseen(render_true_colour(fine)),
        "reference": render_classes(labels, colors),
        "map": render_classes(mapped, colors),
    }
    true_colour, reference, shown = (_image(picture, name) for name, picture in drawn.items())
    return true_colour, reference, shown


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def _blown_up(picture: Array) -> Array:
    return enlarge(picture, max(1, MOST_PX // max(picture.shape[:2])))


def _image(picture: Array, text: str, kind: str = "") -> str:
    """Write uint8 (y, x, 3 or 4) as an element with its bytes in it."""
    buffer = io.BytesIO()
    imsave(buffer, picture, format="png", metadata=NAMELESS)
    data = base64.b64encode(buffer.getvalue()).decode()
    name = f' class="{kind}"' if kind else ""
    return f'<img{name} alt="{escape(text)}" src="data:image/png;base64,{data}">'
