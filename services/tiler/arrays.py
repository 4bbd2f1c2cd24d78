"""Reading and writing of a group's arrays by path."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr


def array_at(group: zarr.Group, path: str) -> zarr.Array[Any]:
    """Return an array of the layout."""
    found = group[path]
    assert isinstance(found, zarr.Array)
    return found


def group_at(group: zarr.Group, path: str) -> zarr.Group:
    """Return a group of the layout."""
    found = group[path]
    assert isinstance(found, zarr.Group)
    return found


def read(group: zarr.Group, path: str, at: Any) -> Any:
    """Read a part of an array."""
    return np.asarray(array_at(group, path)[at])


def write(group: zarr.Group, path: str, at: Any, values: Any) -> None:
    """Write a part of an array."""
    array_at(group, path)[at] = values
