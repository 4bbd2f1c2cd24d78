"""Keys of area files of before, which are read for one release more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    "every": ("train", "every_tile_weeks"),
    "quiet_s": ("train", "quiet_s"),
    "remap": ("remap",),
    "patience_s": ("patience_s",),
    "thin_cirrus_is_cloud": ("thin_cirrus_is_cloud",),
    "mask_other_level": ("mask_other_level",),
    "training": ("training",),
}
"""Key below `policy` -> where it stands now."""


def move_keys(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return an area's fields with the keys below `policy` where they stand now, and a line for each that was moved.

    Raises:
        ValueError: something stands below `policy` that never did, or in both places.
    """
    fields = dict(data)
    policy = fields.pop("policy", None)
    lines = []
    if policy is not None and not isinstance(policy, Mapping):
        raise ValueError("policy: is a mapping of keys that stand at the top now; docs/area.md names them all")
    for old, value in (policy or {}).items():
        if old not in MOVED:
            raise ValueError(f"policy.{old}: is not a key; docs/area.md names them all")
        new = MOVED[old]
        place = fields
        for part in new[:-1]:
            within = place.get(part) or {}
            if not isinstance(within, Mapping):
                raise ValueError(f"{part}: is a mapping; docs/area.md names its keys")
            place[part] = dict(within)
            place = place[part]
        if new[-1] in place:
            raise ValueError(f"policy.{old}: stands twice; `{'.'.join(new)}` is its place now")
        place[new[-1]] = value
        lines.append(f"policy.{old} is `{'.'.join(new)}` now; `policy` is read for one release more")
    return fields, lines
