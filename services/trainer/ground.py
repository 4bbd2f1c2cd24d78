"""Which pixels networks learn from, which tell the loss of validation, and which lie near a label edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter

from services.trainer.windows import Windows
from shared.area.training import TrainingSettings
from shared.stage.declare import RejectScene

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Ground:
    """The labelled pixels of windows, by what they are for.

    Attributes:
        targets: uint8 (n, y, x), labels that carry loss; 0 = none.
        validation: uint8 (n, y, x), labels of the validation blocks; 0 = not one of theirs. None where there are none.
        near: bool (n, y, x), pixels near a label edge that count less; None where all count alike.
    """

    targets: Array
    validation: Array | None = None
    near: Array | None = None


def ground_of(
    windows: Windows, tested: Array, kept_back: Array, settings: TrainingSettings, shared: Array | None = None
) -> Ground:
    """Tell the pixels of windows apart for a network that is tested on some blocks.

    Args:
        windows: n windows.
        tested: bool (block row, block col).
        kept_back: bool (block row, block col): blocks of validation; those that are tested are none.
        settings: the buffer, how near an edge is, and what its pixels count.
        shared: bool (n, y, x): pixels of polygons that reach into tested blocks; None = they may be learned from.
    """
    kept_back = kept_back & ~tested
    targets = windows.targets(tested | kept_back, settings.buffer_px)
    if shared is not None:
        targets[shared] = 0
    validation = _inside(windows, kept_back) if kept_back.any() else None
    near = None
    if settings.edge_px:
        near = near_edges(windows.labels, np.asarray((windows.msi_10m > 0).all(axis=-1)), settings.edge_px)
    if near is not None and not settings.edge_weight:
        targets[near] = 0
        if validation is not None:
            validation[near] = 0
        near = None
    if validation is not None:
        validation[~np.isin(validation, np.unique(targets))] = 0  # nobody learns a class without a training pixel
    return Ground(targets, validation, near)


def check_ground(ground: Ground, settings: TrainingSettings) -> None:
    """Refuse ground that nothing can be learned from.

    Raises:
        RejectScene: no pixel carries loss, or none tells the loss of validation.
    """
    if not ground.targets.any():
        if settings.edge_px:
            raise RejectScene(
                "training.edge_px",
                f"no labelled pixel is observed further than {settings.edge_px} px from a label edge",
                "lower `edge_px`",
            )
        if settings.split == "polygons":
            raise RejectScene(
                "training.split", "each polygon reaches into a tested block: nothing is left", "set `split: blocks`"
            )
        raise RejectScene("labels", "no labelled pixel is observed", "it is trained once data covers the labels")
    if settings.validation_percent and not tells_validation(ground):
        raise RejectScene(
            "training.validation_percent",
            "no labelled pixel of a validation block is observed",
            "raise `validation_percent`, or leave it out with what needs it",
        )


def tells_validation(ground: Ground) -> bool:
    """Return whether a pixel tells the loss of validation."""
    return ground.validation is not None and bool(ground.validation.any())


def _inside(windows: Windows, blocks: Array) -> Array:
    """Labels of the windows' blocks themselves, where they are among `blocks`: uint8 (n, y, x), 0 elsewhere."""
    labels = np.zeros_like(windows.labels)
    chosen = np.array([blocks[place.row, place.col] for place in windows.places], bool)
    windows.inner(labels)[chosen] = windows.inner(windows.labels)[chosen]
    return labels


def near_edges(labels: Array, observed: Array, edge_px: int) -> Array:
    """Find pixels with another label, or none, within a square of edge_px to each side.

    Args:
        labels: uint8 (n, y, x): 0 = unlabelled or not observed.
        observed: bool (n, y, x); where a pixel is not, nothing is known of its label: a cloud has no label edge.
        edge_px: half of the square's side less its middle.

    Returns:
        bool (n, y, x); what lies outside of a window counts as what is at its rim.
    """
    side = 2 * edge_px + 1
    lowest, highest = np.where(observed, labels, 255), np.where(observed, labels, 0)
    near = np.empty(labels.shape, bool)
    for i in range(len(labels)):  # one at a time: the filters' copies of all would not fit beside the windows
        near[i] = minimum_filter(lowest[i], side, mode="nearest") != maximum_filter(highest[i], side, mode="nearest")
    return near & observed
