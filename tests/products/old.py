"""Good L2A products in the clothes of the official ones of 2017 and 2018.

Structures as in products that ESA published, by GDAL's autotest `fake_l2a_MSIL2Ap` (cut from a real one), stactools
sentinel2 issue 53 and STEP forum topic 15637.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.products.bad import reseal

NODE = "/dpc/app/facilities/X-core/DPC/exec/data/launch_6/.1_2/.S2A_OPER_MSI_L2A_TL_X___20180605T120000_A015420_T34TGR"
"""A folder of a processing node: made up, of the shape of those that were published."""

_PILOT_ELEMENTS = (
    ("Product_Info>", "L2A_Product_Info>"),
    ("Product_Organisation>", "L2A_Product_Organisation>"),
    ("Product_Image_Characteristics>", "L2A_Product_Image_Characteristics>"),
    ("QUANTIFICATION_VALUES_LIST>", "L1C_L2A_Quantification_Values_List>"),
    ("IMAGE_FILE>", "IMAGE_FILE_2A>"),
    ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
    ("S2MSI2A<", "S2MSI2Ap<"),
    ("Level-2A<", "Level-2Ap<"),
)


def name_the_node(root: Path, folders: tuple[str, ...] = ("GRANULE",)) -> Path:
    """Baseline 02.08: the manifest names some of its files by absolute paths of the processing node."""
    manifest = root / "manifest.safe"
    text = manifest.read_text()
    for folder in folders:
        assert f'href="./{folder}/' in text
        text = text.replace(f'href="./{folder}/', f'href="{NODE}/{folder}/')
    manifest.write_text(text)
    return root


def split_the_list(root: Path) -> Path:
    """Baselines up to 02.07: one list of images a resolution, each of the same granule."""
    path = root / "MTD_MSIL2A.xml"
    text = path.read_text()
    match = re.search(r"( *<Granule [^>]*>\n)(.*?)( *</Granule>\n)", text, re.DOTALL)
    assert match
    head, images, tail = match.groups()
    lists = ""
    for resolution_m in (60, 20, 10):
        own = "".join(line for line in images.splitlines(keepends=True) if f"_{resolution_m}m<" in line)
        lists += f"<Granule_List>\n{head}{own}{tail}</Granule_List>\n"
    path.write_text(re.sub(r" *<Granule_List>.*</Granule_List>\n", lists, text, flags=re.DOTALL))
    reseal(root)
    return root


def make_pilot(root: Path) -> Path:
    """Pilot products (`S2MSI2Ap`): element names of PSD 14.2, and `L2A_` before the names of images."""
    for image in list(root.glob("GRANULE/*/IMG_DATA/*/*.jp2")):
        image.rename(image.with_name(f"L2A_{image.name}"))
    product, tile = root / "MTD_MSIL2A.xml", next(root.glob("GRANULE/*/MTD_TL.xml"))
    for path in (root / "manifest.safe", product):
        path.write_text(re.sub(r"(IMG_DATA/R\d0m/)(T)", r"\1L2A_\2", path.read_text()))
    text = product.read_text()
    for new, old in _PILOT_ELEMENTS:
        assert new in text
        text = text.replace(new, old)
    product.write_text(re.sub(r"<PRODUCT_URI>(.*?)</PRODUCT_URI>", _both_uris, text))
    tile.write_text(re.sub(r"(</?)TILE_ID", r"\1TILE_ID_2A", tile.read_text()))
    reseal(root)
    return root


def _both_uris(match: re.Match[str]) -> str:
    first = match[1].replace("MSIL2A", "MSIL1C")
    return f"<PRODUCT_URI_1C>{first}</PRODUCT_URI_1C><PRODUCT_URI_2A>{match[1]}</PRODUCT_URI_2A>"
