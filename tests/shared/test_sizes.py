"""Bytes as people read them."""

from __future__ import annotations

from shared.sizes import human


def test_bytes_have_the_unit_that_fits() -> None:
    assert [human(n) for n in (0, 999, 1_500, 2.5e12, 3e15)] == ["0.0 B", "999.0 B", "1.5 kB", "2.5 TB", "3.0 PB"]
