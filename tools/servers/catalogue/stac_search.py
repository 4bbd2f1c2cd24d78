"""Search as STAC APIs answer it, over whatever items there are: conditions, order, pages, links."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry.base import BaseGeometry

from tools.servers.catalogue.cql2 import parse_filter, parse_query
from tools.servers.catalogue.exchange import Answer, Request, json_answer, missing
from tools.servers.catalogue.memory import Memory
from tools.servers.catalogue.space_time import meets, parse_area, parse_interval

GEOJSON = "application/geo+json"
_CONFORMANCE = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#query",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "https://api.stacspec.org/v1.0.0-rc.1/item-search#filter",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v1.0.0/item-search#fields",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
)


@dataclass(frozen=True)
class Entry:
    """What is searched, before an item is made of it.

    Attributes:
        id: of the item.
        collection: that it is in.
        geometry: in longitude, latitude (degrees).
        properties: that conditions and order may name; times are `datetime`, not text.
        make: makes the item for an address of the API and one of the server.
    """

    id: str
    collection: str
    geometry: BaseGeometry
    properties: Mapping[str, Any]
    make: Callable[[str, str], dict[str, Any]]


class StacSearch:
    """A STAC API.

    Args:
        name: of the catalogue.
        generation: gives a number that changes whenever the entries do.
        entries: gives the entries, also those that are gone by now (with False): a page can begin behind one of them.
        collections: ids that are there even if empty.
    """

    def __init__(
        self,
        name: str,
        generation: Callable[[], int],
        entries: Callable[[], Sequence[tuple[Entry, bool]]],
        collections: Sequence[str],
    ) -> None:
        self._name = name
        self._generation = generation
        self._make_entries = entries
        self._collections = collections
        self._held: Memory[Sequence[tuple[Entry, bool]]] = Memory(1)
        self._found: Memory[list[tuple[Entry, bool]]] = Memory()

    def answer(self, request: Request) -> Answer:
        """Answer any request below the API's address."""
        parts = request.path.strip("/").split("/")
        if parts == [""]:
            return json_answer(self._landing(request.address))
        if parts == ["collections"]:
            all_of_them = [self._collection(request.address, name) for name in self._collections]
            return json_answer({"collections": all_of_them, "links": []})
        if parts[0] == "collections" and parts[1] in self._collections:
            if len(parts) == 2:
                return json_answer(self._collection(request.address, parts[1]))
            if parts[2] == "items" and len(parts) == 4:
                return self._item(request, parts[1], parts[3])
        if parts == ["search"]:
            return self._search(request)
        return missing(f"{request.path} is not here")

    def _landing(self, address: str) -> dict[str, Any]:
        links = [
            {"rel": "self", "type": "application/json", "href": address},
            {"rel": "root", "type": "application/json", "href": address},
            {"rel": "data", "type": "application/json", "href": f"{address}/collections"},
            *(
                {"rel": "search", "type": GEOJSON, "href": f"{address}/search", "method": way}
                for way in ("GET", "POST")
            ),
            *(
                {"rel": "child", "type": "application/json", "href": f"{address}/collections/{name}"}
                for name in self._collections
            ),
        ]
        return {
            "type": "Catalog",
            "stac_version": "1.1.0",
            "id": self._name,
            "title": self._name,
            "description": self._name,
            "conformsTo": list(_CONFORMANCE),
            "links": links,
        }

    def _collection(self, address: str, name: str) -> dict[str, Any]:
        return {
            "type": "Collection",
            "stac_version": "1.1.0",
            "id": name,
            "description": name,
            "license": "other",
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["2015-06-27T00:00:00Z", None]]},
            },
            "links": [
                {"rel": "self", "type": "application/json", "href": f"{address}/collections/{name}"},
                {"rel": "root", "type": "application/json", "href": address},
                {"rel": "parent", "type": "application/json", "href": address},
                {"rel": "items", "type": GEOJSON, "href": f"{address}/collections/{name}/items"},
            ],
        }

    def _item(self, request: Request, collection: str, item_id: str) -> Answer:
        for entry, offered in self._entries():
            if offered and (entry.collection, entry.id) == (collection, item_id):
                return json_answer(entry.make(request.address, request.base), content_type=GEOJSON)
        return missing(f"No item with id {item_id!r}")

    def _search(self, request: Request) -> Answer:
        try:
            body = json.loads(request.body) if request.method == "POST" else _of_query(request)
            found = self._find({name: value for name, value in body.items() if name not in {"token", "limit"}})
            start = _start(found, str(body.get("token") or ""))
            limit = int(body.get("limit") or 10)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return json_answer({"code": "BadRequest", "description": str(error)}, 400)
        if not 1 <= limit <= 1000:
            return json_answer({"code": "BadRequest", "description": "limit is from 1 to 1000"}, 400)
        ahead = [entry for entry, offered in found[start:] if offered]
        page = ahead[:limit]
        links = [{"rel": "root", "type": "application/json", "href": request.address}]
        if len(ahead) > limit:
            links.append(_next(request, body, f"next:{page[-1].collection}:{page[-1].id}"))
        features = [entry.make(request.address, request.base) for entry in page]
        answer = {"type": "FeatureCollection", "features": features, "links": links, "numberReturned": len(page)}
        return json_answer(answer, content_type=GEOJSON)

    def _entries(self) -> Sequence[tuple[Entry, bool]]:
        return self._held.get(self._generation(), self._make_entries)

    def _find(self, body: dict[str, Any]) -> list[tuple[Entry, bool]]:
        """Find what fits, in order; the same search is answered from memory while nothing has changed."""
        key = (self._generation(), json.dumps(body, sort_keys=True))
        return self._found.get(key, lambda: _in_order(list(_fitting(body, self._entries())), body.get("sortby")))


def _fitting(body: dict[str, Any], entries: Sequence[tuple[Entry, bool]]) -> Iterator[tuple[Entry, bool]]:
    tests = [parse_filter(body["filter"])] if body.get("filter") else []
    tests += [parse_query(body["query"])] if body.get("query") else []
    first, last = parse_interval(body["datetime"]) if body.get("datetime") else (None, None)
    near = meets(parse_area(body), [entry.geometry for entry, _ in entries])
    for (entry, offered), met in zip(entries, near, strict=True):
        if not met or (body.get("collections") and entry.collection not in body["collections"]):
            continue
        if body.get("ids") and entry.id not in body["ids"]:
            continue
        sensed = entry.properties["datetime"]
        if (first and sensed < first) or (last and sensed > last):
            continue
        if all(test({**entry.properties, "geometry": entry.geometry}) for test in tests):
            yield entry, offered


def _in_order(found: list[tuple[Entry, bool]], sortby: Any) -> list[tuple[Entry, bool]]:
    rules = sortby or [{"field": "datetime", "direction": "desc"}]
    found.sort(key=lambda pair: pair[0].id)
    for rule in reversed(rules):
        name = rule["field"].removeprefix("properties.")
        if name not in {"published", "datetime", "id", "updated", "created"}:
            raise ValueError(f"sortby does not know {name!r}")

        def value(pair: tuple[Entry, bool], name: str = name) -> datetime | str:
            return pair[0].id if name == "id" else pair[0].properties[name]

        found.sort(key=value, reverse=rule.get("direction") == "desc")
    return found


def _start(found: list[tuple[Entry, bool]], token: str) -> int:
    if not token or token.startswith("lap:"):
        return 0
    _, collection, item_id = token.split(":", 2)
    for index, (entry, _) in enumerate(found):
        if (entry.collection, entry.id) == (collection, item_id):
            return index + 1
    raise ValueError(f"token {token!r} is not of this search")


def _next(request: Request, body: dict[str, Any], token: str) -> dict[str, Any]:
    if request.method == "POST":
        link = {"method": "POST", "href": f"{request.address}/search", "body": {**body, "token": token}, "merge": True}
    else:
        kept = "&".join(part for part in request.query.split("&") if not part.startswith("token="))
        link = {"method": "GET", "href": f"{request.address}/search?{kept}&token={token}"}
    return {"rel": "next", "type": GEOJSON, **link}


def _of_query(request: Request) -> dict[str, Any]:
    """Read the parameters of a GET as the body of a POST."""
    body: dict[str, Any] = {name: values[0] for name, values in request.parameters.items()}
    for name in ("collections", "ids", "bbox"):
        if name in body:
            body[name] = body[name].split(",")
    for name in ("query", "intersects"):
        if name in body:
            body[name] = json.loads(body[name])
    if "filter" in body:
        if body.get("filter-lang") != "cql2-json":
            raise ValueError("filter is answered in cql2-json alone")
        body["filter"] = json.loads(body["filter"])
    if "sortby" in body:
        body["sortby"] = [
            {"field": name.lstrip("+-"), "direction": "desc" if name.startswith("-") else "asc"}
            for name in body["sortby"].split(",")
        ]
    return body
