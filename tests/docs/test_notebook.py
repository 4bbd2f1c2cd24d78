"""The researcher's notebook runs over a store, says nothing that it should not, and is committed as it ran."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import nbformat

from tests.docs.notebook import NOTEBOOK, run, tidy

MAX_PICTURES_BYTES = 150_000

COMMITTED = nbformat.read(NOTEBOOK, as_version=4)


def shape(notebook: Any) -> list[tuple[str, str, list[tuple[str, list[str]]]]]:
    """What a notebook says in each cell, and which kinds of output it has."""
    return [
        (
            c.cell_type,
            c.source,
            [(o.get("name", o.output_type), sorted(o.get("data", ()))) for o in c.get("outputs", ())],
        )
        for c in notebook.cells
    ]


def test_it_is_committed_as_it_runs(mapped: Path, tmp_path: Path) -> None:
    executed = run(mapped, tmp_path)
    store_path = next(c for c in executed.cells if "injected-parameters" in c.metadata.get("tags", ())).source
    assert str(mapped) in store_path
    assert shape(tidy(executed)) == shape(COMMITTED)
    assert "stderr" not in str(shape(executed))


def test_what_is_committed_is_small_and_of_no_machine() -> None:
    outputs = [output for cell in COMMITTED.cells for output in cell.get("outputs", ())]
    pictures = [base64.b64decode(o.data["image/png"]) for o in outputs if "image/png" in o.get("data", ())]
    assert len(pictures) == 3
    assert sum(map(len, pictures)) < MAX_PICTURES_BYTES
    text = NOTEBOOK.read_text()
    assert not any(prefix in text for prefix in ("/home/", "/root/", "/tmp/", "file://"))
    assert tidy(nbformat.read(NOTEBOOK, as_version=4)) == COMMITTED
