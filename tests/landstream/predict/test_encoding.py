"""What a file's numbers mean is told, never guessed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landstream.predict.encoding import BANDS, PredictError, choose_bands, choose_encoding

PLAIN = (1.0,) * 10, (0.0,) * 10
CUBE = (0.0001,) * 10, (-0.1,) * 10


def test_plain_integers_are_refused_with_the_two_likely_encodings() -> None:
    with pytest.raises(PredictError) as raised:
        choose_encoding("uint16", PLAIN, 0, (None, None))
    assert "--scale 0.0001 if" in str(raised.value)
    assert "--scale 0.0001 --offset -0.1" in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.integers(1, 65535))
def test_the_cubes_own_encoding_comes_through_bit_for_bit(stored: int) -> None:
    numbers = np.full((10, 1, 1), stored, np.uint16)
    for encoding in (
        choose_encoding("uint16", CUBE, None, (None, None)),
        choose_encoding("uint16", PLAIN, None, (0.0001, -0.1)),
    ):
        assert (encoding.store(numbers) == stored).all()


@given(st.integers(1, 20000))
def test_older_products_are_shifted(dn: int) -> None:
    numbers = np.full((10, 1, 1), dn, np.uint16)
    assert (choose_encoding("uint16", PLAIN, None, (0.0001, None)).store(numbers) == dn + 1000).all()
    floats = (numbers / 10000).astype(np.float32)
    assert (choose_encoding("float32", PLAIN, None, (None, None)).store(floats) == dn + 1000).all()


def test_each_band_has_its_own_tags_and_the_caller_wins() -> None:
    tagged = (0.0001,) * 9 + (0.0002,), (0.0,) * 10
    numbers = np.full((10, 1, 1), 1000, np.uint16)
    assert choose_encoding("uint16", tagged, None, (None, None)).store(numbers)[:, 0, 0].tolist() == [2000] * 9 + [3000]
    assert (choose_encoding("uint16", tagged, None, (0.0001, -0.1)).store(numbers) == 1000).all()


def test_what_is_missing_is_zero() -> None:
    integers = np.array([0, 5, 65535], np.uint16).reshape(1, 1, 3).repeat(10, axis=0)
    assert choose_encoding("uint16", CUBE, None, (None, None)).store(integers)[0, 0].tolist() == [0, 5, 65535]
    assert choose_encoding("uint16", CUBE, 65535, (None, None)).store(integers)[0, 0, 2] == 0
    floats = np.array([np.nan, -9999, 0.0, np.inf], np.float32).reshape(1, 1, 4).repeat(10, axis=0)
    assert choose_encoding("float32", PLAIN, -9999, (None, None)).store(floats)[0, 0].tolist() == [0, 0, 1000, 0]


def test_what_is_no_reflectance_is_refused() -> None:
    encoding = choose_encoding("float32", PLAIN, None, (None, None))
    with pytest.raises(PredictError, match=r"reflectances up to 2,345 .*--scale 0.0001"):
        encoding.store(np.full((10, 2, 2), 2345, np.float32))


def test_bands_are_known_by_name_or_by_the_models_order() -> None:
    assert choose_bands(10, [None] * 10, ()) == list(range(1, 11))
    product = ["B1", "B2", "b03", "B04", "B05", "B06", "B07", "B8", "B8A", "B09", "B10", "B11", "B12"]
    expected = [2, 3, 4, 8, 5, 6, 7, 9, 12, 13]
    assert choose_bands(13, product, ()) == expected == choose_bands(13, [None] * 13, product)


@pytest.mark.parametrize(
    ("count", "descriptions", "told", "said"),
    [
        (13, [None] * 13, (), "13 bands without the names B02 .*--bands"),
        (10, ["B02", *[None] * 9], (), "10 bands without the names"),
        (10, [None] * 10, ("B02",), "names 1 bands and the file has 10"),
        (10, [None] * 10, ("B01", *BANDS[1:]), "band B02 is missing"),
    ],
)
def test_bands_that_nobody_names_are_refused(count: int, descriptions: list, told: tuple, said: str) -> None:
    with pytest.raises(PredictError, match=said):
        choose_bands(count, descriptions, told)
