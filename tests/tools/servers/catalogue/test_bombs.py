"""Every bomb is one, and costs the server nothing."""

from __future__ import annotations

import json
import socket
import zlib
from urllib.parse import urlsplit

import httpx
import pytest

from tools.servers.catalogue import CatalogueServer, Fault
from tools.servers.catalogue.bombs import BOMBS, HUGE


def raw(server: CatalogueServer, most: int) -> bytes:
    """Read an answer without believing it."""
    parts = urlsplit(server.address)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), 5) as connection:
        connection.sendall(b"GET /odata/v1/Products HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while len(got) < most and (piece := connection.recv(1 << 20)):
            got += piece
    return got


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_what_is_packed_is_huge_unpacked(kind: str) -> None:
    with CatalogueServer(faults=[Fault(kind, "odata")]) as server:  # type: ignore[arg-type]
        head, _, body = raw(server, 1 << 30).partition(b"\r\n\r\n")
    assert f"Content-Encoding: {kind}".encode() in head
    assert len(body) < HUGE / 900
    unpack = zlib.decompressobj(31 if kind == "gzip" else 15)
    out = len(unpack.decompress(body[:40_000]))
    assert out > 30 << 20


@pytest.mark.parametrize("kind", ["json-huge", "xml-huge", "endless-body"])
def test_what_is_sent_does_not_end(kind: str) -> None:
    with CatalogueServer(faults=[Fault(kind, "odata")]) as server:  # type: ignore[arg-type]
        assert len(raw(server, 20 << 20)) >= 20 << 20


def test_what_is_deep_breaks_a_parser() -> None:
    with CatalogueServer(faults=[Fault("json-deep", "odata")]) as server:
        answer = httpx.get(f"{server.odata_url}/Products")
        with pytest.raises(RecursionError):
            answer.json()


def test_a_number_of_a_million_digits_is_not_a_number() -> None:
    with CatalogueServer(faults=[Fault("json-digits", "odata")]) as server:
        content = httpx.get(f"{server.odata_url}/Products").content
    with pytest.raises(ValueError, match="digits"):
        json.loads(content)


def test_headers_are_more_than_a_client_reads() -> None:
    with CatalogueServer(faults=[Fault("headers", "odata")]) as server, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{server.odata_url}/Products")


def test_a_boast_is_of_more_than_comes() -> None:
    with CatalogueServer(faults=[Fault("boast", "odata")]) as server:
        head, _, body = raw(server, 1 << 20).partition(b"\r\n\r\n")
    assert b"Content-Length: 100000000000000" in head
    assert len(body) == 4


def test_there_are_ten_and_more() -> None:
    assert len(BOMBS) >= 10
    assert b"ENTITY e11" in bytes(BOMBS["xml-entities"]().body)  # type: ignore[arg-type]
