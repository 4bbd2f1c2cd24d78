"""A run on a disk that is too small, then larger: no failure record, and the same line goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
"""What lets an unprivileged process mount a file system that only it sees."""


def test_a_full_disk_then_space(six: list[Path], tmp_path: Path) -> None:
    labels = next(p for p in six if p.suffix == ".gpkg")
    results = on_a_small_disk(
        tmp_path, [labels, *(p for p in six if p.name.startswith("S3"))], ["size=2m", "size=5m", "size=400m"]
    )
    for result in results[:-1]:
        assert result["code"] == 1
        (line,) = [line for line in result["errors"].splitlines() if line.startswith("landstream: ")]
        assert str(tmp_path) in line
        assert "MB free, at least" in line
        assert "Traceback" not in result["errors"]
        assert result["records"] == []
    assert (results[-1]["code"], results[-1]["records"]) == (0, [])


def test_a_disk_that_becomes_read_only(six: list[Path], tmp_path: Path) -> None:
    labels = next(p for p in six if p.suffix == ".gpkg")
    results = on_a_small_disk(tmp_path, [labels], ["size=300k", "ro", "rw,size=100m"])
    assert [r["code"] for r in results] == [1, 1, 0]
    assert "the disk is read-only; make it writable" in results[1]["errors"].splitlines()[-1]
    assert [r["records"] for r in results] == [[], [], []]


def on_a_small_disk(folder: Path, products: list[Path], options: list[str]) -> list[dict[str, Any]]:
    """Run over products on a disk in memory that is mounted anew with each option; what each run ended with."""
    script = [sys.executable, "-m", "tests.landstream.small_disk", str(folder), json.dumps(options)]
    command = script if os.geteuid() == 0 else [*IN_NAMESPACE, *script]
    result = subprocess.run([*command, *map(str, products)], cwd=ROOT, capture_output=True, text=True)
    if result.returncode == 77 or result.stderr.startswith("unshare:"):
        pytest.skip(f"this machine lets nobody mount a disk: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found
