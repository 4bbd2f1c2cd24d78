"""The models that the embedded server serves: SavedModels below a folder, loaded when first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import grpc

MOST_LOADED = 2
"""Versions kept in memory; the one not asked for the longest is dropped."""


class Refused(Exception):
    """Raised with the gRPC status that TF Serving would answer."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Models:
    """The SavedModels below a folder, loaded when first asked for.

    Only numbered folders that hold a `saved_model.pb` count: whoever puts a model there renames a whole folder into
    place, as TF Serving wants it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] | None = None
        self._loaded: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def configure(self, paths: dict[str, Path]) -> None:
        """Serve these models and no other.

        Raises:
            Refused: a base path is not below the served folder.
        """
        for name, path in paths.items():
            if not path.resolve().is_relative_to(self._folder.resolve()) or not path.is_dir():
                raise Refused(
                    grpc.StatusCode.INVALID_ARGUMENT, f"base path {path} of {name} is not a folder of this server"
                )
        with self._lock:
            self._paths = dict(paths)
            for key in [k for k in self._loaded if k[0] not in paths]:
                del self._loaded[key]

    def versions(self, name: str) -> list[int]:
        """Complete versions of a model, ascending."""
        base = self._base(name)
        if base is None or not base.is_dir():
            return []
        return sorted(int(p.name) for p in base.iterdir() if p.name.isdecimal() and (p / "saved_model.pb").is_file())

    def choose(self, spec: Any) -> int:
        """Choose the version that a ModelSpec means.

        Raises:
            Refused: there is no such version.
        """
        if not spec.name:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
        if spec.version_label:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}"
            )
        versions = self.versions(spec.name)
        if spec.HasField("version"):
            wanted = int(spec.version.value)
            if wanted not in versions:
                text = f"Servable not found for request: Specific({spec.name}, {wanted})"
                raise Refused(grpc.StatusCode.NOT_FOUND, text)
            return wanted
        if not versions:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        return versions[-1]

    def load(self, name: str, version: int) -> Any:
        """Load a version's SavedModel."""
        import tensorflow as tf

        with self._lock:
            key = (name, version)
            if key not in self._loaded:
                self._loaded[key] = tf.saved_model.load(str(self.path(name, version)))
                while len(self._loaded) > MOST_LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def path(self, name: str, version: int) -> Path:
        """Folder of a version."""
        base = self._base(name)
        assert base is not None
        return base / str(version)

    def _base(self, name: str) -> Path | None:
        if self._paths is not None:
            return self._paths.get(name)
        # A name is one folder below the root, whatever a client sends.
        return self._folder / name if name not in {"", ".", ".."} and "/" not in name and "\0" not in name else None
