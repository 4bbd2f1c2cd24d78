"""STAC items of exported weeks: every href is relative, so that they work where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pystac

from services.inference.blend import CONFIDENCE_NODATA
from services.inference.item import PIXEL_M
from shared.area import Area
from shared.geo.outline import bbox, geojson
from shared.items.classes import PixelClass, classification
from shared.items.stac import CLASSIFICATION_EXTENSION, COG, JSON, PROJECTION_EXTENSION, XML
from shared.items.weeks import rfc3339, spell_week, week_bounds
from shared.raster.grid import Lattice


def catalogue_name(area: Area) -> str:
    """Return the file name of a folder's catalogue: of its own for each area, and never that of a store."""
    return f"{area.name}_catalog.json"


class WeekNames(Protocol):
    """The names of a week's files."""

    @property
    def land_cover(self) -> str:
        """The classes."""

    @property
    def confidence(self) -> str:
        """Percent."""

    @property
    def true_colour(self) -> str:
        """Red, green, blue."""

    @property
    def applicability(self) -> str:
        """Percent of the threshold of the dissimilarity index; empty where there is none."""


def item_json(
    area: Area,
    week: str,
    lattice: Lattice,
    facts: Mapping[str, Any],
    classes: Sequence[PixelClass],
    names: WeekNames,
) -> dict[str, Any]:
    """Return the item of an exported week, with the AOI's own outline as its geometry.

    Args:
        area: the study area.
        week: `2018-W26`.
        lattice: of its rasters.
        facts: its `landstream:` properties.
        classes: what the values of the map mean.
        names: of its files, which lie beside it.
    """
    start, end = week_bounds(week)
    properties = {
        "datetime": None,
        "start_datetime": rfc3339(start),
        "end_datetime": rfc3339(end),
        "title": f"Land cover of {area.name}, {spell_week(week)}",
        "gsd": PIXEL_M,
        **lattice.projection,
        **facts,
    }
    meaning = {"classification:classes": classification(classes), "nodata": 0, "data_type": "uint8"}
    percent = {"nodata": CONFIDENCE_NODATA, "data_type": "uint8", "unit": "%"}
    assets = {
        "land_cover": _asset(names.land_cover, COG, "Land cover", ["data"], meaning),
        "land_cover_aux": _asset(f"{names.land_cover}.aux.xml", XML, "Names of the classes", ["metadata"]),
        "confidence": _asset(names.confidence, COG, "Share of the chosen class", ["data"], percent),
        "true_colour": _asset(names.true_colour, COG, "True colour of the week", ["visual"], {"nodata": 0}),
    }
    if names.applicability:
        assets["applicability"] = _asset(names.applicability, COG, "It applies up to 100 %", ["data"], percent)
    item = {
        "type": "Feature",
        "stac_version": pystac.get_stac_version(),
        "stac_extensions": [CLASSIFICATION_EXTENSION, PROJECTION_EXTENSION],
        "id": f"{area.name}_{week}",
        "geometry": geojson(area.polygon),
        "bbox": list(bbox(area.polygon)),
        "properties": properties,
        "links": [{"rel": rel, "href": f"./{catalogue_name(area)}", "type": JSON} for rel in ("root", "parent")],
        "assets": assets,
    }
    pystac.Item.from_dict(item)  # refuses what is not an item, before anybody reads it
    return item


def _asset(name: str, media_type: str, title: str, roles: list[str], more: Mapping[str, Any] | None = None) -> Any:
    return {"href": f"./{name}", "type": media_type, "title": title, "roles": roles, **(more or {})}


def catalogue_json(area: Area, items: Mapping[str, str]) -> dict[str, Any]:
    """Return the catalogue of a folder.

    Args:
        area: the study area.
        items: week -> file name of its item, beside the catalogue.
    """
    links = [{"rel": "root", "href": f"./{catalogue_name(area)}", "type": JSON}]
    links += [
        {"rel": "item", "href": f"./{name}", "type": "application/geo+json", "title": week}
        for week, name in items.items()
    ]
    return {
        "type": "Catalog",
        "stac_version": pystac.get_stac_version(),
        "id": f"{area.name}-land-cover",
        "title": f"Land cover of {area.name}",
        "description": f"Land cover of {area.name}, one mosaic for each week.",
        "links": links,
    }
