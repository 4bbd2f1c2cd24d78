"""OLCI's quality flags by their meanings: masks differ between the two layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FlagTable:
    """The flags of a product.

    Attributes:
        masks: meaning as written (`saturated@Oa01`) -> mask of one bit.
    """

    masks: Mapping[str, int]

    @classmethod
    def parse(cls, masks: Sequence[int], meanings: str) -> FlagTable:
        """Read `flag_masks` (signed where the bits were stored so) and `flag_meanings`.

        Raises:
            ValueError: they do not belong together, or `invalid` or `duplicated` is not among them.
        """
        names = meanings.split()
        if len(names) != len(masks) or len(set(names)) != len(names):
            raise ValueError(f"{len(masks)} flag masks for {len(names)} meanings")
        table = cls({name: int(mask) & 0xFFFFFFFF for name, mask in zip(names, masks, strict=True)})
        for name in ("invalid", "duplicated"):
            if not table.mask(name):
                raise ValueError(f"no flag {name!r} among {', '.join(names)}")
        return table

    def mask(self, name: str) -> int:
        """Mask of a flag, however it spells `@` and `-` (SNAP writes `_`); 0 = not in this layout."""
        wanted = _plain(name)
        return next((mask for key, mask in self.masks.items() if _plain(key) == wanted), 0)

    def unusable(self, band: int) -> int:
        """Bits that make a pixel of band 1..21 unusable.

        The old layout says of each band whether it is saturated. The new one says that at least one is, and its
        samples hold the fill value: the other bands of the pixel are sound.
        """
        return self.mask("invalid") | self.mask(f"saturated@Oa{band:02d}")


def has(flags: NDArray[np.uint32], mask: int) -> NDArray[np.bool_]:
    """Where any bit of a mask is set."""
    return np.asarray((flags & np.uint32(mask)) != 0)


def _plain(name: str) -> str:
    return name.replace("@", "_").replace("-", "_").lower()
