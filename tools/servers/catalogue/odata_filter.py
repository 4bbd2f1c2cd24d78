"""The conditions of an OData query, in the forms that CDSE's catalogue answers."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import shapely

from tools.servers.catalogue.space_time import parse_time

Condition = Callable[[Mapping[str, Any]], bool]
"""Whether a product fits, by its record."""

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[()=,]|geography'[^']*'|[^\s()=,']+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_PATHS = (
    {"Name", "Online", "Id", "Collection/Name", "ContentDate/Start", "ContentDate/End"}
    | {f"{event}Date" for event in ("Publication", "Modification", "Origin", "Deletion")}
    | {"DeletionCause"}
)
_KINDS = "String|Double|Integer|DateTimeOffset|Boolean"
_ATTRIBUTE = re.compile(rf"Attributes/OData\.CSC\.(?:{_KINDS})Attribute/any")
_VALUE = re.compile(rf"att/OData\.CSC\.(?:{_KINDS})Attribute/Value")
_DEEPEST = 50


def parse_filter(text: str) -> Condition:
    """Read a `$filter`.

    Raises:
        ValueError: it is not one that is understood.
    """
    reader = _Reader(text)
    condition = reader.either()
    if reader.ahead:
        raise ValueError(f"{reader.ahead!r} is not expected")
    return condition


class _Reader:
    """Reads a condition from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _split(text)
        self._index = 0
        self._depth = 0

    @property
    def ahead(self) -> str:
        return self._tokens[self._index] if self._index < len(self._tokens) else ""

    def either(self) -> Condition:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return lambda record: any(part(record) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return lambda record: all(part(record) for part in parts)

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("the condition is too deep")
        try:
            if self._takes("not"):
                inner = self._one()
                return lambda record: not inner(record)
            if self._takes("("):
                condition = self.either()
                self._must(")")
                return condition
            return self._simple()
        finally:
            self._depth -= 1

    def _simple(self) -> Condition:
        name = self._take()
        if name in _TEXT:
            self._must("(")
            path = self._path()
            self._must(",")
            value = self._literal()
            self._must(")")
            return lambda record: _TEXT[name](str(_at(record, path)), str(value))
        if name == "OData.CSC.Intersects":
            return self._intersects()
        if _ATTRIBUTE.fullmatch(name):
            return self._attribute()
        if name not in _PATHS:
            raise ValueError(f"{name!r} is not a property")
        return self._comparison(name)

    def _comparison(self, path: str) -> Condition:
        compare, value = self._operator(), self._literal()
        return lambda record: _compare(compare, _at(record, path), value)

    def _intersects(self) -> Condition:
        for token in ("(", "area", "="):
            self._must(token)
        written = self._take()
        match = re.fullmatch(r"geography'SRID=4326;(.*)'", written)
        self._must(")")
        try:
            area = shapely.from_wkt(match[1] if match else "")
        except shapely.errors.GEOSException as error:
            raise ValueError(f"{written} is not an area") from error
        return lambda record: bool(area.intersects(record["area"]))

    def _attribute(self) -> Condition:
        for token in ("(", "att:att/Name", "eq"):
            self._must(token)
        name = str(self._literal())
        self._must("and")
        if not _VALUE.fullmatch(self._take()):
            raise ValueError(f"attribute {name!r} is compared with nothing")
        compare, value = self._operator(), self._literal()
        self._must(")")
        return lambda record: _compare(compare, record["attributes"].get(name), value)

    def _operator(self) -> Callable[[Any, Any], bool]:
        token = self._take()
        if token not in _COMPARE:
            raise ValueError(f"{token!r} is not an operator")
        return _COMPARE[token]

    def _path(self) -> str:
        path = self._take()
        if path not in _PATHS:
            raise ValueError(f"{path!r} is not a property")
        return path

    def _literal(self) -> Any:
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token in {"true", "false"}:
            return token == "true"
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return float(token)
        return parse_time(token)

    def _take(self) -> str:
        token = self.ahead
        if not token:
            raise ValueError("the condition breaks off")
        self._index += 1
        return token

    def _takes(self, token: str) -> bool:
        taken = self.ahead == token
        self._index += taken
        return taken

    def _must(self, token: str) -> None:
        if not self._takes(token):
            raise ValueError(f"{token!r} is expected, not {self.ahead!r}")


def _split(text: str) -> list[str]:
    tokens, end = [], 0
    while end < len(text.rstrip()):
        match = _TOKEN.match(text, end)
        if match is None:
            raise ValueError(f"not understood: {text[end : end + 40]!r}")
        tokens.append(match[1])
        end = match.end()
    return tokens


def _at(record: Mapping[str, Any], path: str) -> Any:
    return record.get(path)


def _compare(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    if value is None:
        return False
    try:
        return compare(value, wanted)
    except TypeError as error:
        raise ValueError(f"{value!r} is not compared with {wanted!r}") from error
