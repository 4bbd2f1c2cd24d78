"""Cloud masks that others made: how the values of each are read, and which is used where there are several."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_NODATA, MASK_SHADOW, MASK_SNOW

BITS: Final = 16
"""Of a set of flags."""

OWN: Final = "own"
"""The mask that Landstream makes: of SCL, or of its detector."""


class MaskSource(BaseModel):
    """How the mask of a program is read: by its values, or by a probability of cloud."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    """Name of the source, as deliveries have it: `<product>.mask.<source>.tif`."""
    clear: tuple[int, ...] = ()
    """Values of clear land and water."""
    cloud: tuple[int, ...] = ()
    """Values of cloud."""
    shadow: tuple[int, ...] = ()
    """Values of cloud shadow."""
    snow: tuple[int, ...] = ()
    """Values of snow and ice."""
    nodata: tuple[int, ...] = ()
    """Values of what was not observed; the file's own nodata value is, too."""
    cloud_above: float | None = Field(default=None, allow_inf_nan=False)
    """In place of values: a probability above this is cloud, any other is clear."""
    bits: bool = False
    """Whether a value is a set of flags: `cloud`, `shadow` and `snow` are numbers of its bits then, 0 the lowest. A
    pixel with several is the first of these, one with none is clear."""

    @model_validator(mode="after")
    def _check(self) -> MaskSource:
        if self.source == OWN:
            raise ValueError(f"source {OWN!r} is the name of the mask that Landstream makes; choose another")
        if self.cloud_above is not None:
            if self.bits or self.clear or self.cloud or self.shadow or self.snow:
                raise ValueError("give values or cloud_above, not both")
            return self
        flags = [*self.cloud, *self.shadow, *self.snow]
        values = flags if self.bits else [*self.clear, *flags, *self.nodata]
        if self.bits and (self.clear or not self.cloud or not set(flags) <= set(range(BITS))):
            raise ValueError(f"bits: give the numbers of the bits of cloud, shadow and snow, each of 0 to {BITS - 1}")
        if not self.bits and not self.clear:
            raise ValueError("clear: is missing; give the values of clear land, or cloud_above")
        if twice := sorted({v for v in values if values.count(v) > 1}):
            raise ValueError(f"value {twice[0]} is given to two kinds")
        return self

    @property
    def codes(self) -> dict[int, int]:
        """Value, or number of a bit -> mask code; empty where a probability is read."""
        flags = ((MASK_CLOUD, self.cloud), (MASK_SHADOW, self.shadow), (MASK_SNOW, self.snow))
        kinds = flags if self.bits else ((MASK_CLEAR, self.clear), *flags, (MASK_NODATA, self.nodata))
        return {} if self.cloud_above is not None else {value: code for code, values in kinds for value in values}


KNOWN: Final = {
    known.source: known
    for known in (
        MaskSource(source="fmask", clear=(0, 1), shadow=(2,), snow=(3,), cloud=(4,), nodata=(255,)),
        MaskSource(source="omnicloudmask", clear=(0,), cloud=(1, 2), shadow=(3,)),
        MaskSource(source="s2cloudless", cloud_above=40),
        MaskSource(source="maja", bits=True, cloud=(1, 7), shadow=(5, 6)),
    )
}
"""Sources that need no values in an area file: Fmask 4, OmniCloudMask, s2cloudless's probability in percent, and the
flags of MAJA's `CLM`: all clouds but the thinnest, high clouds, shadows of clouds inside and outside the scene."""

Mask = MaskSource | Literal["own"]


def known_mask(value: object) -> object:
    """Return what an entry of `masks:` means: a name stands for one of `KNOWN`, or for our own.

    Raises:
        ValueError: no source has this name.
    """
    if not isinstance(value, str) or value == OWN:
        return value
    if value not in KNOWN:
        there = ", ".join([OWN, *KNOWN])
        raise ValueError(f"{value!r} is not a source of masks; there are {there}, or give its values")
    return KNOWN[value]
