"""Run the embedded model server beside a worker, and put models in place for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
from pathlib import Path, PurePosixPath
from typing import IO

MOST_BYTES = 2 * 1024**3
MOST_FILES = 64
KEPT_VERSIONS = 2

_MEMBER = re.compile(r"^(saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-\d{5}-of-\d{5}))$")
# ^ What a SavedModel without assets holds. Anything else in the archive was not written by the trainer.


class UnsafeModel(ValueError):
    """Raised when an archive is not a plain SavedModel."""


class Embedded:
    """One server process of this worker, started when first asked for; it ends with the worker."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder = Path()
        self._address = ""

    def address(self) -> str:
        """host:port of the running server; started, or started anew if it died.

        Raises:
            RuntimeError: it does not start.
        """
        self.start()
        if not self._address:
            assert self._process is not None
            assert self._process.stdout is not None
            self._address = _read_address(self._process.stdout)
        return self._address

    def start(self) -> None:
        """Start the server unless it runs, without waiting for it: TensorFlow takes seconds to load."""
        if self._process is None or self._process.poll() is not None:
            self._launch()

    def offer(self, archive: Path, name: str, version: int) -> None:
        """Put a model in place for the server, unless it is there.

        Raises:
            UnsafeModel: the archive is not a plain SavedModel.
        """
        self.start()
        base = self._folder / name
        if not (base / str(version)).is_dir():
            unpack(archive, base, version)
        (base / str(version)).touch()
        versions = sorted((p for p in base.iterdir() if p.name.isdecimal()), key=lambda p: p.stat().st_mtime_ns)
        for old in versions[:-KEPT_VERSIONS]:
            shutil.rmtree(old, ignore_errors=True)

    def stop(self) -> None:
        """End the server; it removes its folder."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None

    def _launch(self) -> None:
        self.stop()
        self._folder = Path(tempfile.mkdtemp(prefix="landstream-serving-"))
        root = str(Path(__file__).parents[2])
        search = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "services.inference.server", "--folder", str(self._folder)]
        self._process = subprocess.Popen(
            [*command, "--parent", str(os.getpid()), "--remove"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": search},
        )
        self._address = ""


def _read_address(stream: IO[str]) -> str:
    """The address from the server's first line; an end of the stream means that it died."""
    for line in stream:
        if line.startswith("listening on "):
            return line.removeprefix("listening on ").strip()
    raise RuntimeError("the embedded model server ended before it listened; its message is in the worker's output")


def unpack(archive: Path, base: Path, version: int) -> Path:
    """Unpack a model's tar so that a server sees the whole version or nothing.

    Args:
        archive: uncompressed tar of a SavedModel folder; its checksum was verified when it was fetched.
        base: folder of the model; made if absent.
        version: name of the folder.

    Returns:
        The version's folder.

    Raises:
        UnsafeModel: a member is not a plain file of a SavedModel, or all together are too large.
    """
    incoming = base / f".incoming-{uuid.uuid4().hex}"
    incoming.mkdir(parents=True)
    try:
        _extract(archive, incoming)
        target = base / str(version)
        incoming.rename(target)
        return target
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    """Write the members of a tar, each checked by name, kind and size."""
    total, seen = 0, set[str]()
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isreg() or not _MEMBER.match(member.name) or member.name in seen:
                    raise UnsafeModel(f"{archive.name}: {member.name[:100]!r} is no file of a SavedModel")
                seen.add(member.name)
                total += member.size
                if total > MOST_BYTES or len(seen) > MOST_FILES:
                    raise UnsafeModel(f"{archive.name}: larger than {MOST_BYTES} bytes or {MOST_FILES} files")
                source = tar.extractfile(member)
                assert source is not None
                path = folder.joinpath(*name.parts)
                path.parent.mkdir(exist_ok=True)
                with source, path.open("wb") as out:
                    shutil.copyfileobj(source, out)
                    out.flush()
                    os.fsync(out.fileno())
    except tarfile.TarError as error:
        raise UnsafeModel(f"{archive.name}: not an uncompressed tar ({error})") from error
    if "saved_model.pb" not in seen:
        raise UnsafeModel(f"{archive.name}: holds no saved_model.pb")
