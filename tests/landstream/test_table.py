"""Tables for people: nothing that is copied is cut or broken, whatever the width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from landstream.table import Column, table

COLUMNS = Column("week"), Column("path", copied=True, below=True), Column("why", below=True)
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=90)


def test_a_wide_terminal_gets_one_line_a_row() -> None:
    rows = [("2018-W23", "/a/b.tif", "no clear land"), ("2018-W24", "/a/long.tif", "")]
    assert list(table(COLUMNS, rows, 80)) == [
        "week      path         why",
        "2018-W23  /a/b.tif     no clear land",
        "2018-W24  /a/long.tif",
    ]


def test_a_narrow_terminal_gets_long_values_below() -> None:
    rows = [("2018-W23", "/a/very/long/path/of/a/map.tif", "a fault that takes more than one line to tell")]
    assert list(table(COLUMNS, rows, 32)) == [
        "week",
        "2018-W23",
        "  path  /a/very/long/path/of/a/map.tif",
        "  why   a fault that takes more",
        "        than one line to tell",
    ]


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=4), st.integers(1, 300))
def test_every_value_is_whole_on_a_line(rows: list[tuple[str, str, str]], width: int) -> None:
    shown = list(table(COLUMNS, rows, width))
    for row in rows:
        assert all(any(text in line for line in shown) for text in row)


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    assert list(table([Column("file")], [["a\x1b[31mb\nc"]], 80)) == ["file", "a [31mb c"]
