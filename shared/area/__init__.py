"""Study areas: the area file, its grid and its label scheme."""

from shared.area.area import Area, AreaError, load_area
from shared.area.scheme import LabelClass, LabelScheme, UnknownClass, is_missing, preset

__all__ = ["Area", "AreaError", "LabelClass", "LabelScheme", "UnknownClass", "is_missing", "load_area", "preset"]
