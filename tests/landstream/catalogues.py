"""Areas whose products come from the catalogue server, and what to go wrong there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import AREAS
from tools.servers.catalogue import CatalogueServer, Limits, Product
from tools.servers.catalogue.earth import Asset, Scene
from tools.servers.catalogue.fault import Fault, Kind, RouteName

EVERYWHERE: Sequence[Kind] = (
    "401", "expired", "429", "500", "503", "hang", "cut", "maintenance", "duplicate", "reorder",
)  # fmt: skip
"""What can go wrong with any request, without changing what is true."""

SENT: Sequence[Kind] = ("drip", "truncate", "short", "flip", "redirect")
"""What can go wrong with a file that is sent."""

LIMITS = Limits(minute_rates={"stac": 300, "odata": 150, "download": 300, "token": 90, "s3": 2000, "dhus": 300})
"""What a minute may have: five requests a second of STAC, 2,000 of S3; of OData no limit is published."""


def faults(share: float, routes: Iterable[RouteName], stranger: str) -> list[Fault]:
    """A share of the requests of each route fails in each way."""
    made = []
    for route in routes:
        sends = route in {"download", "s3", "dhus", "assets"}
        for kind in (*EVERYWHERE, *(SENT if sends else ())):
            waits = 0.002 if kind == "drip" else 1.0
            made.append(Fault(kind, route, share, seconds=waits, to=stranger, retry_after_s=None, seed=len(made)))
        made.append(Fault("429", route, share, retry_after_s=1.0, seed=len(made)))
    return made


def scenes_of(products: Iterable[Path]) -> list[Product]:
    """What a catalogue offers of a season: all but the labels, published out of order."""
    folders = sorted((p for p in products if p.suffix in {".SAFE", ".SEN3"}), key=lambda p: p.name[::-1])
    return [Product.at(folder) for folder in folders]


def scenes_of_cogs(safes: Iterable[Path], folders: Iterable[Path], applied: bool) -> list[Scene]:
    """What a STAC API offers of products whose folders `simulator.cogs` wrote."""
    scenes = []
    for safe, folder in zip(safes, folders, strict=True):
        item = json.loads((folder / "item.json").read_text())
        assets = {
            name: Asset(folder / f"{name}.tif", said["raster:bands"][0] if "raster:bands" in said else {})
            for name, said in item["assets"].items()
        }
        properties = {"proj:code": item["properties"].get("proj:code")}
        told = item["properties"].get("earthsearch:boa_offset_applied", applied)
        scenes.append(Scene(Product.at(safe), assets, offset_applied=told, properties=properties))
    return scenes


def labels_of(products: Iterable[Path]) -> list[Path]:
    """What people bring themselves."""
    return [p for p in products if p.suffix not in {".SAFE", ".SEN3"}]


def write_area(folder: Path, source: dict[str, Any], **more: Any) -> Path:
    """An area file like small.yaml, with a source."""
    area = yaml.safe_load((AREAS / "small.yaml").read_text()) | more | {"source": source}
    path = folder / "area.yaml"
    path.write_text(yaml.safe_dump(area, sort_keys=False))
    return path


def cdse(server: CatalogueServer, **more: Any) -> dict[str, Any]:
    """The source of an area file."""
    return {"kind": "cdse", **server.addresses, **more}


def environment(server: CatalogueServer, **more: str) -> dict[str, str]:
    """The environment of a process with the server's account; it waits little between two tries."""
    account = server.account
    return {
        **os.environ,
        "LANDSTREAM_CDSE_USERNAME": account.username,
        "LANDSTREAM_CDSE_PASSWORD": account.password,
        "LANDSTREAM_CDSE_ACCESS_KEY": account.access_key,
        "LANDSTREAM_CDSE_SECRET_KEY": account.secret_key,
        "LANDSTREAM_DHUS_USERNAME": account.username,
        "LANDSTREAM_DHUS_PASSWORD": account.password,
        "LANDSTREAM_FETCH_BACK_OFF_S": "0.2",
        "LANDSTREAM_FETCH_OFFLINE_S": "1",
        **more,
    }
