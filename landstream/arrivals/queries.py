"""What people search a catalogue for: the source that is asked, and one question for each product type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from shapely.geometry.base import BaseGeometry

from services.ingest.fetch.provider import Query
from services.ingest.fetch.spans import Catalogue, Span, wanted_days, wanted_types, whole_days
from shared.area import Area
from shared.area.source import PRODUCT_TYPES, CdseSource, FolderSource, ProductType
from shared.geo import MgrsTile

RECENT_DAYS: Final = 30
"""Days up to today that are searched where neither an area nor a person says which."""

_PLATFORM = re.compile(r"(?:S|SENTINEL-)([23][A-Z])\Z", re.ASCII)


class BadQuery(ValueError):
    """Raised when nothing can be searched for with what was given; the message says what to give."""


@dataclass(frozen=True)
class Limits:
    """What narrows a search; what is absent is as the area, or its source, says.

    Attributes:
        types: product types, as ESA calls them; none = those of the area, or Sentinel-2 L2A.
        start: first day of sensing, UTC.
        end: last day of sensing, UTC.
        max_cloud_percent: Sentinel-2 products with more cloud are not found.
        platform: `S2A` or `sentinel-2a`; empty = any.
        tile: MGRS tile, `T34TFR`; empty = any.
    """

    types: Sequence[str] = ()
    start: date | None = None
    end: date | None = None
    max_cloud_percent: float | None = None
    platform: str = ""
    tile: str = ""


def source_of(area: Area | None, instead: str) -> Catalogue:
    """Return whom to ask: the source of an area, or the Copernicus Data Space where there is none.

    Args:
        area: whose source is asked; None = that of nobody.
        instead: what a person can do where the source is none that can be asked.

    Raises:
        BadQuery: the source is a folder.
    """
    source = area.source if area is not None else None
    if isinstance(source, FolderSource):
        raise BadQuery(f"the area's source is a folder, which is not a catalogue: {instead}")
    return source or CdseSource(kind="cdse")


def queries(aoi: BaseGeometry, area: Area | None, source: Catalogue, limits: Limits, today: date) -> list[Query]:
    """Return what to ask, a question for each product type.

    Args:
        aoi: polygon in longitude, latitude (degrees).
        area: whose days and product types are wanted; None = those of nobody.
        source: who is asked.
        limits: of people.
        today: UTC.

    Raises:
        BadQuery: a type, platform or tile is not one, or the days are in no order.
    """
    cloud = source.max_cloud_percent if limits.max_cloud_percent is None else limits.max_cloud_percent
    sensed, platform, tile = _sensed(area, source, limits, today), _platform(limits.platform), _tile(limits.tile)
    return [
        Query(kind, aoi, sensed, max_cloud_percent=cloud, platform=platform, mgrs_tile=tile)
        for kind in _types(area, source, limits.types)
    ]


def _sensed(area: Area | None, source: Catalogue, limits: Limits, today: date) -> Span:
    last = limits.end or today
    days = wanted_days(area, source) if area else (last - timedelta(days=RECENT_DAYS - 1), last)
    first, last = limits.start or days[0], limits.end or days[1]
    if first > last:
        raise BadQuery(f"{first} is after {last}: give --start and --end in their order")
    return whole_days(first, last)


def _types(area: Area | None, source: Catalogue, given: Sequence[str]) -> Sequence[ProductType]:
    if unknown := [text for text in given if text not in PRODUCT_TYPES]:
        raise BadQuery(f"--type {unknown[0]}: is not one of {', '.join(PRODUCT_TYPES)}")
    if given:
        return [kind for kind in PRODUCT_TYPES if kind in given]
    return wanted_types(area, source) if area else PRODUCT_TYPES[:1]


def _platform(text: str) -> str:
    match = _PLATFORM.match(text.upper())
    if text and match is None:
        raise BadQuery(f"--platform {text}: is not a satellite such as S2A or S3B")
    return f"sentinel-{match[1].lower()}" if match else ""


def _tile(text: str) -> str:
    try:
        return MgrsTile.parse(text.upper()).name if text else ""
    except ValueError as error:
        raise BadQuery(f"--tile: {error}") from error
