"""Fetches one GeoTIFF of a scene."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx

from services.ingest.cog_item import Asset
from services.ingest.fetch.errors import Corrupt, Refused, Unavailable
from services.ingest.fetch.network.answers import trouble
from services.ingest.fetch.network.bounded import read_body
from services.ingest.fetch.network.deadline import within
from services.ingest.fetch.network.hosts import place
from services.ingest.fetch.network.http import Http, chunks
from services.ingest.fetch.network.receive import Span, Speed, receive, settle
from services.ingest.fetch.provider import Progress

MOST_BYTES: Final = 1 << 30
"""Of a GeoTIFF: an image of 10 m has 240 MB before it is compressed."""
_FAULT_LIMIT: Final = 1 << 16
_SIGNATURES: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_CHUNK: Final = 1 << 20


def fetch_cog(http: Http, key: str, asset: Asset, root: Path, progress: Progress, speed: Speed) -> int:
    """Fetch an asset as `<key>.tif`, unless it is there already, and return its size in bytes.

    Args:
        http: what is asked through.
        key: of the asset.
        asset: where it is, and what is stated of it.
        root: folder that it is to lie in.
        progress: is told how far it has come.
        speed: what is too slow.

    Raises:
        Unavailable: it does not come now.
        Gone: it is not there.
        Corrupt: it is not what was promised; nothing of it is left.
        Refused: its host is not allowed, or it is too large.
    """
    path = root / f"{key}.tif"
    if path.exists() and not _fault(path, asset):
        size = path.stat().st_size
        progress(size, asset.size)
        return size
    # Beside the folder, which holds nothing that is not whole.
    part = root.with_name(f"{key}.tif.part")
    try:
        _fetch(http, asset, part, progress, speed)
        if fault := _fault(part, asset):
            raise Corrupt(f"{place(asset.href)} {fault}")
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    settle(part, path)
    return path.stat().st_size


def _fetch(http: Http, asset: Asset, part: Path, progress: Progress, speed: Speed) -> None:
    where = place(asset.href)
    with ExitStack() as stack:
        with within(http.limits.whole_s):
            response = stack.enter_context(http.stream("GET", asset.href, headers={"Accept-Encoding": "identity"}))
        _require_file(http, asset.href, response)
        length = response.headers.get("content-length", "")
        total = int(length[:15]) if length.isdecimal() else asset.size
        if asset.size not in {None, total}:
            raise Corrupt(f"{where} has {total} bytes where its item states {asset.size}")
        if total is not None and total > MOST_BYTES:
            raise Refused(f"{where} has {total} bytes: no image is so large")
        with part.open("wb") as file:
            done = receive(chunks(response), file, Span(0, MOST_BYTES if total is None else total), progress, speed)
    if total is not None and done < total:
        raise Unavailable(f"{where} broke off after {done} of {total} bytes")


def _require_file(http: Http, address: str, response: httpx.Response) -> None:
    if response.status_code != 200:
        with within(http.limits.read_s):
            body = read_body(chunks(response), response.headers.get("content-encoding", ""), _FAULT_LIMIT)
        error = trouble(response.status_code, response.headers, body, address, http.clock.today())
        error = error or Unavailable(f"{place(address)} answered {response.status_code}")
        http.heed(address, error)
        raise error
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise Unavailable(f"{place(address)}: a page came where an image was to come")
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise Refused(f"{place(address)} has an encoding that was not asked for")


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
