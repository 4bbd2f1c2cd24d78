"""The members of an archive that nobody vouches for: where each goes, and which are left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from services.ingest.refuse import DELIVER_AGAIN, check_relative, is_odd
from shared.stage import RejectScene

SMALL_BYTES = 16 << 20
"""Below this a ratio does not matter: XML and empty geodatabase pages shrink further than pictures."""


@dataclass(frozen=True)
class Limits:
    """What a product may hold at most.

    Attributes:
        members: files.
        bytes: of all files together, unpacked.
        ratio: unpacked to packed, of one large member, or of a whole archive that is packed as one.
    """

    members: int
    bytes: int
    ratio: int

    def less(self, root: Path, files: Collection[str]) -> Limits:
        """Return what is left of them beside some files below a folder."""
        return replace(
            self, members=self.members - len(files), bytes=self.bytes - sum((root / f).stat().st_size for f in files)
        )


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: relative POSIX paths, sorted.
        left_out: members with names that no product's file has, as the archive gives them, sorted.
    """

    files: list[str]
    left_out: list[str]


class Members:
    """The members of an archive, as they are met.

    Args:
        archive: its name, for messages.
    """

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._files: dict[str, str] = {}
        self._left_out: list[str] = []

    def take(self, name: str, is_folder: bool) -> str | None:
        """Check a member's name, whose back-slashes are slashes of Windows' own archivers.

        Args:
            name: as the archive gives it.
            is_folder: whether it is a folder.

        Returns:
            The relative POSIX path of the file; None where there is nothing to write.

        Raises:
            RejectScene: it is unsafe, or was there before.
        """
        path = name.replace("\\", "/").removesuffix("/")
        if is_folder and path == ".":
            return None
        if is_odd(path):
            if not is_folder:
                self._left_out.append(path)
            return None
        path = check_relative(path, self._archive)
        if is_folder:
            return None
        if path.casefold() in self._files:
            raise RejectScene(self._archive, f"holds {path} twice", DELIVER_AGAIN)
        self._files[path.casefold()] = path
        return path

    def end(self) -> Unpacked:
        """Return what there is, once all members were met.

        Raises:
            RejectScene: there is nothing, or a file where another one has its folder.
        """
        files = set(self._files.values())
        if not files:
            raise RejectScene(self._archive, "is an empty archive", DELIVER_AGAIN)
        folders = {str(p) for path in files for p in PurePosixPath(path).parents}
        if clash := sorted(folders & files):
            raise RejectScene(self._archive, f"holds {clash[0]} as a file and as a folder", DELIVER_AGAIN)
        return Unpacked(sorted(files), sorted(self._left_out))
