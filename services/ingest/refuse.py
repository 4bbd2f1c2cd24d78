"""Why a delivery cannot be used (yet): the one place where whole, incomplete and unsafe are told apart."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from shared.stage import RejectScene

DELIVER_AGAIN = "deliver the product again as its provider published it"
_DRIVE = re.compile(r"^[A-Za-z]:")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_NAME = re.compile(r"^[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}\Z")


class Incomplete(Exception):
    """Raised when something is missing that may still arrive.

    Args:
        file: what is missing or short, relative to the unit.
        fault: what is wrong with it.
    """

    def __init__(self, file: str, fault: str) -> None:
        super().__init__(f"{file}: {fault}")
        self.file, self.fault = file, fault

    def rejection(self) -> RejectScene:
        """Turn it into a rejection, once nobody waits any longer."""
        return RejectScene(self.file, self.fault, DELIVER_AGAIN)


def check_relative(path: str, source: str) -> str:
    """Check a path inside the product; return it as POSIX without a leading `./`.

    Args:
        path: as an archive, a manifest or metadata gives it.
        source: which file gives it.

    Raises:
        RejectScene: absolute, climbing, of another system, or not printable ASCII.
    """
    shown = path.encode("ascii", "backslashreplace").decode()[:120]
    parts = path.removeprefix("./").split("/")
    if not path or any(p in {"", ".", ".."} or not _NAME.match(p) for p in parts) or _DRIVE.match(path):
        raise RejectScene(source, f"names the unsafe path {shown!r}", DELIVER_AGAIN)
    return str(PurePosixPath(*parts))


def is_odd(path: str) -> bool:
    """Return whether a path stays inside the product, but has a name that no product's file has: not ASCII, or a colon.

    What systems and people leave beside a product may be called so, `manifest.safe:Zone.Identifier`; no stage reads it.
    """
    parts = path.removeprefix("./").split("/")
    inside = not _DRIVE.match(path) and not any(p in {"", ".", ".."} or _UNSAFE.search(p) for p in parts)
    return inside and any(not _NAME.match(p) and len(p.encode("utf-8", "surrogatepass")) <= 255 for p in parts)
