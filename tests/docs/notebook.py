"""Runs the researcher's notebook and writes it back: `python -m tests.docs.notebook STORE`.

STORE is what docs/researcher.md makes. What differs between machines and runs, times and paths, is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs" / "researcher.ipynb"
PARAMETERS = "injected-parameters"


def run(store: Path, folder: Path) -> Any:
    """The notebook, executed over a store by a process of its own in a folder."""
    made = folder / "executed.ipynb"
    # What the kernel keeps belongs to the folder, not to whoever runs this.
    own = {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "jupyter")}
    command = [sys.executable, "-m", "papermill", str(NOTEBOOK), str(made), "--parameters", "store_path", str(store)]
    result = subprocess.run(
        [*command, "--cwd", str(folder), "--no-progress-bar"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return nbformat.read(made, as_version=4)


def tidy(executed: Any) -> Any:
    """The notebook without what papermill adds to it."""
    executed.cells = [cell for cell in executed.cells if PARAMETERS not in cell.metadata.get("tags", ())]
    counted = 0
    for cell in executed.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.NotebookNode({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            counted += 1
            cell.execution_count = counted
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = counted
    executed.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    return executed


def main() -> int:
    """Write the notebook."""
    with tempfile.TemporaryDirectory() as folder:
        executed = tidy(run(Path(sys.argv[1]).resolve(), Path(folder)))
    NOTEBOOK.write_text(nbformat.writes(executed) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
