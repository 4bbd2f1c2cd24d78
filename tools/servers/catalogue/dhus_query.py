"""The queries of a DHuS node: terms of Solr, as sentinelsat writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import shapely

from tools.servers.catalogue.space_time import parse_time

Condition = Callable[[Mapping[str, Any]], bool]
"""Whether a product fits, by its fields (names in lower case)."""

_TERM = re.compile(r"\s*(?:(AND|OR|NOT)\b|([()])|(\w+):(\"(?:[^\"])*\"|\[[^\]]*\]|[^\s()\"]+))", re.IGNORECASE)
_RANGE = re.compile(r"\[\s*\"?([^\"\]]*?)\"?\s+TO\s+\"?([^\"\]]*?)\"?\s*\]")
_NOW = re.compile(r"NOW(?:-(\d+)(MINUTE|HOUR|DAY|MONTH|YEAR)S?)?")
_SECONDS = {"MINUTE": 60, "HOUR": 3600, "DAY": 86400, "MONTH": 30 * 86400, "YEAR": 365 * 86400}
_AREA = re.compile(r"(Intersects|Contains|IsWithin)\((.*)\)", re.IGNORECASE | re.DOTALL)
FIELDS = frozenset(
    {
        "platformname", "producttype", "cloudcoverpercentage", "beginposition", "endposition", "ingestiondate",
        "footprint", "identifier", "filename", "uuid", "tileid", "platformserialidentifier", "relativeorbitnumber",
        "processinglevel", "instrumentshortname", "timeliness",
    }
)  # fmt: skip


def parse_query(text: str) -> Condition:
    """Read a query: terms side by side must all hold.

    Raises:
        ValueError: it is not understood; the message is the node's.
    """
    tokens, end = [], 0
    while end < len(text.rstrip()):
        match = _TERM.match(text, end)
        if match is None:
            raise ValueError(f"Cannot parse '{text[end : end + 40]}'")
        tokens.append((match[1] or match[2] or "").upper() or (match[3].lower(), match[4]))
        end = match.end()
    condition, rest = _either(tokens)
    if rest:
        raise ValueError(f"Cannot parse {rest[0]!r}")
    return condition


def _either(tokens: list[Any]) -> tuple[Condition, list[Any]]:
    part, tokens = _both(tokens)
    parts = [part]
    while tokens and tokens[0] == "OR":
        part, tokens = _both(tokens[1:])
        parts.append(part)
    return (lambda fields: any(part(fields) for part in parts)), tokens


def _both(tokens: list[Any]) -> tuple[Condition, list[Any]]:
    parts = []
    while tokens and tokens[0] not in {"OR", ")"}:
        if tokens[0] == "AND":
            tokens = tokens[1:]
        part, tokens = _one(tokens)
        parts.append(part)
    return (lambda fields: all(part(fields) for part in parts)), tokens


def _one(tokens: list[Any]) -> tuple[Condition, list[Any]]:
    if not tokens:
        raise ValueError("the query breaks off")
    if tokens[0] == "NOT":
        inner, rest = _one(tokens[1:])
        return (lambda fields: not inner(fields)), rest
    if tokens[0] == "(":
        inner, rest = _either(tokens[1:])
        if not rest or rest[0] != ")":
            raise ValueError("a parenthesis is not closed")
        return inner, rest[1:]
    if isinstance(tokens[0], str):
        raise ValueError(f"Cannot parse {tokens[0]!r}")
    return _term(*tokens[0]), tokens[1:]


def _term(name: str, written: str) -> Condition:
    if name not in FIELDS:
        raise ValueError(f"undefined field {name}")
    if ends := _RANGE.fullmatch(written):
        first, last = (_end(end) for end in ends.groups())
        return lambda fields: _between(first, fields.get(name), last)
    wanted = written.strip('"')
    if name == "footprint":
        return _area(wanted)
    return lambda fields: fields.get(name) is not None and fnmatchcase(str(fields[name]), wanted)


def _area(wanted: str) -> Condition:
    match = _AREA.fullmatch(wanted)
    try:
        area = shapely.from_wkt(match[2] if match else "")
    except shapely.errors.GEOSException as error:
        raise ValueError(f"{wanted} is not an area") from error
    tests = {"intersects": area.intersects, "contains": area.within, "iswithin": area.contains}
    test = tests[match[1].lower() if match else ""]
    return lambda fields: bool(test(fields["footprint"]))


def _end(written: str) -> Any:
    if written == "*":
        return None
    if now := _NOW.fullmatch(written):
        back = int(now[1]) * _SECONDS[now[2]] if now[1] else 0
        return datetime.now(UTC) - timedelta(seconds=back)
    return float(written) if re.fullmatch(r"-?\d+(\.\d+)?", written) else parse_time(written)


def _between(first: Any, value: Any, last: Any) -> bool:
    if value is None:
        return False
    return (first is None or first <= value) and (last is None or value <= last)
