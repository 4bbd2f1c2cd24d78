"""The index map: exactly the nearest pixel, ties to the smallest index, on one lattice for all frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.reprojection.flags import FlagTable, has
from services.reprojection.gather import NO_FLAGS, gather_flags, gather_radiance, interpolate_ties
from services.reprojection.lattice import latitudes_deg, lattice_of, unwrap, window_over
from services.reprojection.nearest import CELL_M, CUT_OFF_M, nearest_source
from services.reprojection.read_frame import Radiance, Ties
from shared.raster.grid import Window

Swath = tuple[NDArray[np.float64], NDArray[np.float64]]


def swath(rows: int, columns: int, latitude_deg: float, longitude_deg: float, seed: int, noise: float = 0.1) -> Swath:
    """A slanted, shaken swath of pixels of some 300 m."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:rows, :columns] + rng.normal(0, noise, (2, rows, columns))
    north, east = -294 * row - 65 * column, -70 * row + 270 * column
    latitude = latitude_deg + north / 111_195
    return latitude, longitude_deg + east / (111_195 * np.cos(np.radians(latitude)))


def nearest_by_law(latitude: NDArray[np.float64], longitude: NDArray[np.float64], window: Window) -> NDArray[np.int32]:
    """Compare each cell with each pixel: whole micrometres count, then the smallest index."""
    y = (90 - latitude.ravel()) * 360 - (window.y + np.arange(window.ny) + 0.5)[:, np.newaxis]
    x = (longitude.ravel() + 180) * 360 - (window.x + np.arange(window.nx) + 0.5)[:, np.newaxis]
    width_m = CELL_M * np.cos(np.radians(latitudes_deg(window)))[:, np.newaxis, np.newaxis]
    distance_m = np.sqrt(((y * CELL_M) ** 2)[:, np.newaxis] + (x * width_m) ** 2)
    micrometres = np.where(distance_m <= CUT_OFF_M, np.floor(distance_m * 1e6), np.inf)
    return np.where(np.isfinite(micrometres).any(axis=2), micrometres.argmin(axis=2), -1).astype(np.int32)


@given(
    latitude_deg=st.sampled_from([-84.9, -75.0, -3.0, 45.9, 68.0, 83.5]) | st.floats(-84, 84),
    longitude_deg=st.floats(-179, 179),
    noise=st.floats(0, 3),
    step_deg=st.sampled_from([1e-9, 1e-6, 1e-3]),
    missing=st.floats(0, 0.9),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_it_is_the_nearest(
    latitude_deg: float, longitude_deg: float, noise: float, step_deg: float, missing: float, seed: int
) -> None:
    """Also where the swath is folded and torn, where pixels lie on one another, and where most are missing."""
    latitude, longitude = (np.round(v / step_deg) * step_deg for v in swath(24, 20, 0, longitude_deg, seed, noise))
    latitude += latitude_deg
    longitude = longitude_deg + (longitude - longitude_deg) / np.cos(np.radians(latitude_deg))
    latitude[np.random.default_rng(seed).random(latitude.shape) < missing] = np.nan
    latitude[10:16, 5:12] = np.nan
    window = window_over(latitude, longitude)
    if window is not None:
        # With a margin, so that the cut-off shows; at high latitudes cells are narrow.
        window = Window(window.y - 4, window.x - 4, min(window.ny, 60) + 8, min(window.nx, 120) + 8)
        assert np.array_equal(nearest_source(latitude, longitude, window), nearest_by_law(latitude, longitude, window))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_make_no_difference(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    latitude, longitude = swath(200, 150, 46.0, 24.0, 5, 1.5)
    window = window_over(latitude, longitude)
    assert window is not None
    expected = nearest_source(latitude, longitude, window)
    monkeypatch.setattr("shared.threads.THREADS", threads)
    assert np.array_equal(nearest_source(latitude, longitude, window), expected)


def test_a_frame_of_many_blocks_and_stripes() -> None:
    latitude, longitude = swath(97, 70, 60.0, 24.0, 7, 0.7)
    window = window_over(latitude, longitude)
    assert window is not None
    for y in range(0, window.ny, 25):
        part = Window(window.y + y, window.x, min(25, window.ny - y), window.nx)
        found = nearest_source(latitude, longitude, window)[y : y + 25]
        assert np.array_equal(found, nearest_by_law(latitude, longitude, part))


def test_ties_go_to_the_smallest_index() -> None:
    """Two pixels at the same place, and two at equal distances."""
    latitude = np.full((1, 4), 90 - 100.5 / 360)
    longitude = -180 + np.array([[200.5, 200.5, 202.5, 204.5]]) / 360
    found = nearest_source(latitude, longitude, Window(100, 200, 1, 5))
    assert found[0, 0] == 0
    assert found[0, 3] == 2
    latitude[0, 0] = np.nan
    assert nearest_source(latitude, longitude, Window(100, 200, 1, 5))[0, 0] == 1


def test_a_cut_window_sees_pixels_beside_it() -> None:
    latitude, longitude = swath(30, 30, 50.0, 10.0, 3)
    whole = window_over(latitude.ravel(), longitude.ravel())
    assert whole is not None
    part = Window(whole.y + 9, whole.x + 11, 8, 13)
    expected = nearest_source(latitude, longitude, whole)[9:17, 11:24]
    assert np.array_equal(nearest_source(latitude, longitude, part), expected)


def test_frames_join() -> None:
    """A swath in two pieces gives what the whole gives, wherever one piece alone decides."""
    latitude, longitude = swath(40, 25, 46.0, 24.0, 4)
    whole = window_over(latitude.ravel(), longitude.ravel())
    assert whole is not None
    index = nearest_source(latitude, longitude, whole)
    upper = nearest_source(latitude[:20], longitude[:20], whole)
    decided = (index >= 0) & (index < 20 * 25)
    assert np.array_equal(upper[decided], index[decided])


@given(st.floats(-84, 84), st.floats(-180, 179.99))
def test_a_window_holds_its_pixel(latitude_deg: float, longitude_deg: float) -> None:
    window = window_over(np.array([latitude_deg]), np.array([longitude_deg]))
    assert window is not None
    assert (window.ny, window.nx) == (1, 1)
    a, _, west, _, e, north = lattice_of(window).transform
    assert west - 1e-9 <= longitude_deg <= west + a + 1e-9
    assert north + e - 1e-9 <= latitude_deg <= north + 1e-9
    assert latitudes_deg(window)[0] == pytest.approx(90 - (window.y + 0.5) / 360)


def test_over_the_antimeridian() -> None:
    latitude, longitude = swath(10, 10, 60.0, 179.98, 5)
    wrapped = (longitude + 180) % 360 - 180
    assert wrapped.min() < -179
    lon = unwrap(wrapped, 179.9)
    assert np.array_equal(lon, unwrap(wrapped, -179.9)), "one lattice for the areas of both sides"
    window = window_over(latitude.ravel(), lon.ravel())
    assert window is not None
    assert window.nx < 40
    assert (nearest_source(latitude, lon, window) >= 0).mean() > 0.4


def test_a_swath_of_one_side_stays_as_it_is() -> None:
    longitude = np.array([-90.0, np.nan, 90.0])
    for around in (-180.0, 0.0, 180.0):
        assert unwrap(longitude, around) is longitude


@pytest.mark.parametrize("around_deg", [-180.0, -179.9, -90.0, -1.0, 0.0, 1.0, 120.0, 180.0])
def test_a_swath_around_a_pole_is_cut_opposite_the_area(around_deg: float) -> None:
    longitude = np.arange(-180.0, 180.0, 0.5)
    moved = unwrap(longitude, around_deg)
    assert np.array_equal((moved - longitude) % 360, np.zeros(longitude.size))
    near = moved[np.abs((longitude - around_deg + 180) % 360 - 180) < 90]
    assert np.ptp(near) < 180
    latitude = np.full(longitude.shape, 80.0)
    middle = min(max(around_deg, -179.0), 179.0)
    window = window_over(latitude, moved, (middle - 1, 79.0, middle + 1, 81.0))
    assert window is not None
    assert window.nx > 600, "both sides of the area's middle"


def test_windows_are_cut_to_an_aoi() -> None:
    latitude, longitude = swath(60, 60, 50.0, 10.0, 6)
    cut = window_over(latitude.ravel(), longitude.ravel(), (10.001, 49.901, 10.099, 49.949))
    assert cut is not None
    assert (cut.ny, cut.nx) == (18, 36)
    assert window_over(latitude.ravel(), longitude.ravel(), (20.0, 49.9, 20.1, 49.95)) is None
    assert window_over(np.array([89.0]), np.array([0.0])) is None


OLD = ["land", "invalid", "duplicated", *(f"saturated@Oa{n:02d}" for n in range(1, 22))]
NEW = ["land", "invalid", "duplicated", "saturated", "partially_saturated"]


def test_old_flags_tell_the_band() -> None:
    table = FlagTable.parse([1 << n for n in range(len(OLD))], " ".join(OLD))
    assert table.unusable(3) == table.mask("invalid") | table.mask("saturated@Oa03")
    assert table.mask("saturated_Oa03") == table.mask("saturated@Oa03") != 0


def test_new_flags_tell_of_no_band() -> None:
    """`saturated` says that at least one band is; which one, its fill value tells."""
    table = FlagTable.parse([1 << n for n in range(len(NEW))], " ".join(NEW))
    assert {table.unusable(b) for b in range(1, 22)} == {table.mask("invalid")}


def test_signed_masks() -> None:
    table = FlagTable.parse([-2147483648, 2, 4], "land invalid duplicated")
    assert has(np.array([2**31, 2], np.uint32), table.mask("land")).tolist() == [True, False]


@pytest.mark.parametrize(("masks", "names"), [([1, 2], "invalid"), ([1], "land"), ([1, 2], "invalid invalid")])
def test_unexplained_flags(masks: list[int], names: str) -> None:
    with pytest.raises(ValueError, match="flag"):
        FlagTable.parse(masks, names)


def test_a_cell_takes_its_pixels_radiance() -> None:
    """A cell without a pixel, one with the fill value, one of an unusable pixel: NaN."""
    index = np.array([[0, 5, -1, 1, 2]], np.int32)
    flags = np.array([[1, 2, 4], [1, 1, 1]], np.uint32)
    words = gather_flags(flags, index)
    assert words.tolist() == [[1, 1, NO_FLAGS, 2, 4]]
    table = np.arange(2**16, dtype=np.float32) / 2
    table[65535] = np.nan
    radiance = Radiance(np.array([[3, 65535, 7], [0, 0, 9]], np.uint16), table, "")
    found = gather_radiance(radiance, index, words, 4)
    assert found[0, :2].tolist() == [1.5, 4.5]
    assert np.isnan(found[0, 2:]).all()


def test_ties() -> None:
    ties = np.array([[0.0, 64.0, 128.0], [10.0, 74.0, 138.0]])
    found = interpolate_ties(Ties(ties, 64, 1), np.array([[0, 32, 128, 129 + 65, -1]], np.int32), 129)
    assert found[0, :4].tolist() == [0, 32, 128, 75]
    assert np.isnan(found[0, 4])
    assert interpolate_ties(Ties(ties, 64, 4), np.array([[129 * 2 + 32]], np.int32), 129)[0, 0] == 37
