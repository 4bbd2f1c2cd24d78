"""Completeness: whether a product is still arriving, told from a listing and the manifest alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from services.ingest.names import is_cogs, manifest_of, product_folder
from services.ingest.read_cogs import read_entries
from services.ingest.read_xml import MAX_BYTES, NotXml
from services.ingest.refuse import Incomplete
from services.ingest.verify import list_lacking, read_manifest, require_complete
from shared.items.landing import LandingUnit
from shared.stage import RejectScene


def why_incomplete(unit: LandingUnit, read: Callable[[str], bytes]) -> str | None:
    """Why a product's folder is not whole yet; None = it is, or it takes a closer look to tell.

    Args:
        unit: the landing unit as listed.
        read: path in the unit -> bytes.
    """
    if not unit.is_folder:
        return None
    inner = product_folder(unit.name, (o.path for o in unit.objects))
    name, start = inner or unit.name, f"{inner}/" if inner else ""
    manifest = manifest_of(name)
    if not manifest:
        return None
    sizes = {o.path.removeprefix(start): o.size for o in unit.objects if o.path.startswith(start)}
    if manifest not in sizes:
        return f"{manifest}: is missing"
    if sizes[manifest] > MAX_BYTES:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / manifest
        path.write_bytes(read(start + manifest))
        try:
            entries = read_entries(path) if is_cogs(name) else read_manifest(path)
        except (NotXml, Incomplete) as error:
            return str(error)
        except RejectScene:
            return None
    try:
        require_complete(entries, sizes)
    except Incomplete as error:
        here = len(entries) - len(list_lacking(entries, sizes))
        return f"{here} of {len(entries)} files are there ({error})"
    return None
