"""Fetches one GeoTIFF of a scene."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from services.ingest.cog_item import Asset
from services.ingest.fetch.errors import Corrupt, Refused
from services.ingest.fetch.network.bring import Kind, bring
from services.ingest.fetch.network.hosts import place
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.network.receive import Span, Speed, settle
from services.ingest.fetch.network.resume import Version
from services.ingest.fetch.provider import Progress

MOST_BYTES: Final = 1 << 30
"""Of a GeoTIFF: an image of 10 m has 240 MB before it is compressed."""
_KIND: Final = Kind("image", "image", MOST_BYTES)
_SIGNATURES: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_CHUNK: Final = 1 << 20


def fetch_cog(http: Http, key: str, asset: Asset, root: Path, progress: Progress, speed: Speed) -> int:
    """Fetch an asset as `<key>.tif`, unless it is there already, and return its size in bytes.

    It goes on where an earlier try stopped, where the host states versions by a strong ETag and answers ranges.

    Args:
        http: what is asked through.
        key: of the asset.
        asset: where it is, and what is stated of it.
        root: folder that it is to lie in.
        progress: is told how far it has come.
        speed: what is too slow.

    Raises:
        Unavailable: it does not come now; what has come stays, and is gone on with.
        Gone: it is not there.
        Corrupt: it is not what was promised; nothing of it is left.
        Refused: its host is not allowed, or it is too large.
    """
    path = root / f"{key}.tif"
    if path.exists() and not _fault(path, asset):
        size = path.stat().st_size
        progress(size, asset.size)
        return size
    if asset.size is not None and asset.size > MOST_BYTES:
        raise Refused(f"{place(asset.href)} has {asset.size} bytes: no image is so large")
    # Beside the folder, which holds nothing that is not whole.
    part = root.with_name(f"{key}.tif.part")
    version = Version(part)
    try:
        _fetch(http, asset, part, version, progress, speed)
        if fault := _fault(part, asset):
            raise Corrupt(f"{place(asset.href)} {fault}")
    except (Corrupt, Refused):
        version.forget()
        raise
    settle(part, path)
    version.settled()
    return path.stat().st_size


def _fetch(http: Http, asset: Asset, part: Path, version: Version, progress: Progress, speed: Speed) -> None:
    """Bring an image, or the rest of it where it is known of which version the beginning is."""
    done = version.done
    if asset.size is not None and done > asset.size:
        done = 0
    if done != asset.size:
        bring(http, asset.href, part, Span(done, asset.size), _KIND, progress, speed, version=version)


def _fault(path: Path, asset: Asset) -> str:
    """Say what a file lacks to be what its item promises; empty = nothing."""
    size = path.stat().st_size
    if asset.size not in {None, size}:
        return f"has {size} bytes where its item states {asset.size}"
    algorithm, stated = asset.digest
    digest = hashlib.new(algorithm or "sha256", usedforsecurity=False)
    with path.open("rb") as file:
        if not file.read(4).startswith(_SIGNATURES):
            return "is not a GeoTIFF file"
        file.seek(0)
        while algorithm and (block := file.read(_CHUNK)):
            digest.update(block)
    same = not algorithm or digest.hexdigest() == stated
    return "" if same else f"has another {algorithm} checksum than its item states"
