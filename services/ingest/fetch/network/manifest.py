"""Whether what came file by file is what the product's own manifest states: nobody else tells of single files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.ingest.fetch.errors import Corrupt
from services.ingest.names import SafeName, manifest_of
from services.ingest.refuse import Incomplete
from services.ingest.verify import Entry, list_absent, read_manifest, require_complete, verify
from shared.stage import RejectScene


def require_stated(root: Path, name: str, files: Mapping[str, int]) -> None:
    """Compare a product's files with its manifest; those that differ are removed, so that they are fetched again.

    What has no manifest is left to ingest to refuse.

    Args:
        root: the product's folder, under whatever name.
        name: of the folder, once it is whole.
        files: path below it -> size in bytes.

    Raises:
        Corrupt: a file is missing or not what the manifest states, or the manifest cannot be read.
    """
    manifest = manifest_of(name)
    if manifest not in files:
        return
    try:
        entries = read_manifest(root / manifest)
    except (RejectScene, Incomplete) as error:
        (root / manifest).unlink()
        raise Corrupt(f"{name}: {error}") from error
    absent = list_absent(entries, files) if manifest == SafeName.manifest else []
    wanted = sorted((path, entry) for path, entry in entries.items() if path not in absent)
    faults = [fault for path, entry in wanted if (fault := _fault(root, path, entry, files))]
    if faults:
        raise Corrupt(f"{name}: {faults[0]}" + (f", and {len(faults) - 1} more" if len(faults) > 1 else ""))


def _fault(root: Path, path: str, entry: Entry, files: Mapping[str, int]) -> str:
    """Say how a file differs, and remove it; empty = it does not."""
    try:
        require_complete({path: entry}, dict(files))
        verify(root, {path: entry}, dict(files))
    except (Incomplete, RejectScene) as error:
        (root / path).unlink(missing_ok=True)
        return str(error)
    return ""
