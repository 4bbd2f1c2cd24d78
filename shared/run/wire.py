"""Tasks and results as JSON between the runner and its worker: nothing executable crosses."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.area import Area
from shared.items.item import Item
from shared.items.keys import LandingObject, LandingUnit
from shared.stage.declare import Job, LocalItem, NewAsset, NewItem, Source

_HEADER = struct.Struct(">I")
Paths = Mapping[str, Path]


def send(channel: socket.socket, message: Mapping[str, Any]) -> None:
    """Send one message."""
    data = json.dumps(message).encode()
    channel.sendall(_HEADER.pack(len(data)) + data)


def receive(channel: socket.socket) -> dict[str, Any] | None:
    """Receive one message; None when the other side is gone."""
    header = _exactly(channel, _HEADER.size)
    if header is None:
        return None
    data = _exactly(channel, _HEADER.unpack(header)[0])
    if data is None:
        return None
    message: dict[str, Any] = json.loads(data)
    return message


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        try:
            block = channel.recv(count - len(data))
        except ConnectionError:
            return None
        if not block:
            return None
        data += block
    return bytes(data)


def encode_task(
    job: Job,
    inputs: Sequence[Paths],
    context: Sequence[Paths],
    unit_path: Path | None,
    area: Area,
    folder: Path,
    cube: str | None,
) -> dict[str, Any]:
    """A task as JSON.

    Args:
        job: the job.
        inputs: asset name -> local file, for each of `job.inputs`.
        context: the same for each of `job.context`.
        unit_path: the fetched landing unit.
        area: the study area.
        folder: an empty folder for results and scratch.
        cube: where the cube is, for a stage that declares one.
    """
    unit = job.unit
    return {
        "collection": job.collection,
        "product": job.product,
        "week": job.week,
        "parameters": dict(job.parameters),
        "notes": dict(job.notes),
        "inputs": [_encode_source(s, p) for s, p in zip(job.inputs, inputs, strict=True)],
        "context": [_encode_source(s, p) for s, p in zip(job.context, context, strict=True)],
        "unit": unit
        and {
            "name": unit.name,
            "objects": [[o.path, o.size, o.etag] for o in unit.objects],
            "modified_s": unit.modified_s,
            "patience_s": unit.patience_s,
        },
        "unit_path": unit_path and str(unit_path),
        "area": area.model_dump(mode="json", by_alias=True),
        "folder": str(folder),
        "cube": cube,
    }


def _encode_source(source: Source, paths: Paths) -> dict[str, Any]:
    return {
        "item": source.item.json,
        "week": source.item.week,
        "assets": source.assets and list(source.assets),
        "paths": {name: str(path) for name, path in paths.items()},
    }


def decode_task(message: Mapping[str, Any]) -> tuple[Job, tuple[LocalItem, ...], tuple[LocalItem, ...], Area]:
    """(job, local inputs, local context, area) of an encoded task."""
    unit = message["unit"]
    inputs, context = (
        [(_decode_source(s), LocalItem(Item(s["item"], s["week"]), {n: Path(p) for n, p in s["paths"].items()}))
         for s in message[part]]
        for part in ("inputs", "context")
    )  # fmt: skip
    job = Job(
        collection=message["collection"],
        product=message["product"],
        week=message["week"],
        inputs=tuple(s for s, _ in inputs),
        parameters=message["parameters"],
        context=tuple(s for s, _ in context),
        notes=message["notes"],
        unit=unit
        and LandingUnit(
            unit["name"],
            tuple(LandingObject(*o) for o in unit["objects"]),
            unit["modified_s"],
            unit["patience_s"],
        ),
    )
    return job, tuple(i for _, i in inputs), tuple(i for _, i in context), Area.model_validate(message["area"])


def _decode_source(source: Mapping[str, Any]) -> Source:
    assets = source["assets"]
    return Source(Item(source["item"], source["week"]), tuple(assets) if assets is not None else None)


def encode_result(result: NewItem) -> dict[str, Any]:
    """A result as JSON."""
    return {
        "geometry": dict(result.geometry),
        "bbox": list(result.bbox),
        "properties": dict(result.properties),
        "assets": {
            name: {
                "path": str(a.path),
                "media_type": a.media_type,
                "roles": list(a.roles),
                "title": a.title,
                "fields": dict(a.fields),
            }
            for name, a in result.assets.items()
        },
        "collection": result.collection,
        "product": result.product,
        "week": result.week,
        "extensions": list(result.extensions),
    }


def decode_result(message: Mapping[str, Any]) -> NewItem:
    """A result from JSON."""
    west, south, east, north = message["bbox"]
    assets = {
        name: NewAsset(Path(a["path"]), a["media_type"], tuple(a["roles"]), a["title"], a["fields"])
        for name, a in message["assets"].items()
    }
    return NewItem(
        message["geometry"],
        (west, south, east, north),
        message["properties"],
        assets,
        message["collection"],
        message["product"],
        message["week"],
        tuple(message["extensions"]),
    )
