"""`/dhus`: a node of the former hub, as sentinelsat speaks with it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tools.servers.catalogue.content import files_of, read_file
from tools.servers.catalogue.dhus_query import parse_query
from tools.servers.catalogue.dhus_record import described, feed, fields
from tools.servers.catalogue.exchange import Answer, Request, file_answer, json_answer, text_answer
from tools.servers.catalogue.memory import Memory
from tools.servers.catalogue.product import Product
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.tokens import Account

MOST_ROWS = 100
MOST_QUERY = 3898  # characters, encoded
_PRODUCT = re.compile(r"/odata/v1/Products\('([^']*)'\)(.*)")
_NODE = re.compile(r"/Nodes\('[^']*'\)((?:/Nodes\('[^']*'\))+)/\$value")
_UNAUTHORISED = "<html><head><title>Apache Tomcat - Error report</title></head><body>HTTP Status 401</body></html>"


class Dhus:
    """The node.

    Args:
        shelf: whose products it offers.
        account: that may ask.
    """

    def __init__(self, shelf: Shelf, account: Account) -> None:
        self._shelf = shelf
        self._found: Memory[list[Product]] = Memory()
        self._basic = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        if request.headers.get("authorization", "") != f"Basic {self._basic}":
            return text_answer(_UNAUTHORISED, 401, "text/html;charset=utf-8")
        if request.path == "/api/stub/version":
            return json_answer({"value": "2.4.1"})
        if request.path == "/search":
            return self._search(request)
        if match := _PRODUCT.fullmatch(request.path):
            product = self._shelf.get(match[1])
            return _invalid(match[1]) if product is None else self._product(request, product, match[2])
        return text_answer("<html><body>not here</body></html>", 404, "text/html")

    def _search(self, request: Request) -> Answer:
        text = request.parameter("q")
        if len(re.sub(r".*[?&]q=", "", "?" + request.query)) > MOST_QUERY:
            page = "<html><body>Request-URI Too Long</body></html>"
            return text_answer(page, 500, "text/html").titled(cause_message="Request-URI Too Long")
        try:
            found = self._find(text, request.parameter("orderby"))
            rows, start = int(request.parameter("rows", "10")), int(request.parameter("start", "0"))
        except ValueError as error:
            return json_answer({"feed": {"error": {"code": "400", "message": str(error)}}})
        listed = found[start : start + min(rows, MOST_ROWS)]
        return json_answer(feed(self._shelf, listed, len(found), start, rows, request.address, text))

    def _find(self, text: str, orderby: str) -> list[Product]:
        """Find what fits, in order; the same query is answered from memory while nothing has changed."""

        def find() -> list[Product]:
            fits, order = parse_query(text), _order(orderby)
            found = [product for product in self._shelf.all() if fits(fields(product))]
            for name, descending in reversed(order):
                found.sort(key=_value(name), reverse=descending)
            return found

        return self._found.get((self._shelf.generation, text, orderby), find)

    def _product(self, request: Request, product: Product, rest: str) -> Answer:
        match rest:
            case "" | "/":
                full = "Attributes" in request.parameter("$expand")
                return json_answer(described(self._shelf, product, request.address, full))
            case "/Online/$value":
                return text_answer(str(product.online).lower())
            case "/Attributes('Filename')/Value/$value":
                return text_answer(product.folder)
            case "/$value":
                return self._value(request, product)
        if product.path and (node := _NODE.fullmatch(rest)):
            name = "/".join(re.findall(r"Nodes\('([^']*)'\)", node[1]))
            if name in {file.name for file in files_of(product.path)}:
                return file_answer(request, read_file(product.path, name), f"{product.name}/{name}", ranges=True)
        return _invalid(rest)

    def _value(self, request: Request, product: Product) -> Answer:
        if not product.online:
            # A head is no order.
            if request.method == "GET":
                self._shelf.order(product.id)
            return Answer(202)
        return file_answer(
            request,
            self._shelf.archive(product),
            product.edition,
            ranges=True,
            content_type="application/octet-stream",
            content_disposition=f'inline;filename="{product.name}.zip"',
            etag=self._shelf.digests(product).md5,
        )


def _order(text: str) -> list[tuple[str, bool]]:
    """Read `beginposition desc,cloudcoverpercentage asc`."""
    order = []
    for part in filter(None, (part.strip() for part in (text or "ingestiondate desc").split(","))):
        name, _, direction = part.lower().partition(" ")
        if name not in {"beginposition", "endposition", "ingestiondate", "cloudcoverpercentage", "identifier", "uuid"}:
            raise ValueError(f"can not sort on field {name}")
        order.append((name, direction == "desc"))
    return [*order, ("uuid", False)]


def _value(name: str) -> Callable[[Product], Any]:
    least: dict[str, Any] = {"cloudcoverpercentage": -1.0}
    earliest = datetime.min.replace(tzinfo=UTC)

    def value(product: Product) -> Any:
        given = fields(product).get(name)
        return least.get(name, earliest) if given is None else given

    return value


def _invalid(key: str) -> Answer:
    message = f"Invalid key ({key}) to access Products"
    space = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
    text = f'<?xml version="1.0" encoding="UTF-8"?><error xmlns="{space}"><code/><message>{message}</message></error>'
    answer = text_answer(text, 404, "application/xml")
    return answer.titled(cause_message=f"InvalidKeyException : {message}")
