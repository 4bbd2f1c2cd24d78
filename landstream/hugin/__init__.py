"""Hugin's training files, read as data: `landstream train --hugin FILE`."""

from landstream.hugin.document import HuginError
from landstream.hugin.recipe import Reading, read_hugin

__all__ = ["HuginError", "Reading", "read_hugin"]
