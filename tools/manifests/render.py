"""Renders an overlay as `kubectl apply -k` would, by kustomize from its Go module, or by kubectl where Go is absent."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tools.servers import INSTALLED, installing, run, tool

VERSION = "v5.8.1"
MODULE = f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"
BINARY = INSTALLED / f"kustomize-{VERSION}" / "kustomize"
OVERLAYS = ROOT / "k8s" / "overlays"
NAMES = ("dev", "prod")

Resource = dict[str, Any]


class RenderError(Exception):
    """Raised when an overlay does not render."""


def command() -> list[str]:
    """Return the command that renders a folder, which is its last argument.

    Raises:
        MissingToolError: neither Go nor kubectl is on the PATH.
    """
    kubectl = shutil.which("kubectl")
    if not BINARY.exists() and kubectl and not shutil.which("go"):
        return [kubectl, "kustomize"]
    with installing(BINARY.parent) as folder:
        if folder is not None:
            go = tool("go", "building kustomize (or kubectl, in its place,)")
            path = folder / "go"
            ours = {"GOPATH": str(path), "GOMODCACHE": str(path / "pkg" / "mod"), "GOCACHE": str(path / "build")}
            environment = {**ours, **os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
            run([go, "install", "-modcacherw", MODULE], within_s=600, env=environment)
            shutil.rmtree(path, ignore_errors=True)
    return [str(BINARY), "build"]


def render(folder: Path) -> list[Resource]:
    """Return the resources of an overlay.

    Raises:
        RenderError: it does not render; the message is kustomize's.
    """
    result = subprocess.run([*command(), str(folder)], capture_output=True, text=True, timeout=120)
    # A warning is a fault here: they tell of what kustomize will no longer read.
    if result.returncode != 0 or result.stderr:
        raise RenderError(f"{folder}: {result.stderr.strip()}")
    return [resource for resource in yaml.safe_load_all(result.stdout) if resource]
