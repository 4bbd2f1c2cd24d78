"""Where Corine Land Cover exists: a coarse outline of the EEA39 countries.

Corine maps the 38 member and cooperating countries of the European Environment Agency and the United Kingdom, with the
Azores, Madeira, the Canaries and the French overseas departments. Land borders are drawn to some 20 km, coasts with
much sea; enclaves are left in, Kaliningrad out. It serves for a warning and for nothing else.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import shapely
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

_CONTINENT: Final = (
    # South of Iberia, Sardinia, Sicily, Malta, Crete and Cyprus.
    *((-11.5, 35.9), (-5.3, 35.97), (-2.0, 36.2), (1.0, 37.8), (8.0, 38.2), (11.0, 37.6), (11.5, 37.2), (11.6, 36.4)),
    *((11.9, 35.2), (15.0, 35.2), (23.0, 34.3), (27.0, 34.3), (31.5, 34.2), (34.3, 34.4), (35.6, 35.85)),
    # Türkiye's borders with Syria, Iraq, Iran, Armenia and Georgia.
    *((36.2, 35.82), (36.7, 36.25), (36.66, 36.83), (38.0, 36.83), (40.7, 37.1), (42.35, 37.1), (42.8, 37.35)),
    *(
        (44.8, 37.15),
        (44.6, 37.7),
        (44.4, 38.4),
        (44.0, 39.4),
        (44.8, 39.65),
        (43.7, 40.1),
        (43.6, 41.1),
        (42.5, 41.55),
    ),
    # The Black Sea, then Romania's borders with Ukraine and Moldova.
    *((41.5, 41.52), (40.0, 42.5), (34.0, 43.0), (31.0, 44.0), (29.75, 45.15), (28.2, 45.45), (28.15, 46.1)),
    *((28.25, 46.6), (27.5, 47.4), (26.9, 48.1), (26.6, 48.26), (25.3, 47.9), (24.9, 47.72), (23.2, 48.08)),
    # Slovakia, Poland and the Baltic states.
    *(
        (22.15, 48.4),
        (22.55, 49.08),
        (22.7, 49.6),
        (23.7, 50.4),
        (24.1, 50.8),
        (23.6, 51.5),
        (23.6, 52.1),
        (23.2, 52.3),
    ),
    *(
        (23.9, 52.7),
        (23.55, 53.95),
        (24.4, 53.9),
        (25.7, 54.2),
        (26.85, 55.3),
        (26.6, 55.67),
        (28.2, 56.1),
        (27.7, 57.3),
    ),
    *((27.4, 57.55), (27.6, 57.9), (27.4, 58.7), (28.2, 59.35), (28.0, 59.75)),
    # Finland and Norway.
    *((27.8, 60.5), (29.5, 61.4), (31.55, 62.9), (29.9, 63.75), (30.0, 64.6), (29.7, 65.6), (29.1, 66.9), (29.9, 67.7)),
    *((28.5, 68.2), (28.8, 68.9), (29.1, 69.05), (30.9, 69.5), (31.3, 70.4), (31.5, 71.5), (20.0, 71.6)),
    # The Atlantic, without the Faroes.
    *((10.0, 68.0), (3.0, 63.0), (1.5, 62.0), (-3.0, 61.3), (-9.0, 59.5), (-11.5, 58.0)),
)
_KALININGRAD: Final = ((19.8, 54.45), (22.7, 54.37), (22.85, 54.9), (22.0, 55.06), (21.3, 55.28), (19.8, 55.0))
_ISLANDS_AND_OVERSEAS: Final = (
    (-25.0, 63.0, -13.0, 67.0),  # Iceland
    (-31.6, 36.7, -24.7, 39.9),  # the Azores
    (-17.6, 32.2, -16.0, 33.3),  # Madeira
    (-18.4, 27.4, -13.3, 29.6),  # the Canaries
    (-62.0, 15.7, -60.9, 16.6),  # Guadeloupe
    (-61.4, 14.3, -60.7, 15.0),  # Martinique
    (-54.7, 2.0, -51.5, 6.0),  # French Guiana
    (55.1, -21.5, 56.0, -20.8),  # Réunion
    (44.9, -13.1, 45.4, -12.5),  # Mayotte
)


@cache
def corine_extent() -> BaseGeometry:
    """Return where Corine exists: polygons in longitude, latitude (degrees)."""
    continent = Polygon(_CONTINENT).difference(Polygon(_KALININGRAD))
    return shapely.union_all([continent, *(box(*bounds) for bounds in _ISLANDS_AND_OVERSEAS)])


def share_with_corine(aoi: BaseGeometry) -> float:
    """Return how much of an AOI in longitude, latitude (degrees) Corine maps, 0 to 1."""
    return float(aoi.intersection(corine_extent()).area / aoi.area)
