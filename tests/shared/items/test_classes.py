"""Classes of rasters: names that the classification extension allows."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.area.scheme import preset
from shared.items.classes import MASK_CLASSES, NOT_OBSERVED, PixelClass, classes_of, classification


def test_classes_of_a_scheme() -> None:
    scheme = preset("clc-level1")
    zero, first, *rest = classification(classes_of(scheme, NOT_OBSERVED))
    assert zero == {"value": 0, "name": "not-observed", "title": "Not observed", "nodata": True}
    assert first == {"value": 1, "name": "1", "title": "Artificial surfaces", "color_hint": "E6004D"}
    assert len(rest) == len(scheme.classes) - 1
    assert [c.value for c in classes_of(scheme)] == list(scheme.values)


def test_classes_of_a_mask() -> None:
    found = classification(MASK_CLASSES)
    assert [(c["value"], c["name"]) for c in found] == [
        (0, "nodata"), (1, "clear"), (2, "cloud"), (3, "cloud-shadow"), (4, "snow-or-ice"),
    ]  # fmt: skip


@given(st.text(min_size=1))
def test_names_are_of_the_extensions_letters(code: str) -> None:
    assert re.fullmatch("[a-z0-9_-]+", PixelClass(1, "title", "#a0b1c2", code).name)
