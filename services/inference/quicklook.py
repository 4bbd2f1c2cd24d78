"""Draw a map for people: land cover and true colour side by side, the AOI, a scale bar, and hectares of each class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from shapely.geometry.base import BaseGeometry

from shared.items.totals import ClassTotal
from shared.raster.grid import Lattice
from shared.raster.lettering import FONT, class_label, drawable
from shared.raster.render import enlarge, hatch_unseen, render_classes

PANEL_PX = 700
"""Longest side of either picture: two of them side by side fit a screen."""

LEAST_WIDTH_PX = 860
MARGIN_PX, GAP_PX = 24, 20
COLUMN_PX, MOST_COLUMN_PX = 400, 560
"""Least and largest width of a column of the legend: a number far from its name is not found."""

KEY_PX = 38
"""Width of what stands before the text of a key."""

VEIL_PX, VEIL_LINE, VEIL_PERCENT = 6, 60, 45
"""Distance and grey of the lines of a veil, and what is left of the colours below it."""

DPI = 100
TITLE_PT, TEXT_PT, SMALL_PT = 14.0, 9.5, 7.5
INK, GREY = "#1a1a1a", "#555555"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Picture:
    """What a quicklook shows.

    Attributes:
        title: the place.
        lines: below it: when, how much.
        land_cover: uint8 (y, x), thinned; 0 = not observed.
        true_colour: uint8 (y, x, 3), thinned as the map is; 0 = not observed.
        colors: value -> `#rrggbb`.
        lattice: of the thinned pixels.
        aoi: in the lattice's CRS.
        legend: what its classes are, in this order.
        attribution: whose data and labels it is made of.
        outside: bool (y, x), thinned: mapped pixels outside the model's area of applicability; None = nobody knows.
        applies: what is said of that, where it is known.
    """

    title: str
    lines: Sequence[str]
    land_cover: Array
    true_colour: Array
    colors: Mapping[int, str]
    lattice: Lattice
    aoi: BaseGeometry
    legend: Sequence[ClassTotal]
    attribution: str
    outside: Array | None = None
    applies: str = ""


def thinning_of(shape: tuple[int, int]) -> int:
    """Return the side of the block of pixels that one pixel of the picture stands for."""
    return max(1, math.ceil(max(shape) / PANEL_PX))


def write_quicklook(path: Path, picture: Picture) -> None:
    """Draw a picture as PNG; the same picture gives the same bytes.

    It is some 1,500 px wide at most, and as high as picture and legend need.
    """
    factor = max(1, PANEL_PX // max(picture.land_cover.shape))
    ny, nx = (n * factor for n in picture.land_cover.shape)
    width = max(LEAST_WIDTH_PX, 2 * nx + GAP_PX + 2 * MARGIN_PX)
    ruler = Ruler()
    inner = width - 2 * MARGIN_PX
    title = ruler.wrap(picture.title, TITLE_PT, inner, "bold")
    lines = [part for line in picture.lines for part in ruler.wrap(line, TEXT_PT, inner)]
    credit = ruler.wrap(picture.attribution, SMALL_PT, inner)
    columns = _arrange(picture.legend, ruler, inner)
    rows_px = max((sum(e.height for e in column) for column in columns), default=0)

    top = MARGIN_PX + len(title) * 26 + len(lines) * 19 + 14
    below = top + 20 + ny + 8
    applies = ruler.wrap(picture.applies, SMALL_PT + 1, inner - KEY_PX) if picture.outside is not None else []
    legend_top = below + 34 + 17 * len(applies)
    height = legend_top + rows_px + 14 + len(credit) * 15 + MARGIN_PX - 6
    sheet = Sheet(width, height)
    y = sheet.write_lines(title, MARGIN_PX, MARGIN_PX, 26, TITLE_PT, weight="bold")
    sheet.write_lines(lines, MARGIN_PX, y + 2, 19, TEXT_PT)
    second = MARGIN_PX + max(nx, (inner - GAP_PX) // 2 if 2 * nx + GAP_PX < inner else nx) + GAP_PX
    land_cover = render_classes(enlarge(picture.land_cover, factor), picture.colors)
    if picture.outside is not None:
        land_cover = veil(land_cover, enlarge(picture.outside, factor))
    colour = enlarge(picture.true_colour, factor)
    panels = (
        ("Land cover", MARGIN_PX, land_cover),
        ("True colour of the week", second, hatch_unseen(colour)),
    )
    outline = _to_pixels(picture.aoi, picture.lattice, factor)
    for caption, left, image in panels:
        sheet.write(caption, left, top, SMALL_PT + 1, color=GREY)
        sheet.draw(image, outline, left, top + 20)
    sheet.draw_scale_bar(picture.lattice.pixel / factor, nx, MARGIN_PX, below)
    sheet.draw_outline_key(second, below)
    if picture.outside is not None:
        sheet.draw_veil_key(applies, MARGIN_PX, below + 24)
    y = legend_top
    for number, column in enumerate(columns):
        sheet.draw_column(column, picture.colors, MARGIN_PX + number * (inner // len(columns)), y)
    sheet.write_lines(credit, MARGIN_PX, y + rows_px + 14, 15, SMALL_PT, color=GREY)
    sheet.save(path)


@dataclass(frozen=True)
class Entry:
    """A line of the legend, laid out.

    Attributes:
        value: of the raster.
        name: the lines of its name.
        ha: its hectares, spelt.
        width: of the column that it stands in, in px.
    """

    value: int
    name: Sequence[str]
    ha: str
    width: int

    @property
    def height(self) -> int:
        """In px."""
        return 17 * len(self.name) + 6


def _arrange(legend: Sequence[ClassTotal], ruler: Ruler, inner_px: int) -> list[list[Entry]]:
    """Lay the legend in columns of about one length, each name uncut."""
    count = max(1, min(inner_px // COLUMN_PX, len(legend)))
    width = min(inner_px // count, MOST_COLUMN_PX)
    spelt = [spell_ha(entry.ha) for entry in legend]
    number_px = max((ruler.width(text, TEXT_PT) for text in spelt), default=0)
    entries = []
    for entry, ha in zip(legend, spelt, strict=True):
        name = class_label(entry.name, entry.code)
        entries.append(Entry(entry.value, ruler.wrap(name, TEXT_PT, width - 24 - number_px - 44), ha, width))
    longest = math.ceil(sum(e.height for e in entries) / count)
    columns: list[list[Entry]] = [[]]
    for laid in entries:
        if sum(e.height for e in columns[-1]) >= longest and len(columns) < count:
            columns.append([])
        columns[-1].append(laid)
    return columns


def veil(image: Array, where: Array) -> npt.NDArray[np.uint8]:
    """Fade an image uint8 (y, x, 3) and strike it through where bool (y, x) says so; colours can still be told."""
    y, x = np.ogrid[: where.shape[0], : where.shape[1]]
    faded = 255 - (255 - image.astype(np.int64)) * VEIL_PERCENT // 100
    struck = np.where(((x - y) % VEIL_PX == 0)[..., None], VEIL_LINE, faded)
    return np.where(where[..., None], struck, image).astype(np.uint8)


def spell_ha(ha: float) -> str:
    """Return hectares for people: a decimal only where it says something."""
    return f"{ha:,.0f} ha" if ha >= 100 or ha == 0 else f"{ha:,.1f} ha" if ha >= 0.1 else f"{ha:,.2f} ha"


class Ruler:
    """Measures text as it will be drawn."""

    def __init__(self) -> None:
        self._renderer: Any = FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()  # type: ignore[no-untyped-call]

    def width(self, text: str, points: float, weight: str = "normal") -> float:
        """Return the width in px."""
        font = FontProperties(family=FONT, size=points, weight=weight)
        return float(self._renderer.get_text_width_height_descent(text, font, ismath=False)[0])

    def wrap(self, text: str, points: float, most_px: float, weight: str = "normal") -> list[str]:
        """Break text into lines of at most `most_px`, between words, and within a word that is longer than a line."""
        text = "".join(c if c.isspace() or drawable(c) else "?" for c in text)
        lines = [""]
        for word in self._pieces(text, points, most_px, weight):
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self.width(longer, points, weight) > most_px:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def _pieces(self, text: str, points: float, most_px: float, weight: str) -> Iterator[str]:
        for word in text.split():
            piece = ""
            for sign in word:
                if piece and self.width(piece + sign, points, weight) > most_px:
                    yield piece
                    piece = ""
                piece += sign
            yield piece


class Sheet:
    """A figure that is drawn on in px from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")

    def write(
        self,
        text: str,
        x: float,
        y: float,
        points: float,
        *,
        color: str = INK,
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        """Write one line whose top is at `y`."""
        self._figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            fontfamily=FONT,
            fontsize=points,
            color=color,
            weight=weight,
            ha=align,
            va="top",
            parse_math=False,
        )

    def write_lines(
        self,
        lines: Sequence[str],
        x: float,
        y: float,
        step_px: int,
        points: float,
        *,
        color: str = INK,
        weight: str = "normal",
    ) -> float:
        """Write lines one below the other; return where the next one would be."""
        for line in lines:
            self.write(line, x, y, points, color=color, weight=weight)
            y += step_px
        return y

    def draw(self, image: Array, outline: Sequence[Array], left: float, top: float) -> None:
        """Draw an image (y, x, 3), each of its pixels one of the sheet's, and lines (point, xy) in its pixels on it."""
        ny, nx = image.shape[:2]
        axes = self._axes(left, top, nx, ny)
        axes.imshow(image, interpolation="none", extent=(0, nx, ny, 0), aspect="auto")
        for line in outline:
            axes.plot(line[:, 0], line[:, 1], **_OUTLINE)
        axes.set_xlim(0, nx)
        axes.set_ylim(ny, 0)
        frame = Rectangle((0, 0), nx, ny, fill=False, edgecolor="#888888", linewidth=1)
        axes.add_patch(frame)

    def draw_scale_bar(self, pixel_m: float, panel_px: int, left: float, top: float) -> None:
        """Draw a bar of a round length, at most half as long as a panel is wide."""
        length_m = round_length(max(panel_px / 2, 60) * pixel_m)
        length_px = length_m / pixel_m
        text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
        axes = self._axes(left, top, length_px + 2, 9)
        axes.set_xlim(-1, length_px + 1)
        axes.set_ylim(0, 9)
        axes.plot([0, 0, length_px, length_px], [8, 2, 2, 8], color=INK, linewidth=1.4, solid_joinstyle="miter")
        self.write(text, left + length_px + 10, top - 1, SMALL_PT + 1)

    def draw_outline_key(self, left: float, top: float) -> None:
        """Say what the outline is."""
        axes = self._axes(left, top, 30, 12)
        axes.set_xlim(0, 30)
        axes.set_ylim(0, 12)
        axes.plot([2, 28], [6, 6], **_OUTLINE)
        self.write("area of interest: hectares are counted inside it", left + KEY_PX, top - 1, SMALL_PT + 1)

    def draw_veil_key(self, lines: Sequence[str], left: float, top: float) -> None:
        """Say what lies below a veil."""
        grey = np.full((12, 30, 3), 150, np.uint8)
        self.draw(veil(grey, np.ones((12, 30), bool)), (), left, top)
        self.write_lines(lines, left + KEY_PX, top - 1, 17, SMALL_PT + 1)

    def draw_column(self, column: Sequence[Entry], colors: Mapping[int, str], left: float, top: float) -> None:
        """Draw a column of the legend."""
        for entry in column:
            swatch = render_classes(np.full((13, 20), entry.value, np.uint8), colors)
            self.draw(swatch, (), left, top)
            self.write_lines(entry.name, left + 28, top - 1, 17, TEXT_PT)
            self.write(entry.ha, left + entry.width - 24, top - 1, TEXT_PT, align="right")
            top += entry.height

    def save(self, path: Path) -> None:
        """Write the PNG, without the version of the library that drew it."""
        self._figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})

    def _axes(self, left: float, top: float, nx: float, ny: float) -> Any:
        bottom = self.height - top - ny
        box = left / self.width, bottom / self.height, nx / self.width, ny / self.height
        axes = self._figure.add_axes(box)
        axes.set_axis_off()
        return axes


_OUTLINE: dict[str, Any] = {
    "color": "#101010",
    "linewidth": 1.3,
    "path_effects": [Stroke(linewidth=3.2, foreground="white"), Normal()],
}


def round_length(most_m: float) -> float:
    """Return the longest of 1, 2 and 5 times a power of ten that is not longer than `most_m`."""
    power = 10 ** math.floor(math.log10(most_m))
    return float(next(n * power for n in (5, 2, 1) if n * power <= most_m))


def _to_pixels(aoi: BaseGeometry, lattice: Lattice, factor: int) -> list[Array]:
    """Return the lines of an outline that cross a picture, (point, xy) in its pixels: no more points than show."""
    west, south, east, north = lattice.bounds
    around = 4 * lattice.pixel
    near = shapely.clip_by_rect(
        aoi.boundary.simplify(lattice.pixel / factor / 2), west - around, south - around, east + around, north + around
    )
    lines = [part for part in shapely.get_parts(near) if part.geom_type in {"LineString", "LinearRing"}]
    scale = factor / lattice.pixel
    return [(shapely.get_coordinates(line) - (west, north)) * (scale, -scale) for line in lines]
