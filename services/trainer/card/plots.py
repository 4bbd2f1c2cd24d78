"""Plots of a model's card as inline SVG: they take their colours from the page, so light, dark and paper suit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

ROW_PX: Final = 34
LABELS_PX: Final = 165
PLOT_PX: Final = 240
"""Width of a plot; with its labels it is read at 360 px, too, smaller."""

SIDE_PX: Final = 300
TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LINES: Final = 4
"""Kinds of line that the page's style tells apart."""


class Row(NamedTuple):
    """A score of a method.

    Attributes:
        name: of the method.
        value: 0..1.
        interval: [low, high], or nothing where it is not known.
        kind: `model` or `other`.
    """

    name: str
    value: float
    interval: Sequence[float]
    kind: str


def plot_intervals(rows: Sequence[Row], title: str) -> str:
    """Draw a point for each method, with the interval around it."""
    height = ROW_PX * len(rows) + 30
    parts = _axis(LABELS_PX, PLOT_PX, height - 22)
    for number, row in enumerate(rows):
        y = ROW_PX * number + ROW_PX // 2
        parts.append(f'<text x="0" y="{y + 4}">{escape(row.name)}</text>')
        if row.interval:
            low, high = (_at(LABELS_PX, PLOT_PX, v) for v in row.interval)
            parts.append(f'<path class="{row.kind}" stroke-width="3" d="M{low} {y}H{high}"/>')
        x = _at(LABELS_PX, PLOT_PX, row.value)
        parts.append(f'<circle class="{row.kind}" cx="{x}" cy="{y}" r="5"/>')
        parts.append(f'<text class="soft" x="{LABELS_PX + PLOT_PX + 8}" y="{y + 4}">{row.value:.3f}</text>')
    return _svg(LABELS_PX + PLOT_PX + 50, height, title, parts)


def plot_reliability(bins: Sequence[Mapping[str, Any]], title: str) -> str:
    """Draw accuracy over confidence, a point for each bin that holds pixels, as large as its share of them."""
    left, top = 44, 10
    total = max(sum(b["pixels"] for b in bins), 1)
    parts = []
    for tick in TICKS:
        x, y = _at(left, SIDE_PX, tick), _at(top, SIDE_PX, 1 - tick)
        parts.append(f'<path class="grid" d="M{x} {top}V{top + SIDE_PX}M{left} {y}H{left + SIDE_PX}"/>')
        parts.append(f'<text class="soft" x="{x}" y="{top + SIDE_PX + 17}" text-anchor="middle">{tick:.1f}</text>')
        parts.append(f'<text class="soft" x="{left - 7}" y="{y + 4}" text-anchor="end">{tick:.1f}</text>')
    parts.append(f'<path class="diagonal" d="M{left} {top + SIDE_PX}L{left + SIDE_PX} {top}"/>')
    held = [b for b in bins if b["pixels"]]
    points = [
        (_at(left, SIDE_PX, b["confidence"]), _at(top, SIDE_PX, 1 - b["accuracy"]), b["pixels"] / total) for b in held
    ]
    path = "L".join(f"{x} {y}" for x, y, _ in points)
    if path:
        parts.append(f'<path class="line line0" d="M{path}"/>')
    parts += [f'<circle class="model" cx="{x}" cy="{y}" r="{3 + 9 * share**0.5:.1f}"/>' for x, y, share in points]
    middle, bottom = left + SIDE_PX // 2, top + SIDE_PX + 36
    parts.append(f'<text class="soft" x="{middle}" y="{bottom}" text-anchor="middle">confidence</text>')
    turned = f"rotate(-90 11 {top + SIDE_PX // 2})"
    parts.append(
        f'<text class="soft" x="11" y="{top + SIDE_PX // 2}" text-anchor="middle" transform="{turned}">accuracy</text>'
    )
    return _svg(left + SIDE_PX + 14, top + SIDE_PX + 42, title, parts)


def plot_losses(losses: Mapping[str, Sequence[float]], title: str) -> str:
    """Draw a line for each network: mean loss over epochs."""
    left, top, width, height = 44, 10, 460, 180
    most = max((v for values in losses.values() for v in values), default=1.0) or 1.0
    epochs = max((len(values) for values in losses.values()), default=1)
    parts = []
    for tick in (0.0, 0.5, 1.0):
        y = _at(top, height, 1 - tick)
        parts.append(f'<path class="grid" d="M{left} {y}H{left + width}"/>')
        parts.append(f'<text class="soft" x="{left - 6}" y="{y + 4}" text-anchor="end">{most * tick:.2f}</text>')
    for number, (name, values) in enumerate(losses.items()):
        style = number % LINES
        points = [
            (_at(left, width, i / max(epochs - 1, 1)), _at(top, height, 1 - value / most))
            for i, value in enumerate(values)
        ]
        if not points:
            continue
        if len(points) == 1:
            parts.append(f'<circle class="line line{style}" cx="{points[0][0]}" cy="{points[0][1]}" r="3"/>')
        parts.append(f'<path class="line line{style}" d="M{"L".join(f"{x} {y}" for x, y in points)}"/>')
        x = left + 120 * number
        parts.append(f'<text class="text{style}" x="{x}" y="{top + height + 44}">— {escape(name)}</text>')
    for number, anchor in ((1, "start"), (epochs, "end")):
        x = left if number == 1 else left + width
        parts.append(f'<text class="soft" x="{x}" y="{top + height + 18}" text-anchor="{anchor}">epoch {number}</text>')
    return _svg(left + width + 14, top + height + 52, title, parts)


def bar(value: float, ticks: Sequence[float] = ()) -> str:
    """Draw a share as a bar of a table's cell, and others as ticks across it."""
    parts = [
        '<rect class="rail" width="110" height="8" y="4"/>',
        f'<rect class="model" width="{110 * value:.1f}" height="8" y="4" stroke-width="0"/>',
        *(f'<path class="tick" d="M{110 * tick:.1f} 1V15"/>' for tick in ticks),
    ]
    return f'<svg class="bar" width="110" height="16" viewBox="0 0 110 16" aria-hidden="true">{"".join(parts)}</svg>'


def _axis(left: int, width: int, bottom: int) -> list[str]:
    parts = []
    for tick in TICKS:
        x = _at(left, width, tick)
        parts.append(f'<path class="grid" d="M{x} 0V{bottom}"/>')
        parts.append(f'<text class="soft" x="{x}" y="{bottom + 17}" text-anchor="middle">{tick:.1f}</text>')
    return parts


def _at(start: int, length: int, share: float) -> float:
    return round(start + length * share, 1)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
