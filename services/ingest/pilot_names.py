"""Element names of ESA's pilot L2A products (`S2MSI2Ap`, May 2017 to March 2018), where they differ from later ones.

Source: Sentinel-2 Products Specification Document 14.2; https://gdal.org/drivers/raster/sentinel2.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element

from services.ingest.read_xml import local

NAMES: Final[Mapping[str, str]] = {
    "L2A_Product_Info": "Product_Info",
    "L2A_Product_Organisation": "Product_Organisation",
    "L2A_Product_Image_Characteristics": "Product_Image_Characteristics",
    "L1C_L2A_Quantification_Values_List": "QUANTIFICATION_VALUES_LIST",
    "L2A_BOA_QUANTIFICATION_VALUE": "BOA_QUANTIFICATION_VALUE",
    "L2A_Quality_Indicators_Info": "Quality_Indicators_Info",
    "IMAGE_FILE_2A": "IMAGE_FILE",
    "PRODUCT_URI_2A": "PRODUCT_URI",
}
"""Local name in a pilot product -> that of all later ones."""


def rename_pilot(product: Element) -> None:
    """Give the elements of a pilot product's metadata the names that all later products use; others stay as they are.

    Args:
        product: root of `MTD_MSIL2A.xml`, changed in place.
    """
    for element in product.iter():
        name = local(element)
        if name in NAMES:
            element.tag = NAMES[name]
