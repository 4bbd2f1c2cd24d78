from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.tiler.merge_laws import Cells, Pixels, merge, merge_olci, nine_cells, source_code

# Few values, so that ties in every part of the key are common.
FEW16, FEW8 = st.integers(0, 2), st.integers(0, 2)


@st.composite
def cells(draw: st.DrawFn) -> Cells:
    source = draw(arrays(np.uint8, (2, 2), elements=FEW8))
    layers = tuple(draw(arrays(np.uint16, s, elements=FEW16)) for s in ((4, 4, 4), (2, 2, 6)))
    distance = draw(arrays(np.uint8, (2, 2), elements=FEW8))
    return normal(Cells(layers, source, distance))


def normal(c: Cells) -> Cells:
    """Cells that were not observed hold nothing, as in the cube."""
    seen = c.source > 0
    fine, coarse = c.layers
    return Cells(
        (fine * seen.repeat(2, 0).repeat(2, 1)[..., None], coarse * seen[..., None]), c.source, c.distance * seen
    )


@st.composite
def pixels(draw: st.DrawFn) -> Pixels:
    source = draw(arrays(np.uint8, (2, 2), elements=FEW8))
    radiance = draw(arrays(np.float32, (2, 2, 21), elements=st.sampled_from([0.0, 1.0])))
    rank = draw(arrays(np.uint8, (2, 2), elements=FEW8)) * (source > 0)
    return Pixels(np.where(source[..., None] > 0, radiance, np.float32(np.nan)), source, rank.astype(np.uint8))


def same(a, b) -> bool:
    parts = [vars(x).values() for x in (a, b)]
    flat = [[p for part in q for p in (part if isinstance(part, tuple) else (part,))] for q in parts]
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(*flat, strict=True))


@pytest.mark.parametrize(("strategy", "law"), [(cells(), merge), (pixels(), merge_olci)], ids=["msi", "olci"])
def test_laws(strategy, law) -> None:
    @given(strategy, strategy, strategy)
    def check(a, b, c) -> None:
        assert same(law(a, b), law(b, a))
        assert same(law(a, law(b, c)), law(law(a, b), c))
        assert same(law(a, a), a)

    check()


def cell(source: int, distance: int, value: int, last: int = 5) -> Cells:
    coarse = np.full((1, 1, 6), 7, np.uint16)
    coarse[..., 5] = last
    return Cells(
        (np.full((2, 2, 4), value, np.uint16), coarse),
        np.full((1, 1), source, np.uint8),
        np.full((1, 1), distance, np.uint8),
    )


def test_order_of_the_key() -> None:
    stored = cell(9, 10, 100)
    assert merge(cell(99, 11, 999), stored).source == 99  # farther from clouds
    assert merge(cell(1, 9, 1), stored).source == 9  # nearer
    assert merge(cell(8, 10, 999), stored).source == 8  # same distance, smaller code
    assert merge(cell(9, 10, 99), stored).layers[0].max() == 99  # then the smaller vector
    assert merge(cell(9, 10, 100, last=4), stored).layers[1][0, 0, 5] == 4  # to its last value
    assert merge(cell(0, 50, 1), stored).source == 9  # what is not clear does not compete


def test_ten_metre_pixels_stay_together() -> None:
    a, b = cell(1, 10, 0), cell(1, 10, 0)
    a.layers[0][:] = np.arange(16).reshape(2, 2, 4)
    b.layers[0][:] = np.arange(16).reshape(2, 2, 4)
    a.layers[0][0, 0, 0] = b.layers[0][1, 1, 3] = 0
    b.layers[0][0, 0, 0] = 1
    assert np.array_equal(merge(a, b).layers[0], a.layers[0])


def test_a_satellite_that_nobody_has_seen_yet_has_a_code() -> None:
    assert source_code(3, "e") == source_code(3, "a")
    assert 1 <= source_code(6, "z", True, 1, 1) <= 255


def test_source_codes_are_distinct_and_fit() -> None:
    codes = {
        source_code(day, platform, warped, column, row)
        for day in range(7) for platform in "abcd" for warped in (False, True) for column in (0, 1) for row in (0, 1)
    }  # fmt: skip
    assert len(codes) == 7 * 4 * 8
    assert (min(codes), max(codes)) == (1, 224)


def test_nine_cells() -> None:
    competes, distance = np.ones((3, 6), bool), np.arange(18, dtype=np.uint8).reshape(3, 6) + 5
    competes[2, 5] = False
    whole, smallest = nine_cells(competes, distance)
    assert whole.tolist() == [[True, False]]
    assert smallest.tolist() == [[5, 8]]
