"""GDAL's virtual rasters: what each of ours begins and ends with."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from pyproj import CRS

from shared.raster.grid import Lattice


def begin_vrt(lattice: Lattice) -> ElementTree.Element:
    """Return a VRT over a lattice, without bands."""
    ny, nx = lattice.shape
    root = ElementTree.Element("VRTDataset", rasterXSize=str(nx), rasterYSize=str(ny))
    ElementTree.SubElement(root, "SRS").text = CRS.from_user_input(lattice.crs).to_wkt("WKT1_GDAL")
    x, y, pixel = lattice.x, lattice.y, lattice.pixel
    ElementTree.SubElement(root, "GeoTransform").text = f"{x!r}, {pixel!r}, 0.0, {y!r}, 0.0, {-pixel!r}"
    return root


def add_source(
    band: ElementTree.Element, kind: str, name: str, number: int, shape: tuple[int, int], corner: tuple[int, int]
) -> ElementTree.Element:
    """Add a file beside the VRT as a source of a band.

    Args:
        band: the band's element.
        kind: `SimpleSource` or `ComplexSource`.
        name: of the file.
        number: of its band.
        shape: (ny, nx) of the file.
        corner: row and column of the VRT at which it lies.
    """
    source = ElementTree.SubElement(band, kind)
    ElementTree.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
    ElementTree.SubElement(source, "SourceBand").text = str(number)
    ny, nx = map(str, shape)
    y, x = map(str, corner)
    ElementTree.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=nx, ySize=ny)
    ElementTree.SubElement(source, "DstRect", xOff=x, yOff=y, xSize=nx, ySize=ny)
    return source


def write_vrt(path: Path, root: ElementTree.Element) -> None:
    """Write a VRT."""
    ElementTree.indent(root)
    path.write_text(ElementTree.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
