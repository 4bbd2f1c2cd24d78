"""`/odata/v1`: products and deleted products, as CDSE's OData catalogue lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tools.servers.catalogue.exchange import Answer, Request, json_answer, missing
from tools.servers.catalogue.memory import Memory
from tools.servers.catalogue.odata_filter import parse_filter
from tools.servers.catalogue.odata_record import deletion, facts, record
from tools.servers.catalogue.shelf import Removed, Shelf

LAST_SKIP = 10_000
_ORDERS = {"ContentDate/Start", "ContentDate/End", "PublicationDate", "ModificationDate", "DeletionDate"}
_ONE = re.compile(r"/(?:Deleted)?Products\(([0-9a-f-]{36})\)")
_TRUE = {"true", "True", "1"}
_EXPANDS = {"Attributes", "Assets", "Locations"}


class OData:
    """The catalogue.

    Args:
        shelf: whose products are listed.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._facts: Memory[list[tuple[Removed, Mapping[str, Any]]]] = Memory(2)
        self._found: Memory[list[Removed]] = Memory()

    def answer(self, request: Request) -> Answer:
        """Answer any request below the catalogue's address but subscriptions."""
        if request.path == "/Products/OData.CSC.FilterList" and request.method == "POST":
            return self._named(request)
        if match := re.fullmatch(r"/Products\(([0-9a-f-]{36})\)/\$value", request.path):
            # As the real service: the host of the catalogue sends to that of downloads.
            return Answer(
                301,
                b"",
                {"Location": f"{request.base}/download{request.address.removeprefix(request.base)}{request.path}"},
            )
        kind = "DeletedProducts" if request.path.startswith("/DeletedProducts") else "Products"
        if request.path == f"/{kind}":
            return self._list(request, kind)
        if match := _ONE.fullmatch(request.path):
            for there in self._all(kind):
                if there.product.id == match[1]:
                    return json_answer(self._record(request, self._awaited(there), kind))
            return missing(f"{kind}({match[1]}) is not here")
        return missing(f"{request.path} is not here")

    def _all(self, kind: str) -> list[Removed]:
        if kind == "DeletedProducts":
            return self._shelf.removed()
        return [Removed(product, product.modified, "") for product in self._shelf.all()]

    def _record(self, request: Request, there: Removed, kind: str) -> dict[str, Any]:
        if kind == "DeletedProducts":
            return deletion(there)
        wanted = {part for value in request.parameters.get("$expand", []) for part in value.split(",")}
        return record(self._shelf, there.product, request.base, wanted & _EXPANDS)

    def _named(self, request: Request) -> Answer:
        """Answer a list of names."""
        try:
            names = {str(wanted["Name"]) for wanted in json.loads(request.body)["FilterProducts"]}
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"detail": str(error)}, 400)
        found = [there for there in self._all("Products") if there.product.folder in names]
        return json_answer({"value": [self._record(request, there, "Products") for there in found]})

    def _awaited(self, there: Removed) -> Removed:
        """Count the question of who waits for an offline product, and asks for its record alone."""
        product = self._shelf.get(there.product.id)
        if product is None or product.online:
            return there
        self._shelf.order(product.id)
        return replace(there, product=self._shelf.get(product.id) or product)

    def _list(self, request: Request, kind: str) -> Answer:
        query = {name: values[0] for name, values in request.parameters.items()}
        try:
            top, skip = int(query.get("$top", "20")), int(query.get("$skip", "0"))
            found = self._find(kind, query.get("$filter", ""), query.get("$orderby", ""))
        except ValueError as error:
            return json_answer({"detail": str(error)}, 400)
        for name, value, most in (("$top", top, 1000), ("$skip", skip, LAST_SKIP)):
            if not 0 <= value <= most:
                return _beyond(name, value, most)
        page = found[skip : skip + top]
        if len(page) == 1:
            page = [self._awaited(page[0])]
        expanded = "".join(f"{name}()," for name in sorted(_EXPANDS & set(query.get("$expand", "").split(","))))
        body: dict[str, Any] = {"@odata.context": f"$metadata#{kind}({expanded.rstrip(',')})"}
        if query.get("$count") in _TRUE:
            body["@odata.count"] = len(found)
        body["value"] = [self._record(request, there, kind) for there in page]
        # As the real service: past its last skip there is no next link although more exists.
        if top and skip + top < len(found) and skip + top <= LAST_SKIP:
            body["@odata.nextLink"] = _next(request, skip + top)
        return json_answer(body)

    def _find(self, kind: str, condition: str, order: str) -> list[Removed]:
        """Find what fits, in order; the same query is answered from memory while nothing has changed."""
        generation = self._shelf.generation
        pairs = self._facts.get((generation, kind), lambda: [(there, facts(there)) for there in self._all(kind)])

        def find() -> list[Removed]:
            fits = parse_filter(condition) if condition else lambda _: True
            return [there for there, _ in _in_order([pair for pair in pairs if fits(pair[1])], order)]

        return self._found.get((generation, kind, condition, order), find)


def _in_order(found: list[tuple[Removed, Mapping[str, Any]]], order: str) -> list[tuple[Removed, Mapping[str, Any]]]:
    name, _, direction = (order or "PublicationDate asc").partition(" ")
    if name not in _ORDERS or direction.strip() not in {"", "asc", "desc"}:
        raise ValueError(f"{order!r} is not an order")
    found.sort(key=lambda pair: pair[1]["Id"])
    return sorted(found, key=lambda pair: pair[1][name], reverse=direction.strip() == "desc")


def _beyond(name: str, value: int, most: int) -> Answer:
    kind, bound = ("less_than_equal", {"le": most}) if value > most else ("greater_than_equal", {"ge": 0})
    message = f"Input should be {'less' if value > most else 'greater'} than or equal to {most if value > most else 0}"
    detail = {"type": kind, "loc": ["query", name], "msg": message, "input": str(value), "ctx": bound}
    return json_answer({"detail": [detail]}, 422)


def _next(request: Request, skip: int) -> str:
    kept = [(name, value) for name, value in parse_qsl(request.query, keep_blank_values=True) if name != "$skip"]
    return f"{request.address}{request.path}?{urlencode([*kept, ('$skip', str(skip))])}"
