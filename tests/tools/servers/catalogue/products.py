"""Products that the tests of the server offer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.servers.catalogue import Account

ACCOUNT = Account()
FIRST = datetime(2024, 5, 1, 10, tzinfo=UTC)
GRANT = {
    "client_id": "cdse-public",
    "grant_type": "password",
    "username": ACCOUNT.username,
    "password": ACCOUNT.password,
}
EFR = "S3A_OL_1_EFR____20240501T093827_20240501T094112_20240501T113357_0164_077_334_4320_LN1_O_NT_002"
_METADATA = """<x><PRODUCT_START_TIME>2024-05-01T10:00:00.024Z</PRODUCT_START_TIME>
<EXT_POS_LIST>50 10 50 11 51 11 51 10 50 10 </EXT_POS_LIST>
<Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></x>"""


def safe(number: int, tile: str = "33UUU", level: str = "L2A") -> str:
    """Name of a product that was sensed some minutes after the first."""
    start = (FIRST + timedelta(minutes=number)).strftime("%Y%m%dT%H%M%S")
    return f"S2A_MSI{level}_{start}_N0510_R022_T{tile}_{start}"


def make_safe(parent: Path) -> Path:
    """Make a small SAFE folder of the first product."""
    folder = parent / f"{safe(0)}.SAFE"
    (folder / "GRANULE").mkdir(parents=True)
    (folder / "manifest.safe").write_text("<manifest/>")
    (folder / "GRANULE" / "B02.jp2").write_bytes(b"picture" * 9000)
    (folder / "MTD_MSIL2A.xml").write_text(_METADATA)
    return folder
