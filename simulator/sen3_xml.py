"""Who an OLCI product is, and its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from simulator.safe_names import compact
from simulator.spectra import OLCI_CENTRES_NM, OLCI_WIDTHS_NM

_NSSDC = {"S3A": "2016-011A", "S3B": "2018-039A"}


def precise(time: datetime) -> str:
    """`2018-06-26T09:01:02.345678Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Sen3Name:
    """Identity of an OLCI level-1 EFR product.

    Attributes:
        platform: `S3A` or `S3B`.
        start: UTC.
        stop: UTC.
        created: UTC.
        cycle: Of the orbit.
        relative_orbit: 1..385.
        frame: Along-track coordinate.
        timeliness: `NR` or `NT`.
        collection: `002` .. `004`.
        centre: Three characters.
    """

    platform: str
    start: datetime
    stop: datetime
    created: datetime
    cycle: int
    relative_orbit: int
    frame: int
    timeliness: str = "NT"
    collection: str = "002"
    centre: str = "LN1"

    @property
    def product(self) -> str:
        """Folder name."""
        duration = max(1, round((self.stop - self.start).total_seconds()))
        return (
            f"{self.platform}_OL_1_EFR____{compact(self.start)}_{compact(self.stop)}_{compact(self.created)}"
            f"_{duration:04d}_{self.cycle:03d}_{self.relative_orbit:03d}_{self.frame:04d}_{self.centre}_O"
            f"_{self.timeliness}_{self.collection}.SEN3"
        )

    @property
    def absolute_orbit(self) -> int:
        """Orbits since launch: 385 to a cycle, the first of which began at orbit 28."""
        return max((self.cycle - 1) * 385 + self.relative_orbit - 27, 1)

    @property
    def baseline(self) -> str | None:
        """Processing baseline as the files of later collections name it."""
        return f"OL__L1_.{self.collection}.03.01" if self.collection >= "003" else None

    def attributes(self, title: str, start: datetime, stop: datetime) -> dict[str, object]:
        """Global attributes of each netCDF file."""
        attributes: dict[str, object] = {
            "absolute_orbit_number": np.uint32(self.absolute_orbit),
            "ac_subsampling_factor": np.uint16(64),
            "al_subsampling_factor": np.uint16(1),
            "comment": " ",
            "contact": "eosupport@copernicus.esa.int",
            "creation_time": self.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "history": "simulated",
            "institution": self.centre,
            "netCDF_version": "4.9",
            "product_name": self.product,
            "references": "S3IPF PDS 004.1",
            "resolution": "[ 270 294 ]",
            "source": "IPF-OL-1-EO 06.11",
            "start_time": precise(start),
            "stop_time": precise(stop),
            "title": title,
        }
        if self.baseline:
            attributes["processing_baseline"] = self.baseline
        return attributes


@dataclass(frozen=True)
class ManifestFacts:
    """What the manifest says about the pixels.

    Attributes:
        start: Of the first row.
        stop: Of the last row.
        shape: Rows, columns.
        ring: Closed ring of (latitude, longitude).
        percentages: Of invalid, duplicated, freshInlandWater and bright pixels.
        sun_distance_m: Earth to sun.
    """

    start: datetime
    stop: datetime
    shape: tuple[int, ...]
    ring: list[tuple[float, float]]
    percentages: dict[str, float]
    sun_distance_m: float


def manifest(name: Sen3Name, facts: ManifestFacts, files: list[tuple[str, int, str]]) -> str:
    """`xfdumanifest.xml`.

    Args:
        name: Identity.
        facts: About the pixels.
        files: Name, size and MD5 of each netCDF file.

    Returns:
        The document.
    """
    size = sum(entry[1] for entry in files)
    ring = " ".join(f"{latitude:.6g} {longitude:.6g}" for latitude, longitude in facts.ring)
    sections = [
        _section("acquisitionPeriod", f"""<sentinel-safe:acquisitionPeriod>
            <sentinel-safe:startTime>{precise(facts.start)}</sentinel-safe:startTime>
            <sentinel-safe:stopTime>{precise(facts.stop)}</sentinel-safe:stopTime>
          </sentinel-safe:acquisitionPeriod>"""),
        _section("platform", f"""<sentinel-safe:platform>
            <sentinel-safe:nssdcIdentifier>{_NSSDC[name.platform]}</sentinel-safe:nssdcIdentifier>
            <sentinel-safe:familyName>Sentinel-3</sentinel-safe:familyName>
            <sentinel-safe:number>{name.platform[-1]}</sentinel-safe:number>
            <sentinel-safe:instrument>
              <sentinel-safe:familyName abbreviation="OLCI">Ocean Land Colour Instrument</sentinel-safe:familyName>
              <sentinel-safe:mode identifier="EO">Earth Observation</sentinel-safe:mode>
            </sentinel-safe:instrument>
          </sentinel-safe:platform>"""),
        _section("measurementFrameSet", f"""<sentinel-safe:frameSet>
            <sentinel-safe:footPrint srsName="http://www.opengis.net/def/crs/EPSG/0/4326">
              <gml:posList>{ring}</gml:posList>
            </sentinel-safe:footPrint>
          </sentinel-safe:frameSet>"""),
        _section("generalProductInformation", _general(name, size)),
        _section("olciProductInformation", _olci(facts)),
        _section("measurementOrbitReference", f"""<sentinel-safe:orbitReference>
            {_orbit("orbitNumber", name.absolute_orbit)}
            {_orbit("relativeOrbitNumber", name.relative_orbit)}
            {_orbit("passNumber", 2 * name.absolute_orbit)}
            {_orbit("relativePassNumber", 2 * name.relative_orbit)}
            <sentinel-safe:cycleNumber>{name.cycle}</sentinel-safe:cycleNumber>
            <sentinel-safe:phaseIdentifier>1</sentinel-safe:phaseIdentifier>
          </sentinel-safe:orbitReference>"""),
        _section("measurementQualityInformation", """<sentinel-safe:qualityInformation>
            <sentinel-safe:extension>
              <sentinel3:productQuality>
                <sentinel3:onlineQualityCheck>PASSED</sentinel3:onlineQualityCheck>
                <sentinel3:degradationFlags/>
              </sentinel3:productQuality>
            </sentinel-safe:extension>
          </sentinel-safe:qualityInformation>"""),
    ]  # fmt: skip
    objects = "\n".join(
        f"""    <dataObject ID="{_object_id(file)}">
      <byteStream mimeType="application/x-netcdf" size="{length}">
        <fileLocation locatorType="URL" textInfo="{file.removesuffix(".nc")}" href="./{file}"/>
        <checksum checksumName="MD5">{digest}</checksum>
      </byteStream>
    </dataObject>"""
        for file, length, digest in files
    )
    units = "\n".join(
        f"""      <xfdu:contentUnit ID="{_object_id(file).removesuffix("Data")}Unit" unitType="Measurement Data Unit">
        <dataObjectPointer dataObjectID="{_object_id(file)}"/>
      </xfdu:contentUnit>"""
        for file, _, _ in files
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:sentinel-safe="http://www.esa.int/safe/sentinel/1.1" \
xmlns:gml="http://www.opengis.net/gml" xmlns:sentinel3="http://www.esa.int/safe/sentinel/sentinel-3/1.0" \
xmlns:olci="http://www.esa.int/safe/sentinel/sentinel-3/olci/1.0" \
version="esa/safe/sentinel/sentinel-3/olci/level-1/1.0">
  <informationPackageMap>
    <xfdu:contentUnit ID="packageUnit" unitType="Information Package" \
textInfo="SENTINEL-3 OLCI Level 1 Earth Observation Full Resolution Product">
{units}
    </xfdu:contentUnit>
  </informationPackageMap>
  <metadataSection>
{"".join(sections)}  </metadataSection>
  <dataObjectSection>
{objects}
  </dataObjectSection>
</xfdu:XFDU>
"""


def _orbit(tag: str, number: int) -> str:
    direction = 'type="start" groundTrackDirection="descending"'
    return f"<sentinel-safe:{tag} {direction}>{number}</sentinel-safe:{tag}>"


def _section(identifier: str, body: str) -> str:
    return f"""    <metadataObject ID="{identifier}" classification="DESCRIPTION" category="DMD">
      <metadataWrap mimeType="text/xml" vocabularyName="Sentinel-SAFE" textInfo="{identifier}">
        <xmlData>
          {body}
        </xmlData>
      </metadataWrap>
    </metadataObject>
"""


def _object_id(file: str) -> str:
    stem = file.removesuffix(".nc")
    if stem.startswith("Oa"):
        return f"{stem}Data"
    head, *rest = stem.split("_")
    return head + "".join(word.capitalize() for word in rest) + "Data"


def _general(name: Sen3Name, size: int) -> str:
    baseline = (
        f"\n            <sentinel3:processingBaseline>{name.baseline}</sentinel3:processingBaseline>"
        if name.baseline
        else ""
    )
    duration = max(1, round((name.stop - name.start).total_seconds()))
    return f"""<sentinel3:generalProductInformation>
            <sentinel3:productName>{name.product}</sentinel3:productName>
            <sentinel3:productType>OL_1_EFR___</sentinel3:productType>
            <sentinel3:timeliness>{name.timeliness}</sentinel3:timeliness>
            <sentinel3:baselineCollection>{name.collection}</sentinel3:baselineCollection>{baseline}
            <sentinel3:creationTime>{compact(name.created)}</sentinel3:creationTime>
            <sentinel3:productSize>{size}</sentinel3:productSize>
            <sentinel3:dumpInformation>
              <sentinel3:dumpStart>{precise(name.start - timedelta(minutes=41))}</sentinel3:dumpStart>
              <sentinel3:receivingGroundStation>CGS</sentinel3:receivingGroundStation>
            </sentinel3:dumpInformation>
            <sentinel3:dispositionMode>Operational</sentinel3:dispositionMode>
            <sentinel3:productUnit>
              <sentinel3:type>FRAME</sentinel3:type>
              <sentinel3:duration>{duration}</sentinel3:duration>
              <sentinel3:alongtrackCoordinate>{name.frame}</sentinel3:alongtrackCoordinate>
            </sentinel3:productUnit>
          </sentinel3:generalProductInformation>"""


def _olci(facts: ManifestFacts) -> str:
    rows, columns = facts.shape
    shares = facts.percentages
    summary = {
        "salineWater": 0.0,
        "coastal": 0.0,
        "freshInlandWater": shares["freshInlandWater"],
        "tidalRegion": 0.0,
        "bright": shares["bright"],
    }
    classes = "\n".join(
        f'              <sentinel3:{key}Pixels percentage="{value:.6f}"/>' for key, value in summary.items()
    )
    quality = "\n".join(
        f'              <olci:{key} value="{round(rows * columns * value / 100)}" percentage="{value:.6f}"/>'
        for key, value in (
            ("invalidPixels", shares["invalid"]), ("cosmeticPixels", 0.0), ("duplicatedPixels", shares["duplicated"]),
            ("saturatedPixels", 0.0), ("dubiousSamples", 0.0),
        )
    )  # fmt: skip
    bands = "\n".join(
        f"""              <sentinel3:band name="Oa{index + 1:02d}">
                <sentinel3:centralWavelength>{centre:g}</sentinel3:centralWavelength>
                <sentinel3:bandwidth>{width:g}</sentinel3:bandwidth>
              </sentinel3:band>"""
        for index, (centre, width) in enumerate(zip(OLCI_CENTRES_NM, OLCI_WIDTHS_NM, strict=True))
    )
    return f"""<olci:olciProductInformation>
            <olci:classificationSummary>
{classes}
            </olci:classificationSummary>
            <olci:imageSize>
              <sentinel3:rows>{rows}</sentinel3:rows>
              <sentinel3:columns>{columns}</sentinel3:columns>
            </olci:imageSize>
            <olci:pixelQualitySummary>
{quality}
            </olci:pixelQualitySummary>
            <olci:earthSunDistance>{facts.sun_distance_m:.0f}</olci:earthSunDistance>
            <olci:samplingParameters>
              <olci:alTimeSampling>44001</olci:alTimeSampling>
              <olci:alSpatialSampling>294</olci:alSpatialSampling>
              <olci:acSpatialSampling>270</olci:acSpatialSampling>
              <olci:rowsPerTiePoint>1</olci:rowsPerTiePoint>
              <olci:columnsPerTiePoint>64</olci:columnsPerTiePoint>
            </olci:samplingParameters>
            <olci:bandDescriptions bands="21">
{bands}
            </olci:bandDescriptions>
          </olci:olciProductInformation>"""
