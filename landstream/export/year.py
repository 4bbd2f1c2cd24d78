"""The weeks of a year as one raster: a VRT with a band for each week that lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from landstream.vrt import add_source, begin_vrt, write_vrt
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
    root = begin_vrt(lattice)
    for number, (week, name) in enumerate(weeks.items(), start=1):
        band = ElementTree.SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        ElementTree.SubElement(band, "Description").text = week
        ElementTree.SubElement(band, "NoDataValue").text = "0"
        name_and_color(band, classes)
        source = add_source(band, "ComplexSource", name, 1, lattice.shape, (0, 0))
        ElementTree.SubElement(source, "NODATA").text = "0"
    write_vrt(path, root)
