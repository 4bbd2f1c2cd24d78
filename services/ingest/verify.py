"""The comparison of a product's files with what its manifest states."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from services.ingest.members import Limits
from services.ingest.names import SafeName
from services.ingest.read_xml import all_below, attribute, parse, to_int
from services.ingest.refuse import DELIVER_AGAIN, Incomplete, check_relative, is_odd
from shared.stage import RejectScene

_ALGORITHMS = {"MD5": "md5", "SHA3256": "sha3_256", "SHA256": "sha256", "SHA1": "sha1", "SHA512": "sha512"}
_BLOCK = 1 << 20
_NODE = re.compile(r"^/(?:.*/)?(?=(?:GRANULE|DATASTRIP)/)", re.DOTALL)
"""The processing node's folder: baseline 02.08 was published with its paths in `manifest.safe`."""


_UNREAD = re.compile(r"(?:HTML|rep_info)/|INSPIRE\.xml\Z|.*(?:-ql\.(?:jpg|png)|_PVI\.(?:jp2|TIF))\Z", re.IGNORECASE)
"""What mirrors leave away of a Sentinel-2 product, and no stage reads: pages, schemas, INSPIRE's metadata, previews."""


@dataclass(frozen=True)
class Entry:
    """What a manifest states of a file: size in bytes (None = not stated), hash algorithm and hex digest (or empty)."""

    size: int | None
    algorithm: str
    digest: str


def list_files(root: Path, limits: Limits) -> tuple[dict[str, int], list[str]]:
    """List every file below a folder.

    Returns:
        Relative POSIX path -> size in bytes; and the paths of what has a name that no product's file has.

    Raises:
        RejectScene: a link, a device, an unsafe name, or too much of anything.
    """
    found: dict[str, int] = {}
    odd: list[str] = []
    total = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        for name in sorted([*folders, *names]):
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix()
            called = unquote(relative, errors="surrogateescape")  # what no key can hold is delivered as in a URL
            is_left_out = is_odd(called)
            relative = called if is_left_out else check_relative(relative, root.name)
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode):
                raise RejectScene(ascii(relative)[1:-1], "is a link or a device, not a file", DELIVER_AGAIN)
            if is_left_out:
                odd.append(relative)
            else:
                found[relative] = status.st_size
            total += status.st_size
            if len(found) + len(odd) > limits.members or total > limits.bytes:
                fault = f"holds more than {limits.members} files or {limits.bytes} bytes"
                raise RejectScene(root.name, fault, DELIVER_AGAIN)
    return found, sorted(odd)


def read_manifest(path: Path) -> dict[str, Entry]:
    """Read the files that a `manifest.safe` or `xfdumanifest.xml` lists, by relative POSIX path.

    Raises:
        RejectScene: not a manifest, or it names a path outside the product.
    """
    entries: dict[str, Entry] = {}
    for stream in all_below(parse(path), "byteStream"):
        size = attribute(stream, "size")
        location = next(iter(all_below(stream, "fileLocation")), None)
        checksum = next(iter(all_below(stream, "checksum")), None)
        if location is None:
            continue
        relative = check_relative(_inside(attribute(location, "href"), path.name), path.name)
        algorithm, digest = "", ""
        if checksum is not None:
            stated = attribute(checksum, "checksumName")
            algorithm = _ALGORITHMS.get(re.sub(r"[^A-Z0-9]", "", stated.upper()), "")
            digest = (checksum.text or "").strip().lower()
            if not algorithm or len(digest) != 2 * hashlib.new(algorithm).digest_size:
                raise RejectScene(path.name, f"states an unknown checksum {stated[:40]!r} of {relative}", DELIVER_AGAIN)
        entries[relative] = Entry(to_int(size), algorithm, digest)
    if not entries:
        raise RejectScene(path.name, "lists no file, so it is not a manifest", DELIVER_AGAIN)
    return entries


def _inside(href: str, manifest: str) -> str:
    return _NODE.sub("", href) if manifest == SafeName.manifest else href


def require_complete(entries: dict[str, Entry], files: dict[str, int]) -> None:
    """Check that each file of a manifest is there and not shorter than stated.

    Raises:
        Incomplete: one is not: it may still be arriving.
    """
    if lacking := list_lacking(entries, files):
        first = lacking[0]
        here = f"has {files[first]} of {entries[first].size} bytes" if first in files else "is missing"
        more = f", as do {len(lacking) - 1} more files of the manifest" if len(lacking) > 1 else ""
        raise Incomplete(first, here + more)


def list_absent(entries: Mapping[str, Entry], files: Collection[str]) -> list[str]:
    """List the files of a Sentinel-2 manifest that are not there and that no stage reads, by name."""
    return sorted(path for path in entries if path not in files and _UNREAD.match(path))


def list_lacking(entries: dict[str, Entry], files: dict[str, int]) -> list[str]:
    """List the files of a manifest that are not there, or shorter than stated, by name."""
    return sorted(p for p, e in entries.items() if p not in files or (e.size is not None and files[p] < e.size))


def verify(root: Path, entries: dict[str, Entry], files: dict[str, int]) -> None:
    """Check sizes, then digests, of the listed files.

    Raises:
        RejectScene: a file is not what the manifest states.
    """
    present = {p: e for p, e in sorted(entries.items()) if p in files}
    for path, entry in present.items():
        if entry.size is not None and files[path] != entry.size:
            raise RejectScene(path, f"has {files[path]} bytes where the manifest states {entry.size}", DELIVER_AGAIN)
    for path, entry in present.items():
        if entry.digest and _digest(root / path, entry.algorithm) != entry.digest:
            raise RejectScene(path, f"has another {entry.algorithm} checksum than the manifest states", DELIVER_AGAIN)


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
