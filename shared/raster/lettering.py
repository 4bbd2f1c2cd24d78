"""Letters on pictures: one font on every machine, and what stands for a name that it cannot write."""

from __future__ import annotations

from functools import cache
from typing import Final

from matplotlib.font_manager import FontProperties, findfont, get_font

FONT: Final = "DejaVu Sans"
"""Comes with matplotlib: the same picture on every machine. It has no Chinese, Japanese or Korean signs."""


@cache
def _charmap() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def drawable(text: str) -> bool:
    """Return whether the font has a sign for each character."""
    return all(ord(c) in _charmap() for c in text if not c.isspace())


def class_label(name: str, code: str) -> str:
    """Return a class's name, or its code where the font cannot write the name."""
    return name if drawable(name) else f"class {code}"
