"""Going on where an earlier try stopped: with the range that was asked for, of the version that has come in part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from services.ingest.fetch.network.receive import Span

_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})\Z", re.ASCII)
_STRONG: Final = re.compile(r'"[\x21\x23-\x7e]{1,200}"\Z', re.ASCII)
"""An ETag that is another one as soon as a single byte is; a weak one begins with `W/`."""


def range_start(content_range: str, span: Span) -> int | None:
    """Return the first byte of an answered range that goes on to the end of what was promised; None if it does not.

    Args:
        content_range: the header `Content-Range`; empty = absent.
        span: where the file stands.
    """
    match = _RANGE.match(content_range)
    if match is None:
        return None
    first, last, total = map(int, match.groups())
    return first if last == total - 1 and span.total in {None, total} else None


class Version:
    """The ETag of what lies in a `.part`; kept beside it, as the next try may be another process's."""

    def __init__(self, part: Path) -> None:
        """Read nothing yet.

        Args:
            part: what has come so far; its name ends with `.part`.
        """
        self._part = part
        self._path = part.with_name(f"{part.stem}.etag.part")

    @property
    def text(self) -> str:
        """The ETag; empty = none is known, and what has come cannot be gone on with."""
        try:
            text = self._path.read_bytes().decode("ascii", "replace")
        except FileNotFoundError:
            return ""
        return text if _STRONG.match(text) else ""

    @property
    def done(self) -> int:
        """Bytes that can be gone on with."""
        return self._part.stat().st_size if self.text and self._part.exists() else 0

    def begin(self, etag: str) -> None:
        """Keep the ETag of what comes from its beginning now; the part is removed first, so that no two are mixed."""
        self.forget()
        if _STRONG.match(etag):
            self._path.write_bytes(etag.encode())

    def settled(self) -> None:
        """Forget the ETag alone: the part has its name by now."""
        self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what has come, and its ETag."""
        self._part.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
