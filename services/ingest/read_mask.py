"""Masks that others made of a scene: a raster of one band, on any grid, told by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import rasterio
from pyproj.exceptions import CRSError, ProjError
from rasterio.errors import RasterioError
from shapely.geometry.base import BaseGeometry

from services.ingest.names import MaskName
from services.ingest.refuse import DELIVER_AGAIN
from shared.area import Area
from shared.area.masks import MaskSource
from shared.raster.delivered import GEOTIFF, decode_fault
from shared.raster.grid import outline
from shared.raster.options import DELIVERED
from shared.stage import RejectScene


@dataclass(frozen=True)
class DeliveredMask:
    """A mask that others made.

    Attributes:
        path: the GeoTIFF.
        outline: of the raster in longitude, latitude (degrees).
        crs: as `EPSG:n` or WKT.
    """

    path: Path
    outline: BaseGeometry
    crs: str


def read_mask(path: Path, name: MaskName, area: Area, unit: str) -> DeliveredMask:
    """Read a mask's header.

    Args:
        path: the GeoTIFF.
        name: what its name tells.
        area: the study area, whose `masks:` name the sources that are read.
        unit: what to call it in messages.

    Raises:
        RejectScene: of a source that the area does not name, or not a raster of one band with a georeference.
    """
    declared = {m.source: m for m in area.masks if isinstance(m, MaskSource)}
    if name.source not in declared:
        fault = f"is a mask of {name.source}, and the area's `masks:` name {', '.join(['own', *declared])}"
        raise RejectScene(unit, fault, f"add {name.source} and its values to `masks:` in the area file")
    try:
        with rasterio.Env(**DELIVERED), rasterio.open(path, driver=GEOTIFF.driver) as image:
            measured = declared[name.source].cloud_above is not None
            if image.count != 1 or (image.dtypes[0].startswith(("float", "complex")) and not measured):
                fault = f"has {image.count} bands of {image.dtypes[0]}, not one of {name.source}'s values"
                raise RejectScene(unit, fault, "deliver one band")
            if image.crs is None or image.transform.is_identity:
                raise RejectScene(unit, "has no georeference", "deliver the mask with its CRS and position")
            epsg = image.crs.to_epsg()
            crs = f"EPSG:{epsg}" if epsg else str(image.crs.to_wkt())
            return DeliveredMask(path, outline(crs, image.bounds), crs)
    except (RasterioError, OSError, UnicodeError) as error:
        raise RejectScene(unit, decode_fault(error, path), DELIVER_AGAIN) from error
    except (CRSError, ProjError, ValueError) as error:
        fault = f"has an unusable CRS or extent ({str(error)[:200]})"
        raise RejectScene(unit, fault, "deliver the mask in a CRS of the EPSG register") from error
