"""Score maps against references: a confusion matrix and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def confuse(reference: Array, mapped: Array, classes: int) -> Array:
    """Confusion matrix of the pixels that have both a reference and a map value.

    Args:
        reference: uint8, any shape: 0 = no reference, 1..classes.
        mapped: uint8, the same shape: 0 = not mapped, 1..classes.
        classes: number of classes.

    Returns:
        int64 (classes, classes): rows reference, columns map.
    """
    both = (reference > 0) & (mapped > 0)
    pair = (reference[both].astype(np.int64) - 1) * classes + (mapped[both].astype(np.int64) - 1)
    return np.bincount(pair, minlength=classes * classes).reshape(classes, classes)


def measure(confusion: Array) -> dict[str, Any]:
    """Measures of a confusion matrix; means run over the classes present in the reference.

    Args:
        confusion: int64 (classes, classes): rows reference, columns map.

    Returns:
        accuracy, miou, f1_macro, precision_macro, recall_macro, majority_accuracy, pixels, and `per_class`: value ->
        precision, recall, f1, iou (each 0 where it would be 0 / 0) and support. All 0 if there are no pixels.
    """
    hit = np.diag(confusion).astype(np.float64)
    reference, mapped = confusion.sum(axis=1), confusion.sum(axis=0)
    pixels = int(reference.sum())
    precision = _ratio(hit, mapped)
    recall = _ratio(hit, reference)
    iou = _ratio(hit, reference + mapped - hit)
    f1 = _ratio(2 * hit, reference + mapped)
    present = reference > 0

    def mean(values: Array) -> float:
        return round(float(values[present].mean()), 6) if present.any() else 0.0

    return {
        "accuracy": round(float(hit.sum() / pixels), 6) if pixels else 0.0,
        "miou": mean(iou),
        "f1_macro": mean(f1),
        "precision_macro": mean(precision),
        "recall_macro": mean(recall),
        "majority_accuracy": round(float(reference.max() / pixels), 6) if pixels else 0.0,
        "per_class": {
            str(i + 1): {
                "precision": round(float(precision[i]), 6),
                "recall": round(float(recall[i]), 6),
                "f1": round(float(f1[i]), 6),
                "iou": round(float(iou[i]), 6),
                "support": int(reference[i]),
            }
            for i in range(len(hit))
        },
        "pixels": pixels,
    }


def _ratio(above: Array, below: Array) -> Array:
    result: Array = np.divide(above, below, out=np.zeros(len(above)), where=np.asarray(below) > 0)
    return result
