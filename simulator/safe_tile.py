"""The documents of a granule and its datastrip, and empty vector masks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from simulator.msi import Lattice
from simulator.safe_names import SafeName, iso
from simulator.safe_xml import XSI, image_content
from simulator.sky import Sun

# ESA gives angles on 23 x 23 nodes, 5 km apart, whatever the granule holds.
_NODES = 23


@dataclass(frozen=True)
class Mask:
    """A mask in QI_DATA: type, path below the product's folder, band or None."""

    kind: str
    path: str
    band_id: int | None = None


def tile_document(name: SafeName, lattice: Lattice, sun: Sun, percentages: dict[int, float], masks: list[Mask]) -> str:
    """`MTD_TL.xml`."""
    zone, hemisphere = lattice.epsg % 100, "N" if lattice.epsg < 32700 else "S"
    sizes = "\n".join(
        f"""      <Size resolution="{r}">
        <NROWS>{lattice.rows * 10 // r}</NROWS>
        <NCOLS>{lattice.columns * 10 // r}</NCOLS>
      </Size>"""
        for r in (10, 20, 60)
    )
    positions = "\n".join(
        f"""      <Geoposition resolution="{r}">
        <ULX>{lattice.ulx_m}</ULX>
        <ULY>{lattice.uly_m}</ULY>
        <XDIM>{r}</XDIM>
        <YDIM>-{r}</YDIM>
      </Geoposition>"""
        for r in (10, 20, 60)
    )
    # From north-west to south-east the sun rises a little higher.
    ramp = np.add.outer(np.arange(_NODES), np.arange(_NODES)) - (_NODES - 1)
    view_zenith, view_azimuth = view_angles(name.mgrs_tile)
    views = "\n".join(
        _view_grid(band_id, detector, view_zenith, view_azimuth) for band_id in range(13) for detector in (5, 6)
    )
    means = "\n".join(
        f"""        <Mean_Viewing_Incidence_Angle bandId="{band_id}">
          <ZENITH_ANGLE unit="deg">{view_zenith + 0.02 * band_id:.6f}</ZENITH_ANGLE>
          <AZIMUTH_ANGLE unit="deg">{view_azimuth + 0.3 * band_id:.6f}</AZIMUTH_ANGLE>
        </Mean_Viewing_Incidence_Angle>"""
        for band_id in range(13)
    )
    files = "\n".join(
        "      <MASK_FILENAME"
        + (f' bandId="{mask.band_id}"' if mask.band_id is not None else "")
        + f' type="{mask.kind}">{mask.path}</MASK_FILENAME>'
        for mask in masks
    )
    root = f"Level-{name.level[1:]}_Tile_ID"
    namespace = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{name.level[1:]}_Tile_Metadata.xsd"
    preview = (
        name.image_stem("PVI", 10)
        .replace(f"IMG_DATA/{'R10m/' if name.level == 'L2A' else ''}", "QI_DATA/")
        .removesuffix("_10m")
    )
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{root} xmlns:n1="{namespace}" xmlns:xsi="{XSI}" xsi:schemaLocation="{namespace}">
  <n1:General_Info>
    <TILE_ID metadataLevel="Brief">{name.tile_id}</TILE_ID>
    <DATASTRIP_ID metadataLevel="Standard">{name.datastrip_id}</DATASTRIP_ID>
    <DOWNLINK_PRIORITY metadataLevel="Standard">NOMINAL</DOWNLINK_PRIORITY>
    <SENSING_TIME metadataLevel="Standard">{iso(name.sensing_start + timedelta(seconds=9))}</SENSING_TIME>
    <Archiving_Info metadataLevel="Expertise">
      <ARCHIVING_CENTRE>{name.centre}</ARCHIVING_CENTRE>
      <ARCHIVING_TIME>{iso(name.generated + timedelta(minutes=21))[:-1]}000Z</ARCHIVING_TIME>
    </Archiving_Info>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Geocoding metadataLevel="Brief">
      <HORIZONTAL_CS_NAME>WGS84 / UTM zone {zone:02d}{hemisphere}</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{lattice.epsg}</HORIZONTAL_CS_CODE>
{sizes}
{positions}
    </Tile_Geocoding>
    <Tile_Angles metadataLevel="Standard">
      <Sun_Angles_Grid>
{_grid("Zenith", sun.zenith_deg - 0.02 * ramp)}
{_grid("Azimuth", sun.azimuth_deg + 0.03 * ramp)}
      </Sun_Angles_Grid>
      <Mean_Sun_Angle>
        <ZENITH_ANGLE unit="deg">{sun.zenith_deg:.9f}</ZENITH_ANGLE>
        <AZIMUTH_ANGLE unit="deg">{sun.azimuth_deg:.9f}</AZIMUTH_ANGLE>
      </Mean_Sun_Angle>
{views}
      <Mean_Viewing_Incidence_Angle_List>
{means}
      </Mean_Viewing_Incidence_Angle_List>
    </Tile_Angles>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info metadataLevel="Standard">
{image_content(percentages, name.level, "    ")}
    <Pixel_Level_QI geometry="FULL_RESOLUTION">
{files}
    </Pixel_Level_QI>
    <PVI_FILENAME>{preview}.jp2</PVI_FILENAME>
  </n1:Quality_Indicators_Info>
</n1:{root}>
"""


def view_angles(mgrs_tile: str) -> tuple[float, float]:
    """Mean view zenith and azimuth in degrees: one per tile, since tiles lie at different places of the swath."""
    place = sum(map(ord, mgrs_tile)) % 9
    return 2.5 + 0.9 * place, 104.0 if place % 2 else 286.0


def datastrip_document(name: SafeName) -> str:
    """`MTD_DS.xml`, the part that readers ask for."""
    root = f"Level-{name.level[1:]}_DataStrip_ID"
    namespace = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{name.level[1:]}_Datastrip_Metadata.xsd"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{root} xmlns:n1="{namespace}" xmlns:xsi="{XSI}" xsi:schemaLocation="{namespace}">
  <n1:General_Info>
    <Datatake_Info datatakeIdentifier="{name.datatake_id}">
      <SPACECRAFT_NAME>Sentinel-{name.platform[1:]}</SPACECRAFT_NAME>
      <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
      <DATATAKE_SENSING_START>{iso(name.datatake_start)}</DATATAKE_SENSING_START>
      <SENSING_ORBIT_NUMBER>{name.relative_orbit}</SENSING_ORBIT_NUMBER>
      <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
    </Datatake_Info>
    <Datastrip_Time_Info>
      <DATASTRIP_SENSING_START>{iso(name.sensing_start)}</DATASTRIP_SENSING_START>
      <DATASTRIP_SENSING_STOP>{iso(name.sensing_start + timedelta(seconds=17))}</DATASTRIP_SENSING_STOP>
    </Datastrip_Time_Info>
    <Processing_Info>
      <PROCESSING_BASELINE>{name.dotted_baseline}</PROCESSING_BASELINE>
      <UTC_DATE_TIME>{iso(name.generated)[:-1]}000Z</UTC_DATE_TIME>
      <PROCESSING_CENTER>{name.centre}</PROCESSING_CENTER>
    </Processing_Info>
  </n1:General_Info>
</n1:{root}>
"""


def empty_mask(kind: str, band: str, epsg: int) -> str:
    """Return a GML mask without a polygon, as old baselines deliver them for flawless bands."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" \
gml:id="S2__OPER_{kind}_{band}">
  <gml:name>{kind}_{band}</gml:name>
  <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::{epsg}"/></gml:boundedBy>
</eop:Mask>
"""


def _grid(tag: str, values: NDArray[np.float64]) -> str:
    rows = "\n".join(
        "            <VALUES>" + " ".join("NaN" if np.isnan(v) else f"{v:.4f}" for v in row) + "</VALUES>"
        for row in values
    )
    return f"""        <{tag}>
          <COL_STEP unit="m">5000</COL_STEP>
          <ROW_STEP unit="m">5000</ROW_STEP>
          <Values_List>
{rows}
          </Values_List>
        </{tag}>"""


def _view_grid(band_id: int, detector: int, zenith: float, azimuth: float) -> str:
    columns = np.arange(_NODES)
    zeniths = np.tile(zenith + 0.02 * band_id + 0.05 * (columns - _NODES // 2), (_NODES, 1))
    azimuths = np.full((_NODES, _NODES), azimuth + 0.3 * band_id)
    # Each detector sees its half; the middle column belongs to both.
    outside = columns > _NODES // 2 if detector == 5 else columns < _NODES // 2
    zeniths[:, outside] = np.nan
    azimuths[:, outside] = np.nan
    return f"""      <Viewing_Incidence_Angles_Grids bandId="{band_id}" detectorId="{detector}">
{_grid("Zenith", zeniths)}
{_grid("Azimuth", azimuths)}
      </Viewing_Incidence_Angles_Grids>"""
