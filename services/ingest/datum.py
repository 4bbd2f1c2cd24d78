"""Datums: whether it is known how far one lies from WGS 84, which of national ones is a hundred metres and more."""

from __future__ import annotations

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

_WGS84 = CRS.from_epsg(4326).ellipsoid


def is_shift_known(crs: str) -> bool:
    """Return whether positions in a CRS can be told in WGS 84.

    PROJ takes longitudes and latitudes over as they are where it knows no shift. That is right of an unnamed datum on
    the ellipsoid of WGS 84 or ETRS89, and wrong on any other.

    Args:
        crs: `EPSG:n` or WKT.

    Raises:
        pyproj.exceptions.CRSError: it is no CRS.
    """
    ellipsoid = CRS.from_user_input(crs).ellipsoid
    if ellipsoid is None or _WGS84 is None:
        return False
    alike = abs(ellipsoid.semi_major_metre - _WGS84.semi_major_metre) < 1
    if alike and abs(ellipsoid.inverse_flattening - _WGS84.inverse_flattening) < 1e-3:
        return True
    try:
        Transformer.from_crs(crs, 4326, allow_ballpark=False)
    except ProjError:
        return False
    return True
