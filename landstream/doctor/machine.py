"""This machine: Python, memory, GPU, and what is installed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from landstream.doctor.finding import Finding, size
from shared.stage import registry

PACKAGE: Final = "landstream"
NO_SERVICE: Final = {"all", "dev"}
"""Extras that say what others say."""

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*?extra == ['\"](?P<extra>[^'\"]+)['\"]")
_BOUND = re.compile(r"(>=|<)\s*(\d+)\.(\d+)")
_CGROUP = Path("/sys/fs/cgroup/memory.max")
GPU_S = 10.0


def look_at_machine() -> Iterator[Finding]:
    """Yield what there is to say of this machine."""
    yield look_at_python(sys.version_info[:2], _declared("Requires-Python"))
    yield look_at_memory(memory_bytes(), max(s.deployment.memory_mb for s in registry.all_stages()))
    yield look_at_gpu()
    yield from look_at_extras(_requirements(), _is_installed)


def _declared(field: str) -> str:
    try:
        return str(metadata.metadata(PACKAGE)[field] or "")
    except metadata.PackageNotFoundError:
        return ""


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []


def look_at_python(version: tuple[int, int], wanted: str) -> Finding:
    """Judge the version of Python by what the package asks for, such as `<3.12,>=3.11`."""
    bounds = [(sign, (int(major), int(minor))) for sign, major, minor in _BOUND.findall(wanted)]
    fits = all(version >= bound if sign == ">=" else version < bound for sign, bound in bounds)
    text = f"{version[0]}.{version[1]} on {platform.system()} {platform.machine()}"
    if fits:
        return Finding("Python", "ok", text)
    return Finding("Python", "fail", text, f"make the environment with a Python {wanted}")


def memory_bytes() -> int:
    """Return the bytes of memory that processes may take here: the machine's, or a container's limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP.read_text().strip() if _CGROUP.is_file() else "max"
    return min(total, int(limit)) if limit.isdigit() else total


def look_at_memory(found: int, wanted_mb: int) -> Finding:
    """Judge the memory by what the largest stage is given."""
    if found >= wanted_mb << 20:
        return Finding("memory", "ok", size(found))
    remedy = f"the largest stage is given {size(wanted_mb << 20)}: use a larger machine, or small areas"
    return Finding("memory", "warn", size(found), remedy)


def look_at_gpu() -> Finding:
    """Say which GPU TensorFlow may find; none is needed."""
    program = shutil.which("nvidia-smi")
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=GPU_S) if program else None
    except (OSError, subprocess.TimeoutExpired):
        listed = None
    names = [text.partition(": ")[2].partition(" (")[0] for text in listed.stdout.splitlines()] if listed else []
    return Finding("GPU", "ok", ", ".join(filter(None, names)) or "none: models are trained on the CPU")


def look_at_extras(requirements: Iterable[str], is_there: Callable[[str], bool]) -> Iterator[Finding]:
    """Yield for each extra whether its libraries are there.

    Args:
        requirements: as the package declares them, `scipy>=1.14; extra == 'tiler'`.
        is_there: whether a package is installed.
    """
    extras: dict[str, set[str]] = {}
    for match in filter(None, map(_REQUIREMENT.match, requirements)):
        if match["extra"] not in NO_SERVICE:
            extras.setdefault(match["extra"], set()).add(match["name"])
    for extra, names in sorted(extras.items()):
        missing = sorted(name for name in names if not is_there(name))
        if missing:
            text, remedy = f"missing: {', '.join(missing)}", f"to use it, pip install '{PACKAGE}[{extra}]'"
            yield Finding(f"extra {extra}", "warn", text, remedy)
        else:
            yield Finding(f"extra {extra}", "ok", ", ".join(sorted(names)))
    if not extras:
        yield Finding("extras", "warn", f"{PACKAGE} is not installed as a package", "pip install 'landstream[all]'")


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
