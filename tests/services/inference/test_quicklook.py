"""The picture of a map: complete, bounded, the same bytes, whatever is on it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from services.inference.picture import picture_of
from services.inference.quicklook import (
    PANEL_PX,
    TEXT_PT,
    Picture,
    Ruler,
    round_length,
    spell_ha,
    thinning_of,
    veil,
    write_quicklook,
)
from shared.items.properties import MapFacts
from shared.items.totals import ClassTotal
from shared.raster.grid import Lattice
from shared.raster.lettering import drawable
from tests.catalogues import AREA

RULER = Ruler()
NAMES = (
    "Wälder",
    "Леса и полуприродные территории",
    "أراض زراعية",
    "湿地",
    "$x^2$ costs",
    "W" * 90,
    "many words " * 20,
)


def make(shape: tuple[int, int], classes: int = 3, names: tuple[str, ...] = ("Water", "Forest", "Città")) -> Picture:
    """A picture of stripes of all classes, the left quarter not observed."""
    step = thinning_of(shape)
    ny, nx = -(-shape[0] // step), -(-shape[1] // step)
    values = np.broadcast_to(np.arange(ny)[:, None] * classes // ny + 1, (ny, nx)).astype(np.uint8)
    values[:, : nx // 4] = 0
    lattice = Lattice("EPSG:32634", 600_000, 5_000_040, 10 * step, (ny, nx))
    west, south, east, north = lattice.bounds
    return Picture(
        title="Land cover of somewhere",
        lines=("18 to 24 June 2018 (week 2018-W25)", "75.0 % observed"),
        land_cover=values,
        true_colour=np.repeat((values * 40)[..., None], 3, axis=-1),
        colors={v: f"#{v * 40 % 256:02x}{v * 90 % 256:02x}ff" for v in range(1, classes + 1)},
        lattice=lattice,
        aoi=shapely.Point((west + east) / 2, (south + north) / 2).buffer((east - west) / 3),
        legend=[
            *(ClassTotal(v, f"c{v}", names[v % len(names)], 12.34 * v) for v in range(1, classes + 1)),
            ClassTotal(0, "", "Not observed", 1e6),
        ],
        attribution="Contains modified Copernicus Sentinel data [2018]; © Участники; 湿地",
    )


def pixels(path: Path) -> np.ndarray:
    return (imread(path)[..., :3] * 255).round().astype(np.uint8)


@pytest.mark.parametrize("shape", [(256, 256), (2048, 2048), (2048, 256), (256, 8192), (8192, 8192)])
@pytest.mark.parametrize("classes", [1, 7])
def test_it_is_drawn_whatever_its_size_and_names(tmp_path: Path, shape: tuple[int, int], classes: int) -> None:
    picture = make(shape, classes, NAMES)
    write_quicklook(tmp_path / "q.png", picture)
    drawn = pixels(tmp_path / "q.png")
    assert drawn.shape[1] <= 2 * PANEL_PX + 100
    assert drawn.shape[0] <= PANEL_PX + 700
    colors = {tuple(bytes.fromhex(c[1:])) for c in picture.colors.values()}
    found, counts = np.unique(drawn.reshape(-1, 3), axis=0, return_counts=True)
    shown = {tuple(c.tolist()) for c, n in zip(found, counts, strict=True) if n > 100}
    assert colors <= shown, "each class has its own colour, on the map and in the legend"
    assert {(222, 222, 222), (176, 176, 176)} <= shown, "the hatch"


def test_nothing_observed_is_a_picture_too(tmp_path: Path) -> None:
    picture = make((256, 256))
    empty = dataclasses.replace(
        picture,
        land_cover=np.zeros_like(picture.land_cover),
        true_colour=np.zeros_like(picture.true_colour),
        legend=[ClassTotal(0, "", "Not observed", 655.36)],
    )
    write_quicklook(tmp_path / "q.png", empty)
    drawn = pixels(tmp_path / "q.png").reshape(-1, 3)
    assert (drawn == 222).all(axis=1).sum() + (drawn == 176).all(axis=1).sum() > 2 * 500 * 500


def test_many_classes_make_it_longer_not_wider(tmp_path: Path) -> None:
    write_quicklook(tmp_path / "q.png", make((512, 512), 254))
    height, width = pixels(tmp_path / "q.png").shape[:2]
    assert width <= 1500
    assert height <= 4500


def test_nothing_touches_the_edge(tmp_path: Path) -> None:
    write_quicklook(tmp_path / "q.png", make((2048, 2048), 40, NAMES))
    drawn = pixels(tmp_path / "q.png")
    for edge in (drawn[:10], drawn[-10:], drawn[:, :10], drawn[:, -10:]):
        assert (edge == 255).all()


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_quicklook(tmp_path / name, make((1024, 768)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@given(st.lists(st.text("abÄж.", min_size=1, max_size=60), max_size=8), st.floats(40, 300))
@settings(max_examples=30)
def test_text_is_wrapped_and_never_cut(words: list[str], most_px: float) -> None:
    lines = RULER.wrap(" ".join(words), TEXT_PT, most_px)
    assert "".join(lines).replace(" ", "") == "".join(words)
    assert all(RULER.width(line, TEXT_PT) <= most_px for line in lines)


def test_signs_that_the_font_lacks() -> None:
    assert drawable("Città, Леса, Νερά")
    assert not drawable("湿地")


def test_lengths_of_a_scale_bar() -> None:
    assert [round_length(n) for n in (1.0, 1.9, 4.99, 5, 999, 1000, 25_000)] == [1, 1, 2, 5, 500, 1000, 20_000]


def test_hectares_are_spelt_with_as_much_as_they_say() -> None:
    assert [spell_ha(n) for n in (0, 0.04, 7.25, 99.9, 12_345.6)] == [
        "0 ha",
        "0.04 ha",
        "7.2 ha",
        "99.9 ha",
        "12,346 ha",
    ]


A_QUARTER = MapFacts(
    sheet=(0, 0),
    ledger="",
    model="",
    aoi_ha=4.0,
    observed_ha=1.0,
    observed_percent=25.0,
    classes={},
    attribution="x",
)
"""Of a map that shows a quarter of the area."""


def test_what_a_picture_says() -> None:
    classes = {
        str(v): {"code": c.code, "name": c.name, "pixels": 100 * (v == 2), "area_km2": 0.01 * (v == 2)}
        for v, c in AREA.labels.values.items()
    }
    facts = dataclasses.replace(A_QUARTER, classes=classes)
    values = np.zeros((1024, 1024), np.uint8)
    values[:512] = 4
    lattice = Lattice.of_area(AREA.grid, 10)
    picture = picture_of(AREA, "2018-W25", facts, lattice, values, np.zeros((512, 512, 3), np.uint8))
    assert picture.lines == (
        "18 to 24 June 2018 (week 2018-W25)",
        "25.0 % of the area of interest observed clear: 1.0 ha of 4.0 ha",
    )
    legend = [(e.value, e.ha) for e in picture.legend]
    assert legend == [(2, 1.0), (4, 0.0), (0, 3.0)], "what is in the AOI, or outside it on the picture"
    assert picture.lattice.bounds == lattice.bounds
    assert picture.land_cover.shape == (512, 512)
    outside = dataclasses.replace(facts, aoi_ha=0.0, observed_ha=0.0, observed_percent=0.0)
    lines = picture_of(AREA, "2018-W25", outside, lattice, values, np.zeros((512, 512, 3), np.uint8)).lines
    assert lines[1] == "none of the area of interest lies in this sheet"


def test_what_lies_outside_the_area_of_applicability_is_veiled(tmp_path: Path) -> None:
    picture = make((1024, 1024))
    outside = np.zeros(picture.land_cover.shape, bool)
    outside[:, -200:] = True
    told = "outside the model's area of applicability: 40.0 % of what is mapped"
    write_quicklook(tmp_path / "plain.png", picture)
    write_quicklook(tmp_path / "told.png", dataclasses.replace(picture, outside=outside, applies=told))
    plain, drawn = pixels(tmp_path / "plain.png"), pixels(tmp_path / "told.png")
    assert drawn.shape[0] == plain.shape[0] + 17, "a line of the key"
    color = np.frombuffer(bytes.fromhex(picture.colors[2][1:]), np.uint8)
    kept, before = (drawn == color).all(axis=-1).sum(), (plain == color).all(axis=-1).sum()
    assert 0.4 < kept / before < 0.6, "200 of 384 columns are veiled"


def test_a_veil_leaves_the_rest_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    where = np.zeros((12, 12), bool)
    where[:, 6:] = True
    veiled = veil(image, where)
    assert (veiled[:, :6] == image[:, :6]).all()
    lines = (veiled[:, 6:] == 60).all(axis=-1)
    assert lines.sum() == 12, "one pixel in six"
    assert (veiled[:, 6:][~lines] >= image[:, 6:][~lines]).all()


def test_a_picture_tells_what_share_lies_outside() -> None:
    facts = dataclasses.replace(A_QUARTER, applicable_percent=62.5)
    values, applies = np.full((1024, 1024), 4, np.uint8), np.ones((1024, 1024), np.uint8)
    applies[512:] = 2
    values[:, :100] = applies[:, :100] = 0
    lattice, colour = Lattice.of_area(AREA.grid, 10), np.zeros((512, 512, 3), np.uint8)
    picture = picture_of(AREA, "2018-W25", facts, lattice, values, colour, applies)
    assert picture.outside is not None
    assert picture.outside[256:, 50:].all()
    assert picture.outside.sum() == 256 * 462
    assert picture.applies.endswith(": 37.5 % of what is mapped in the area of interest")
    unseen = dataclasses.replace(facts, observed_ha=0.0, applicable_percent=0.0)
    assert "%" not in picture_of(AREA, "2018-W25", unseen, lattice, values, colour, applies).applies
    assert picture_of(AREA, "2018-W25", facts, lattice, values, colour).outside is None
