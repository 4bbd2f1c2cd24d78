"""The weeks of a year as one raster: a VRT with a band for each week that lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from pyproj import CRS

from shared.items.classes import PixelClass
from shared.raster.cog import name_and_color
from shared.raster.grid import Lattice


def write_year(path: Path, lattice: Lattice, weeks: Mapping[str, str], classes: Sequence[PixelClass]) -> None:
    """Write the VRT of class rasters on one lattice.

    Args:
        path: the file to make.
        lattice: of all of them.
        weeks: week -> file name beside `path`, in the order of the bands.
        classes: what their values mean; 0 is nodata.
    """
    ny, nx = lattice.shape
    root = ElementTree.Element("VRTDataset", rasterXSize=str(nx), rasterYSize=str(ny))
    ElementTree.SubElement(root, "SRS").text = CRS.from_user_input(lattice.crs).to_wkt("WKT1_GDAL")
    x, y, pixel = lattice.x, lattice.y, lattice.pixel
    ElementTree.SubElement(root, "GeoTransform").text = f"{x!r}, {pixel!r}, 0.0, {y!r}, 0.0, {-pixel!r}"
    for number, (week, name) in enumerate(weeks.items(), start=1):
        band = ElementTree.SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        ElementTree.SubElement(band, "Description").text = week
        ElementTree.SubElement(band, "NoDataValue").text = "0"
        name_and_color(band, classes)
        source = ElementTree.SubElement(band, "ComplexSource")
        ElementTree.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
        ElementTree.SubElement(source, "SourceBand").text = "1"
        box = {"xOff": "0", "yOff": "0", "xSize": str(nx), "ySize": str(ny)}
        ElementTree.SubElement(source, "SrcRect", box)
        ElementTree.SubElement(source, "DstRect", box)
        ElementTree.SubElement(source, "NODATA").text = "0"
    ElementTree.indent(root)
    path.write_text(ElementTree.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
