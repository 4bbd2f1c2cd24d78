"""The page of what items say is that of the code."""

from __future__ import annotations

import dataclasses

from shared.items.properties import KINDS
from shared.stage import registry
from tools.docstrings import docstrings
from tools.items_page import PAGE, page


def test_the_page_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tools.items_page`"


def test_every_fact_is_explained() -> None:
    for kind in set(KINDS.values()):
        assert set(docstrings(kind)) == {f.name for f in dataclasses.fields(kind)}


def test_every_collection_of_data_is_there() -> None:
    assert {c.name for c in registry.collections()} == set(KINDS)
