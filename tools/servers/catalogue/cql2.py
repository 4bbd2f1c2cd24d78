"""Conditions of a STAC search: cql2-json, and the older `query`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from shapely.geometry import shape

from tools.servers.catalogue.space_time import parse_time

Condition = Callable[[Mapping[str, Any]], bool]
"""Whether an item fits, by its properties."""

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OLDER = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def parse_filter(value: Any) -> Condition:
    """Read a condition in cql2-json.

    Raises:
        ValueError: it is none, or of a kind that is not known.
    """
    if not isinstance(value, dict) or not isinstance(value.get("args"), list):
        raise ValueError(f"not a condition: {value!r}")
    op, args = str(value.get("op")), value["args"]
    if op in {"and", "or"}:
        parts = [parse_filter(arg) for arg in args]
        combine = all if op == "and" else any
        return lambda properties: combine(part(properties) for part in parts)
    if op == "not":
        inner = parse_filter(args[0])
        return lambda properties: not inner(properties)
    if op == "s_intersects":
        area = shape(args[1])
        return lambda properties: bool(area.intersects(properties["geometry"]))
    if op == "between":
        return parse_filter(
            {"op": "and", "args": [{"op": ">=", "args": args[:2]}, {"op": "<=", "args": [args[0], args[2]]}]}
        )
    if op == "in":
        wanted = [_literal(arg) for arg in args[1]]
        return lambda properties: properties.get(args[0]["property"]) in wanted
    if op not in _COMPARE or len(args) != 2 or "property" not in args[0]:
        raise ValueError(f"not a condition: {value!r}")
    return _comparison(args[0]["property"], op, _literal(args[1]))


def parse_query(value: Mapping[str, Mapping[str, Any]]) -> Condition:
    """Read the older form: `{"eo:cloud_cover": {"lte": 20}}`.

    Raises:
        ValueError: an operator is not known.
    """
    if unknown := {op for tests in value.values() for op in tests} - set(_OLDER):
        raise ValueError(f"not operators: {sorted(unknown)}")
    parts = [_comparison(name, _OLDER[op], other) for name, tests in value.items() for op, other in tests.items()]
    return lambda properties: all(part(properties) for part in parts)


def _comparison(name: str, op: str, wanted: Any) -> Condition:
    compare = _COMPARE[op]

    def fits(properties: Mapping[str, Any]) -> bool:
        value = properties.get(name)
        if value is None:  # what is unknown never fits
            return False
        if isinstance(value, datetime) and isinstance(wanted, str):
            return compare(value, parse_time(wanted))
        return compare(value, wanted)

    return fits


def _literal(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("timestamp") or value.get("date")
    return value
