"""The coarse outline of Corine knows countries, not borders."""

from __future__ import annotations

import pytest
from shapely.geometry import Point, box

from landstream.corine_extent import corine_extent, share_with_corine

INSIDE = {
    "Lisbon": (-9.1, 38.7), "Reykjavik": (-21.9, 64.1), "Kirkenes": (30.0, 69.7), "Nicosia": (33.4, 35.2),
    "Van": (43.4, 38.5), "Constanta": (28.6, 44.2), "Suceava": (26.3, 47.6), "Vilnius": (25.3, 54.7),
    "Narva": (28.1, 59.37), "Joensuu": (29.8, 62.6), "Valletta": (14.5, 35.9), "Heraklion": (25.1, 35.3),
    "Lerwick": (-1.1, 60.2), "Ponta Delgada": (-25.7, 37.7), "Las Palmas": (-15.4, 28.1), "Cayenne": (-52.3, 4.9),
    "Saint-Denis": (55.45, -20.9), "Belgrade": (20.5, 44.8), "Bialystok": (23.1, 53.1), "Cagliari": (9.1, 39.2),
}  # fmt: skip
OUTSIDE = {
    "Kyiv": (30.5, 50.4), "Lviv": (24.0, 49.8), "Minsk": (27.6, 53.9), "Chisinau": (28.9, 47.0), "Odesa": (30.7, 46.5),
    "Kaliningrad": (20.5, 54.7), "Tbilisi": (44.8, 41.7), "Yerevan": (44.5, 40.2), "Aleppo": (37.2, 36.2),
    "Tunis": (10.2, 36.8), "Algiers": (3.1, 36.7), "Tangier": (-5.8, 35.75), "Longyearbyen": (15.6, 78.2),
    "Nuuk": (-51.7, 64.2), "Murmansk": (33.1, 69.0), "Saint Petersburg": (30.3, 59.9), "Pskov": (28.3, 57.8),
    "Torshavn": (-6.8, 62.0), "New York": (-74.0, 40.7), "Beirut": (35.5, 33.9),
}  # fmt: skip


@pytest.mark.parametrize("place", INSIDE)
def test_where_corine_exists(place: str) -> None:
    assert corine_extent().contains(Point(INSIDE[place]))


@pytest.mark.parametrize("place", OUTSIDE)
def test_where_it_does_not(place: str) -> None:
    assert not corine_extent().contains(Point(OUTSIDE[place]))


def test_shares() -> None:
    assert share_with_corine(box(23.9, 45.7, 24.3, 45.9)) == 1.0
    assert share_with_corine(box(-60, -4, -59, -3)) == 0.0
    assert 0.2 < share_with_corine(box(26.0, 47.0, 30.0, 47.5)) < 0.6
