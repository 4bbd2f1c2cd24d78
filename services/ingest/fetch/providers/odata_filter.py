"""Writes `$filter` of the Copernicus Data Space's OData; whatever comes from elsewhere is quoted, or refused."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from services.ingest.fetch.errors import Misconfigured
from services.ingest.fetch.provider import Query
from services.ingest.fetch.providers.described import KINDS, write_time
from shared.area.source import ProductType

OUTLINE_LIMIT: Final = 3000
"""Characters of an outline: servers refuse addresses that are longer than about 8,000, once encoded."""


def literal(text: str) -> str:
    """Return a text as a literal of OData.

    Raises:
        Misconfigured: it holds control characters, or is longer than any name.
    """
    if len(text) > 300 or not text.isprintable():
        raise Misconfigured("a text that is searched for is not a name")
    return "'" + text.replace("'", "''") + "'"


def between(field: str, start: datetime | None, end: datetime | None) -> list[str]:
    """Return the conditions that a time lies in an interval, both ends included; None = open."""
    return [
        f"{field} {operator} {write_time(when)}" for operator, when in (("ge", start), ("le", end)) if when is not None
    ]


def of_type(product_type: ProductType) -> list[str]:
    """Return the conditions that a product is of a type."""
    return [f"Collection/Name eq {literal(KINDS[product_type].mission)}", _attribute("productType", product_type)]


def conditions(query: Query) -> list[str]:
    """Return all that a query asks for, but the time of publication."""
    wanted = [*of_type(query.product_type), *between("ContentDate/Start", *query.sensed), intersects(query.aoi)]
    if query.max_cloud_percent is not None and query.product_type != "OL_1_EFR___":
        wanted.append(
            "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
            f"att/OData.CSC.DoubleAttribute/Value le {query.max_cloud_percent:.6f})"
        )
    if query.mgrs_tile:
        wanted.append(_attribute("tileId", query.mgrs_tile.removeprefix("T")))
    if query.platform:
        wanted.append(f"startswith(Name,{literal('S' + query.platform.removeprefix('sentinel-').upper() + '_')})")
    return wanted


def intersects(aoi: BaseGeometry) -> str:
    """Return the condition that a product's footprint meets an area of interest."""
    outlines = [f"OData.CSC.Intersects(area=geography'SRID=4326;{_wkt(part)}')" for part in _parts(aoi)]
    return outlines[0] if len(outlines) == 1 else "(" + " or ".join(outlines) + ")"


def _attribute(name: str, value: str) -> str:
    return (
        f"Attributes/OData.CSC.StringAttribute/any(att:att/Name eq {literal(name)} and "
        f"att/OData.CSC.StringAttribute/Value eq {literal(value)})"
    )


def _parts(aoi: BaseGeometry) -> list[BaseGeometry]:
    """Return the polygons of an outline; those around it where it is too long to be sent."""
    parts = list(getattr(aoi, "geoms", [aoi]))
    if sum(len(_wkt(part)) for part in parts) <= OUTLINE_LIMIT:
        return parts
    hull = aoi.convex_hull
    return [hull if len(_wkt(hull)) <= OUTLINE_LIMIT else aoi.envelope]


def _wkt(part: BaseGeometry) -> str:
    return shapely.to_wkt(part, rounding_precision=6).replace("POLYGON (", "POLYGON(").replace(", ", ",")
