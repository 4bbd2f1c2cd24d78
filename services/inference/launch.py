"""Run the embedded model server beside a worker, and put models in place for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from shared.items.model_archive import KEPT_VERSIONS, unpack


class Embedded:
    """One server process of this worker, started when first asked for; it ends with the worker.

    Args:
        port: of the loopback; 0 = any free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
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
        if not self.running:
            self._launch()

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

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
        command += ["--port", str(self._port)]
        self._process = subprocess.Popen(
            [*command, "--parent", str(os.getpid()), "--remove"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": search},
        )
        self._address = ""


def _read_address(stream: IO[str]) -> str:
    """Read the address from the server's first line; an end of the stream means that it died."""
    for line in stream:
        if line.startswith("listening on "):
            return line.removeprefix("listening on ").strip()
    raise RuntimeError("the embedded model server ended before it listened; its message is in the worker's output")
