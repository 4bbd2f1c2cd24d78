"""The documents of a SAFE folder's root: product metadata, INSPIRE record and manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from pyproj import Transformer

from simulator.msi import Lattice
from simulator.safe_names import BAND_IDS, L2A_FILES, SafeName, iso
from simulator.sky import sun_distance_au
from simulator.spectra import S2_BANDS, S2_CENTRES_NM, S2_RESOLUTION_M

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_WIDTHS_NM = (44, 77, 45, 38, 19, 18, 28, 147, 44, 26, 75, 143, 242)
_IRRADIANCE = {
    "S2A": (
        1884.69, 1959.66, 1823.24, 1512.06, 1424.64, 1287.61, 1162.08, 1041.63, 955.32, 812.92, 367.15, 245.59, 85.25,
    ),
    "S2B": (
        1874.3, 1959.75, 1824.93, 1512.79, 1425.78, 1291.13, 1175.57, 1041.28, 953.93, 817.58, 365.41, 247.08, 87.75,
    ),
}  # fmt: skip
_SCL_TEXTS = (
    "NODATA", "SATURATED_DEFECTIVE", "DARK_FEATURE_SHADOW", "CLOUD_SHADOW", "VEGETATION", "NOT_VEGETATED", "WATER",
    "UNCLASSIFIED", "CLOUD_MEDIUM_PROBA", "CLOUD_HIGH_PROBA", "THIN_CIRRUS", "SNOW_ICE",
)  # fmt: skip
_CONTENT = {
    0: "NODATA_PIXEL", 1: "SATURATED_DEFECTIVE_PIXEL", 2: "DARK_FEATURES", 3: "CLOUD_SHADOW", 4: "VEGETATION",
    5: "NOT_VEGETATED", 6: "WATER", 7: "UNCLASSIFIED", 8: "MEDIUM_PROBA_CLOUDS", 9: "HIGH_PROBA_CLOUDS",
    10: "THIN_CIRRUS", 11: "SNOW_ICE",
}  # fmt: skip


@dataclass(frozen=True)
class ManifestEntry:
    """A file of the product: path below its folder, bytes, lower-case hexadecimal digest."""

    path: str
    size: int
    digest: str


def cloudy_percentage(percentages: dict[int, float]) -> float:
    """Return the clouds of medium and high probability and thin cirrus, percent."""
    return percentages[8] + percentages[9] + percentages[10]


def image_content(percentages: dict[int, float], level: str, indent: str) -> str:
    """`Image_Content_QI` from shares per class of the scene classification."""
    lines = [f"<CLOUDY_PIXEL_PERCENTAGE>{cloudy_percentage(percentages):.6f}</CLOUDY_PIXEL_PERCENTAGE>"]
    lines.append("<DEGRADED_MSI_DATA_PERCENTAGE>0.000000</DEGRADED_MSI_DATA_PERCENTAGE>")
    if level == "L2A":
        lines += [f"<{tag}_PERCENTAGE>{percentages[code]:.6f}</{tag}_PERCENTAGE>" for code, tag in _CONTENT.items()]
    else:
        lines.append(f"<NODATA_PIXEL_PERCENTAGE>{percentages[0]:.6f}</NODATA_PIXEL_PERCENTAGE>")
    body = "\n".join(f"{indent}  {line}" for line in lines)
    return f"{indent}<Image_Content_QI>\n{body}\n{indent}</Image_Content_QI>"


def footprint(lattice: Lattice) -> str:
    """Return the closed ring of the granule's corners, latitude before longitude."""
    west, north = lattice.ulx_m, lattice.uly_m
    east, south = west + lattice.columns * 10, north - lattice.rows * 10
    to_degrees = Transformer.from_crs(lattice.epsg, 4326, always_xy=True)
    ring = [
        to_degrees.transform(x, y)
        for x, y in ((west, north), (east, north), (east, south), (west, south), (west, north))
    ]
    return " ".join(f"{latitude:.9f} {longitude:.9f}" for longitude, latitude in ring)


def image_files(name: SafeName) -> list[str]:
    """Return the paths of the images below the product's folder, without extension."""
    if name.level == "L1C":
        return [name.image_stem(band, 0) for band in (*BAND_IDS, "TCI")]
    return [
        name.image_stem(file, resolution_m)
        for resolution_m, files in L2A_FILES.items()
        for file in files
        if name.modern or (file, resolution_m) != ("B01", 20)
    ]


def product_document(name: SafeName, lattice: Lattice, percentages: dict[int, float]) -> str:
    """`MTD_MSIL1C.xml` or `MTD_MSIL2A.xml`."""
    root = f"Level-{name.level[1:]}_User_Product"
    namespace = _namespace(name, f"User_Product_Level-{name.level[1:]}.xsd")
    images = "\n".join(f"            <IMAGE_FILE>{path}</IMAGE_FILE>" for path in image_files(name))
    doi = "\n      <PRODUCT_DOI>https://doi.org/10.5270/S2_-znk9xsj</PRODUCT_DOI>" if name.baseline >= "0500" else ""
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{root} xmlns:n1="{namespace}" xmlns:xsi="{XSI}" xsi:schemaLocation="{namespace}">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{iso(name.datatake_start)}</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{iso(name.datatake_start)}</PRODUCT_STOP_TIME>
      <PRODUCT_URI>{name.product}</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{name.level[1:]}</PROCESSING_LEVEL>
      <PRODUCT_TYPE>S2MSI{name.level[1:]}</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{name.dotted_baseline}</PROCESSING_BASELINE>{doi}
      <GENERATION_TIME>{iso(name.generated)[:-1]}000Z</GENERATION_TIME>
      <PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL>
      <PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
      <Datatake datatakeIdentifier="{name.datatake_id}">
        <SPACECRAFT_NAME>Sentinel-{name.platform[1:]}</SPACECRAFT_NAME>
        <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <DATATAKE_SENSING_START>{iso(name.datatake_start)}</DATATAKE_SENSING_START>
        <SENSING_ORBIT_NUMBER>{name.relative_orbit}</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
      <Query_Options completeSingleTile="true">
        <PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT>
      </Query_Options>
      <Product_Organisation>
        <Granule_List>
          <Granule datastripIdentifier="{name.datastrip_id}" granuleIdentifier="{name.tile_id}" imageFormat="JPEG2000">
{images}
          </Granule>
        </Granule_List>
      </Product_Organisation>
    </Product_Info>
{_characteristics(name)}
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint>
      <Product_Footprint>
        <Global_Footprint>
          <EXT_POS_LIST>{footprint(lattice)} </EXT_POS_LIST>
        </Global_Footprint>
      </Product_Footprint>
      <RASTER_CS_TYPE>POINT</RASTER_CS_TYPE>
      <PIXEL_ORIGIN>1</PIXEL_ORIGIN>
    </Product_Footprint>
    <Coordinate_Reference_System>
      <GEO_TABLES version="1">EPSG</GEO_TABLES>
      <HORIZONTAL_CS_TYPE>GEOGRAPHIC</HORIZONTAL_CS_TYPE>
    </Coordinate_Reference_System>
  </n1:Geometric_Info>
  <n1:Auxiliary_Data_Info>
    <PRODUCTION_DEM_TYPE>CopernicusDEM30</PRODUCTION_DEM_TYPE>
  </n1:Auxiliary_Data_Info>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>{cloudy_percentage(percentages):.6f}</Cloud_Coverage_Assessment>
    <Technical_Quality_Assessment>
      <DEGRADED_ANC_DATA_PERCENTAGE>0.0</DEGRADED_ANC_DATA_PERCENTAGE>
      <DEGRADED_MSI_DATA_PERCENTAGE>0</DEGRADED_MSI_DATA_PERCENTAGE>
    </Technical_Quality_Assessment>
    <Quality_Control_Checks>
      <Quality_Inspections>
        <quality_check checkType="FORMAT_CORRECTNESS">PASSED</quality_check>
        <quality_check checkType="GENERAL_QUALITY">PASSED</quality_check>
        <quality_check checkType="GEOMETRIC_QUALITY">PASSED</quality_check>
        <quality_check checkType="RADIOMETRIC_QUALITY">PASSED</quality_check>
        <quality_check checkType="SENSOR_QUALITY">PASSED</quality_check>
      </Quality_Inspections>
      <Failed_Inspections/>
    </Quality_Control_Checks>
{image_content(percentages, name.level, "    ") if name.level == "L2A" else ""}
  </n1:Quality_Indicators_Info>
</n1:{root}>
"""


def _characteristics(name: SafeName) -> str:
    sun_factor = sun_distance_au(name.datatake_start.timetuple().tm_yday) ** -2
    irradiance = _IRRADIANCE["S2A" if name.platform in ("S2A", "S2C") else "S2B"]
    irradiances = "\n".join(
        f'          <SOLAR_IRRADIANCE bandId="{band_id}" unit="W/m²/µm">{value}</SOLAR_IRRADIANCE>'
        for band_id, value in enumerate(irradiance)
    )
    spectral = "\n".join(
        f"""        <Spectral_Information bandId="{BAND_IDS[band]}" physicalBand="{band.replace("B0", "B")}">
          <RESOLUTION>{S2_RESOLUTION_M[band]}</RESOLUTION>
          <Wavelength>
            <MIN unit="nm">{round(centre - width / 2)}</MIN>
            <MAX unit="nm">{round(centre + width / 2)}</MAX>
            <CENTRAL unit="nm">{centre}</CENTRAL>
          </Wavelength>
        </Spectral_Information>"""
        for band, centre, width in zip(S2_BANDS, S2_CENTRES_NM, _WIDTHS_NM, strict=True)
    )
    tag, group = (
        ("BOA_ADD_OFFSET", "BOA_ADD_OFFSET_VALUES_LIST")
        if name.level == "L2A"
        else ("RADIO_ADD_OFFSET", "Radiometric_Offset_List")
    )
    offsets = "".join(f'\n        <{tag} band_id="{band_id}">{name.offset}</{tag}>' for band_id in range(13))
    offset_list = f"\n      <{group}>{offsets}\n      </{group}>" if name.modern else ""
    quantification = (
        """<QUANTIFICATION_VALUES_LIST>
        <BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
        <WVP_QUANTIFICATION_VALUE unit="cm">1000.0</WVP_QUANTIFICATION_VALUE>
      </QUANTIFICATION_VALUES_LIST>"""
        if name.level == "L2A"
        else '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
    )
    scene_classes = "\n".join(
        f"""        <Scene_Classification_ID>
          <SCENE_CLASSIFICATION_TEXT>SC_{text}</SCENE_CLASSIFICATION_TEXT>
          <SCENE_CLASSIFICATION_INDEX>{code}</SCENE_CLASSIFICATION_INDEX>
        </Scene_Classification_ID>"""
        for code, text in enumerate(_SCL_TEXTS)
    )
    classification = (
        f"\n      <Scene_Classification_List>\n{scene_classes}\n      </Scene_Classification_List>"
        if name.level == "L2A"
        else ""
    )
    return f"""    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Image_Display_Order>
        <RED_CHANNEL>3</RED_CHANNEL>
        <GREEN_CHANNEL>2</GREEN_CHANNEL>
        <BLUE_CHANNEL>1</BLUE_CHANNEL>
      </Image_Display_Order>
      {quantification}{offset_list}
      <Reflectance_Conversion>
        <U>{sun_factor:.15f}</U>
        <Solar_Irradiance_List>
{irradiances}
        </Solar_Irradiance_List>
      </Reflectance_Conversion>
      <Spectral_Information_List>
{spectral}
      </Spectral_Information_List>
      <REFERENCE_BAND>3</REFERENCE_BAND>{classification}
    </Product_Image_Characteristics>"""


def inspire_document(name: SafeName) -> str:
    """Return a short INSPIRE record."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<gmd:MD_Metadata xmlns:gmd="http://www.isotc211.org/2005/gmd" xmlns:gco="http://www.isotc211.org/2005/gco">
  <gmd:fileIdentifier><gco:CharacterString>{name.product}</gco:CharacterString></gmd:fileIdentifier>
  <gmd:dateStamp><gco:DateTime>{iso(name.generated)}</gco:DateTime></gmd:dateStamp>
</gmd:MD_Metadata>
"""


def manifest(name: SafeName, entries: list[ManifestEntry]) -> str:
    """`manifest.safe`: one data object per file, with its size and checksum."""
    algorithm = "SHA3-256" if name.modern else "MD5"
    level = f"Level-{name.level[1:]}"
    l1c_ids = _l1c_image_ids(name)
    objects, metadata = [], []
    for entry in entries:
        identifier = l1c_ids.get(entry.path) or _object_id(entry.path, level)
        mime = "text/xml" if entry.path.endswith(".xml") else "application/octet-stream"
        objects.append(
            f"""    <dataObject ID="{identifier}">
      <byteStream mimeType="{mime}" size="{entry.size}">
        <fileLocation href="./{entry.path}" locatorType="URL"/>
        <checksum checksumName="{algorithm}">{entry.digest}</checksum>
      </byteStream>
    </dataObject>"""
        )
        if identifier.endswith("_Metadata"):
            metadata.append(
                f"""    <metadataObject ID="{identifier}_Information" category="DMD" classification="DESCRIPTION">
      <dataObjectPointer dataObjectID="{identifier}"/>
    </metadataObject>"""
            )
    archive = f"esa/safe/sentinel/1.1/sentinel-2/msi/archive_l{name.level[1:].lower()}_user_product"
    stop = name.datatake_start + timedelta(seconds=20)
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<xfdu:XFDU xmlns:gml="http://www.opengis.net/gml" xmlns:safe="http://www.esa.int/safe/sentinel/1.1" \
xmlns:xfdu="urn:ccsds:schema:xfdu:1" version="{archive}">
  <informationPackageMap>
    <xfdu:contentUnit ID="Product_Metadata_{level}" unitType="Metadata Unit">
      <dataObjectPointer dataObjectID="S2_{level}_Product_Metadata"/>
    </xfdu:contentUnit>
  </informationPackageMap>
  <metadataSection>
    <metadataObject ID="acquisitionPeriod" category="DMD" classification="DESCRIPTION">
      <metadataWrap mimeType="text/xml" textInfo="Acquisition Period" vocabularyName="SAFE">
        <xmlData>
          <safe:acquisitionPeriod>
            <safe:startTime>{iso(name.datatake_start)}</safe:startTime>
            <safe:stopTime>{iso(stop)}</safe:stopTime>
          </safe:acquisitionPeriod>
        </xmlData>
      </metadataWrap>
    </metadataObject>
{chr(10).join(metadata)}
  </metadataSection>
  <dataObjectSection>
{chr(10).join(objects)}
  </dataObjectSection>
</xfdu:XFDU>
"""


def _object_id(path: str, level: str) -> str:
    stem = PurePosixPath(path).stem
    if path.startswith("MTD_MSI"):
        return f"S2_{level}_Product_Metadata"
    if path == "INSPIRE.xml":
        return "INSPIRE_Metadata"
    if stem == "MTD_DS":
        return f"S2_{level}_Datastrip1_Metadata"
    if stem == "MTD_TL":
        return f"S2_{level}_Tile1_Metadata"
    image = re.search(r"_([A-Z0-9]{3}_\d0m)$", stem)
    if image and "/IMG_DATA/" in path:
        return f"IMG_DATA_Band_{image[1]}_Tile1_Data"
    return f"{stem}_Tile1_Data"


def _l1c_image_ids(name: SafeName) -> dict[str, str]:
    """L1C counts its images per resolution: `IMG_DATA_Band_10m_1_Tile1_Data` is B02."""
    if name.level != "L1C":
        return {}
    counts = {10: 0, 20: 0, 60: 0}
    ids = {f"{name.image_stem('TCI', 0)}.jp2": "IMG_DATA_Band_TCI_Tile1_Data"}
    for band in BAND_IDS:
        resolution_m = S2_RESOLUTION_M[band]
        counts[resolution_m] += 1
        ids[f"{name.image_stem(band, 0)}.jp2"] = f"IMG_DATA_Band_{resolution_m}m_{counts[resolution_m]}_Tile1_Data"
    return ids


def _namespace(name: SafeName, schema: str) -> str:
    version = "15" if name.baseline >= "0511" else "14"
    return f"https://psd-{version}.sentinel2.eo.esa.int/PSD/{schema}"
