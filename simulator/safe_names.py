"""Who a Sentinel-2 product is: its name, the names inside it, and what its baseline means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

BAND_IDS = {
    "B01": 0, "B02": 1, "B03": 2, "B04": 3, "B05": 4, "B06": 5, "B07": 6,
    "B08": 7, "B8A": 8, "B09": 9, "B10": 10, "B11": 11, "B12": 12,
}  # fmt: skip
L2A_FILES = {
    10: ("B02", "B03", "B04", "B08", "TCI", "AOT", "WVP"),
    20: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12", "TCI", "AOT", "WVP", "SCL"),
    60: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12", "TCI", "AOT", "WVP", "SCL"),
}


def compact(time: datetime) -> str:
    """`20180605T092031`."""
    return time.strftime("%Y%m%dT%H%M%S")


def iso(time: datetime) -> str:
    """`2018-06-05T09:20:31.024Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


@dataclass(frozen=True)
class SafeName:
    """Identity of a Sentinel-2 product.

    Attributes:
        platform: `S2A` .. `S2D`.
        level: `L1C` or `L2A`.
        datatake_start: UTC.
        baseline: Four digits, `0206`.
        relative_orbit: 1..143.
        absolute_orbit: Of the datatake.
        mgrs_tile: `T34TGR`.
        generated: UTC; the discriminator of the name.
    """

    platform: str
    level: str
    datatake_start: datetime
    baseline: str
    relative_orbit: int
    absolute_orbit: int
    mgrs_tile: str
    generated: datetime

    @property
    def product(self) -> str:
        """Folder name."""
        return (
            f"{self.platform}_MSI{self.level}_{compact(self.datatake_start)}_N{self.baseline}_R{self.relative_orbit:03d}"
            f"_{self.mgrs_tile}_{compact(self.generated)}.SAFE"
        )

    @property
    def dotted_baseline(self) -> str:
        """`02.06`."""
        return f"{self.baseline[:2]}.{self.baseline[2:]}"

    @property
    def modern(self) -> bool:
        """From 04.00 on: offset of -1000, JP2 masks, SHA3-256, B01 at 20 m."""
        return self.baseline >= "0400"

    @property
    def offset(self) -> int:
        """Offset that the metadata tells to add to a DN."""
        return -1000 if self.modern else 0

    @property
    def sensing_start(self) -> datetime:
        """Start of the datastrip."""
        return self.datatake_start + timedelta(seconds=3, milliseconds=217)

    @property
    def centre(self) -> str:
        """Processing centre, four characters."""
        return "2APS" if self.modern else "SGS_"

    @property
    def granule(self) -> str:
        """Folder of the granule."""
        return f"{self.level}_{self.mgrs_tile}_A{self.absolute_orbit:06d}_{compact(self.sensing_start)}"

    @property
    def datastrip(self) -> str:
        """Folder of the datastrip."""
        return f"DS_{self.centre}_{compact(self.generated)}_S{compact(self.sensing_start)}"

    @property
    def datastrip_id(self) -> str:
        """Identifier of the datastrip."""
        return (
            f"{self.platform}_OPER_MSI_{self.level}_DS_{self.centre}_{compact(self.generated)}"
            f"_S{compact(self.sensing_start)}_N{self.dotted_baseline}"
        )

    @property
    def tile_id(self) -> str:
        """Identifier of the granule."""
        return (
            f"{self.platform}_OPER_MSI_{self.level}_TL_{self.centre}_{compact(self.generated)}"
            f"_A{self.absolute_orbit:06d}_{self.mgrs_tile}_N{self.dotted_baseline}"
        )

    @property
    def datatake_id(self) -> str:
        """Identifier of the datatake."""
        return f"G{self.platform}_{compact(self.datatake_start)}_{self.absolute_orbit:06d}_N{self.dotted_baseline}"

    def image_stem(self, band: str, resolution_m: int) -> str:
        """Path of an image below the product's folder, without extension."""
        prefix = f"GRANULE/{self.granule}/IMG_DATA"
        name = f"{self.mgrs_tile}_{compact(self.datatake_start)}_{band}"
        return f"{prefix}/R{resolution_m}m/{name}_{resolution_m}m" if self.level == "L2A" else f"{prefix}/{name}"
