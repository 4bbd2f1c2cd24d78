"""`/s3`: the bucket `eodata`, as far as boto3 asks of it: list, head, get; path style."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

from tools.servers.catalogue.content import files_of, read_file
from tools.servers.catalogue.exchange import Answer, Request, file_answer
from tools.servers.catalogue.product import Product, iso
from tools.servers.catalogue.seen import Seen
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.tokens import Account

BUCKET = "eodata"
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[^/]+/s3/aws4_request")
_DEPTH = 7
"""Parts of a product's key."""
_MADE_UP = "made-up.txt"
"""The one file of a product without a path."""


class S3:
    """The object store. Signatures are not verified, but the access key must be the account's.

    Args:
        shelf: whose products' files are its objects.
        account: that may read.
        seen: where a request for an offline product is noted.
    """

    def __init__(self, shelf: Shelf, account: Account, seen: Seen) -> None:
        self._shelf = shelf
        self._account = account
        self._seen = seen

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        credential = _CREDENTIAL.match(request.headers.get("authorization", ""))
        if credential is None:
            return _error(403, "AccessDenied", "Access Denied")
        if credential[1] != self._account.access_key:
            return _error(403, "InvalidAccessKeyId", "The access key is not known")
        bucket, _, key = request.path.lstrip("/").partition("/")
        if bucket != BUCKET:
            return _error(404, "NoSuchBucket", "The bucket is not here")
        if request.method not in {"GET", "HEAD"}:
            return _error(405, "MethodNotAllowed", "The bucket is read alone")
        if not key:
            return self._list(request) if request.method == "GET" else Answer()
        return self._get(request, key)

    def _list(self, request: Request) -> Answer:
        prefix, most = request.parameter("prefix"), int(request.parameter("max-keys", "1000"))
        after = request.parameter("continuation-token") or request.parameter("start-after")
        held = {
            key: (product, size) for product in self._shelf.all() for key, size in _objects(product, prefix).items()
        }
        keys = sorted(key for key in held if after.startswith("lap:") or key > after)
        if delimiter := request.parameter("delimiter"):
            folders = {_folder(key, prefix, delimiter) for key in keys} - {""}
            keys = [key for key in keys if not _folder(key, prefix, delimiter)]
        else:
            folders = set()
        page, more = keys[:most], len(keys) > most
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{iso(product.modified, 3)}</LastModified>"
            f"<ETag>&quot;0&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, (product, size) in ((key, held[key]) for key in page)
        )
        prefixes = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return _xml(
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{BUCKET}</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{contents}{prefixes}{token}</ListBucketResult>"
        )

    def _get(self, request: Request, key: str) -> Answer:
        product = self._product(key)
        name = "/".join(key.split("/")[_DEPTH:])
        if product is None or name not in {file.rpartition(product.key + "/")[2] for file in _objects(product, key)}:
            return _error(404, "NoSuchKey", "The key is not here")
        if not product.online:
            self._seen.forbid(f"asked for {key}, which is offline")
            return OFFLINE
        body = read_file(product.path, name) if product.path else product.folder.encode()
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return file_answer(
            request,
            body,
            key,
            ranges=True,
            etag=f'"{etag}"',
            content_type="application/octet-stream",
            last_modified=f"{product.modified:%a, %d %b %Y %H:%M:%S GMT}",
        )

    def _product(self, key: str) -> Product | None:
        start = "/".join(key.split("/")[:_DEPTH])
        return next((product for product in self._shelf.all() if product.key == start), None)


def _objects(product: Product, prefix: str) -> Mapping[str, int]:
    """Return key -> bytes of a product's objects that a prefix begins."""
    if not (product.key.startswith(prefix[: len(product.key)])):
        return {}
    if product.path is None:
        sizes = {f"{product.key}/{_MADE_UP}": len(product.folder)}
    else:
        sizes = {f"{product.key}/{file.name}": file.size for file in files_of(product.path)}
    return {key: size for key, size in sizes.items() if key.startswith(prefix)}


def _folder(key: str, prefix: str, delimiter: str) -> str:
    head, found, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + found if found else ""


def _error(status: int, code: str, message: str) -> Answer:
    return _xml(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>", status)


def _xml(text: str, status: int = 200) -> Answer:
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), {"Content-Type": "application/xml"})


OFFLINE = _error(403, "InvalidObjectState", "The object is archived")
