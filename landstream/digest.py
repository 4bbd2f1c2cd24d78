"""The digest: what is current in a store, as text that two runs over the same products share."""

from __future__ import annotations

import copy
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import (
    EVALUATIONS,
    HOLD_OUTS,
    MAPS,
    MODEL_IMPORTS,
    PROMOTIONS,
    REQUESTS,
    TRIALS,
    WITHDRAWALS,
)
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import CUBE
from shared.items.scenes import is_of_withdrawal
from shared.items.stac import asset_key, sha256_of
from shared.run.context import Context
from shared.run.failure import standing_failures
from shared.store import Store

if TYPE_CHECKING:
    from shared.cube import Cube

LEFT_OUT = {REQUESTS, MODEL_IMPORTS, HOLD_OUTS, EVALUATIONS, PROMOTIONS, WITHDRAWALS, TRIALS}
NOT_STABLE = {"landstream:snapshot"}
"""Facts of a model that differ between runs although the model is the same."""


def digest_lines(store: Store, area: Area) -> list[str]:
    """Return sorted lines `sha256  key` of the current items and the cube's decoded content.

    Raises:
        ChecksumMismatch: an artifact's bytes are not those that its item states.
    """
    context = Context.of_store(store, area)
    catalogue = context.reader.snapshot()
    broken = _broken_items(store, catalogue)
    lines = [
        f"{_item_digest(context, item)}  {item.key}"
        for collection in catalogue.collections
        if collection not in LEFT_OUT
        for item in current_items(catalogue, collection)
        if not (is_of_withdrawal(item) or item.id in broken or any(i in broken for _, i in item.derived_from))
    ]
    if any(True for _ in store.keys(CUBE)):
        from shared.cube import open_cube  # it takes the libraries of a cube, and a second to load

        lines += cube_lines(open_cube(context.cube, area, "read"))
    return sorted(lines)


def _broken_items(store: Store, catalogue: Catalogue) -> frozenset[str]:
    """Return the ids of scenes, and of what was made of them, whose pictures cannot be decoded.

    Where a scene has no other version a broken one stays current, so that its failure stays in sight; nothing of it is
    in the cube.
    """
    standing = standing_failures(store, catalogue, {})
    return frozenset(str(i) for record in standing if record.get("broken") for i in record["inputs"])


def current_items(catalogue: Catalogue, collection: str) -> Iterator[Item]:
    """Yield the current items of a collection, week after week, by id."""
    for week in catalogue.weeks(collection):
        yield from catalogue.current(collection, week)
        catalogue.let_go(week)


def content_lines(store: Store, area: Area) -> list[str]:
    """Return sorted lines of the cube's decoded content and of the pixels of each current map, and nothing else.

    Two versions of Landstream that agree here made the same cube and the same maps, whatever they call them.
    """
    context = Context.of_store(store, area)
    catalogue = context.reader.snapshot()
    from shared.cube import open_cube

    lines = list(cube_lines(open_cube(context.cube, area, "read"))) if any(True for _ in store.keys(CUBE)) else []
    for item in current_items(catalogue, MAPS):
        for name in ("land_cover", "confidence"):
            sheet = "r{:02d}c{:02d}".format(*item.properties["landstream:sheet"])
            lines.append(f"{_pixels(context, item, name)}  maps/{item.week}/{sheet}/{name}")
    return sorted(lines)


def _pixels(context: Context, item: Item, name: str) -> str:
    """Return the sha256 of the decoded pixels of a map's asset."""
    import rasterio

    with tempfile.TemporaryDirectory(dir=context.work) as folder:
        path = Path(folder) / f"{name}.tif"
        context.store.fetch(asset_key(item, name), path, sha256_of(item.assets[name]))
        with rasterio.open(path, driver="GTiff") as file:
            return hashlib.sha256(np.ascontiguousarray(file.read()).tobytes()).hexdigest()


def _item_digest(context: Context, item: Item) -> str:
    json: dict[str, Any] = copy.deepcopy(dict(item.json))
    if item.collection == "models":
        # No file of a SavedModel is byte-stable: its weights and its answers to a probe stand in the properties.
        for asset in json["assets"].values():
            for name in ("href", "file:checksum", "file:size"):
                asset.pop(name, None)
        for name in NOT_STABLE:
            json["properties"].pop(name, None)
    with tempfile.TemporaryDirectory(dir=context.work) as folder:
        for name, asset in item.assets.items():
            context.store.fetch(asset_key(item, name), Path(folder) / name, sha256_of(asset))
    return hashlib.sha256(canonical(json)).hexdigest()


def cube_lines(cube: Cube) -> Iterator[str]:
    """Yield the lines of the chunks that hold anything: `cube/<array>/<week>/<row>/<col>`."""
    for path in cube.paths():
        array = cube.array(path)
        assert array is not None
        weekly = path[:4].isdigit()
        for chunk in cube.chunks(path):
            where = tuple(
                slice(i * size, min((i + 1) * size, length))
                for i, size, length in zip(chunk, array.chunks, array.shape, strict=True)
            )
            values = np.asarray(array[where])
            empty = np.isnan(values).all() if values.dtype.kind == "f" else not values.any()
            if empty:
                continue
            week = f"{path[:4]}-W{chunk[0] + 1:02d}" if weekly else "static"
            row, col = chunk[1:3] if weekly else chunk[:2]
            digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
            yield f"{digest}  cube/{path}/{week}/{row}/{col}"
