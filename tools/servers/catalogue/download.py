"""`/download/odata/v1`: products as archives, for who has a token."""

from __future__ import annotations

import re

from tools.servers.catalogue.exchange import Answer, Request, file_answer, zipper
from tools.servers.catalogue.seen import Seen
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.tokens import Tokens

OFFLINE = zipper(422, 120, "Product is offline")
_VALUE = re.compile(r"/Products\(([0-9a-f-]{36})\)/\$value")


class Download:
    """The download host.

    Args:
        shelf: whose products are delivered.
        tokens: that open the door.
        seen: where a request for an offline product is noted.
        ranges: whether a range is answered as such.
    """

    def __init__(self, shelf: Shelf, tokens: Tokens, seen: Seen, ranges: bool) -> None:
        self._shelf = shelf
        self._tokens = tokens
        self._seen = seen
        self._ranges = ranges

    def answer(self, request: Request) -> Answer:
        """Answer a download."""
        if refusal := self._tokens.refusal(request.bearer):
            return refusal
        match = _VALUE.fullmatch(request.path)
        if match is None:
            return zipper(422, 111, "Invalid UUID")
        product = self._shelf.get(match[1])
        if product is None:
            return zipper(404, 101, "Product not found")
        if not product.online:
            self._seen.forbid(f"asked for {product.name}, which is offline")
            return OFFLINE
        return file_answer(
            request,
            self._shelf.archive(product),
            product.edition,
            self._ranges,
            content_type="application/zip",
            content_disposition=f'attachment; filename="{product.name}.zip"',
        )
