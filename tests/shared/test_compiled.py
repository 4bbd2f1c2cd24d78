"""Compiled loops are found again: beside their module, by the next process, and where nobody may write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOOP = """
from shared.compiled import compiled

@compiled("float64(float64[::1], int64)")
def total(values, count):
    result = 0.0
    for i in range(count):
        result += values[i] * values[i]
    return result
"""
READ = """
import json, os, sys, tempfile
sys.path.insert(0, os.getcwd())
if {read_only}:
    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")
    tempfile.TemporaryFile = refuse
    real = os.replace
    os.replace = refuse
import numpy as np
from {package}.kernels import total
print(json.dumps([total(np.array([0.1, 0.2, 0.3]), 3), sum(total.stats.cache_hits.values())]))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with one loop."""
    folder = tmp_path / "loops"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "kernels.py").write_text(LOOP)
    return folder


def run(package: Path, *, read_only: bool = False) -> tuple[float, int]:
    """Return the loop's result in a new process, and how often something compiled was found."""
    program = READ.format(read_only=read_only, package=package.name)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"]
    done = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True)
    result, hits = json.loads(done.stdout)
    return result, hits


def test_it_is_compiled_once(package: Path) -> None:
    expected = 0.1 * 0.1 + 0.2 * 0.2 + 0.3 * 0.3
    assert run(package) == (expected, 0)
    assert list(package.glob("__pycache__/kernels.total-*.nbi"))
    assert run(package) == (expected, 1)


def test_what_an_image_holds_serves_where_nobody_may_write(package: Path) -> None:
    result, _ = run(package)
    assert run(package, read_only=True) == (result, 1)


def test_a_loop_that_changed_is_compiled_anew_where_nobody_may_write(package: Path) -> None:
    run(package)
    (package / "kernels.py").write_text(LOOP.replace("values[i] * values[i]", "values[i]"))
    result, hits = run(package, read_only=True)
    assert (result, hits) == (0.1 + 0.2 + 0.3, 0)
