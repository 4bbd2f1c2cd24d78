"""The polite client, against a server that misbehaves."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.network.http import TRIES, USER_AGENT, Http, Limits
from tests.services.ingest.fetch.conftest import Asked, Said, Serve, StoodClock, json_said

Make = Callable[..., Http]


class Held:
    """A token for some addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.tokens = ["first", "second", "third"]

    def is_for(self, address: str) -> bool:
        return address.startswith(self.addresses)

    def current(self) -> str:
        return self.tokens[0]

    def renew(self, refused: str) -> str:
        self.tokens.remove(refused)
        return self.tokens[0]


def test_it_says_its_name_and_keeps_no_cookies(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: json_said({"a": 1}, set_cookie="a=b"))
    http = client(server.address)
    assert http.json("GET", server.address + "/x", params={"$filter": "a eq 'b c'"}) == {"a": 1}
    http.json("GET", server.address + "/x")
    assert server.asked[0].headers["user-agent"] == USER_AGENT
    assert server.asked[0].path == "/x?$filter=a+eq+%27b+c%27"
    assert "cookie" not in server.asked[1].headers
    assert "authorization" not in server.asked[1].headers


def test_proxies_of_the_environment_are_not_used(
    scripted: Serve, client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = scripted(lambda asked: json_said("proxy"))
    monkeypatch.setenv("HTTP_PROXY", proxy.address)
    monkeypatch.setenv("ALL_PROXY", proxy.address)
    server = scripted(lambda asked: json_said("server"))
    assert client(server.address).json("GET", server.address) == "server"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_that_pass_are_tried_again(status: int, scripted: Serve, client: Make, stood: StoodClock) -> None:
    server = scripted(lambda asked: json_said({}) if len(server.asked) > 2 else Said(status, b"<html>"))
    assert client(server.address).json("GET", server.address) == {}
    assert len(server.asked) == 3
    assert 0 < sum(stood.slept) < 5


def test_after_some_tries_it_is_unavailable(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(503))
    with pytest.raises(Unavailable):
        client(server.address).fetch("GET", server.address + "/p?secret=word")
    assert len(server.asked) == TRIES


def test_a_short_wish_to_be_left_alone_is_kept_to(scripted: Serve, client: Make, stood: StoodClock) -> None:
    server = scripted(lambda asked: json_said({}) if len(server.asked) > 1 else Said(429, headers={"Retry-After": "7"}))
    client(server.address).json("GET", server.address)
    assert sum(stood.slept) == pytest.approx(7, abs=0.1)


def test_a_long_wish_is_handed_on(scripted: Serve, client: Make, stood: StoodClock) -> None:
    server = scripted(lambda asked: Said(503, headers={"Retry-After": "3600"}))
    with pytest.raises(Unavailable) as caught:
        client(server.address).fetch("GET", server.address)
    assert (caught.value.retry_after_s, len(server.asked), stood.slept) == (3600, 1, [])


@pytest.mark.parametrize(
    ("said", "rest_s"),
    [
        (Said(429, headers={"Retry-After": "600"}), 600),
        (Said(403, b"<html>reference ID: 18.abc-1</html>"), 7200),
    ],
)
def test_a_long_wish_holds_for_all_that_is_asked_of_the_service(
    said: Said, rest_s: float, scripted: Serve, client: Make, stood: StoodClock
) -> None:
    server = scripted(lambda asked: said)
    http = client(server.address)
    for number in range(3):
        with pytest.raises(Unavailable) as caught:
            http.fetch("GET", f"{server.address}/{number}")
        assert caught.value.retry_after_s == pytest.approx(rest_s)
    assert len(server.asked) == 1
    server.answer = lambda asked: json_said("again")
    stood.time += rest_s
    assert http.json("GET", server.address) == "again"


def test_an_offline_product_s_time_is_not_the_service_s(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(202, headers={"Retry-After": "600"}))
    http = client(server.address)
    for _ in range(2):
        with pytest.raises(Offline):
            http.fetch("GET", server.address)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"code":"DAT-ZIP-604"}', Unavailable),
        (401, b'{"code":"DAT-ZIP-609"}', Misconfigured),
        (401, b"", Misconfigured),
        (403, b'{"code":"DAT-ZIP-608"}', Misconfigured),
        (403, b'<html>reference ID: 18.abc-1</html>', Unavailable),
        (403, b'{"error":"WAF"}', Unavailable),
        (404, b"", Gone),
        (410, b"", Gone),
        (400, b"", Misconfigured),
        (422, b'{"detail":[]}', Misconfigured),
        (422, b'{"code":"DAT-ZIP-120","message":"Product is offline"}', Offline),
        (202, b"", Offline),
        (429, b'{"code":"DAT-ZIP-100"}', Unavailable),
        (304, b"", Unavailable),
    ],
)  # fmt: skip
def test_each_status_has_its_meaning(
    status: int, body: bytes, kind: type[FetchError], scripted: Serve, client: Make
) -> None:
    server = scripted(lambda asked: Said(status, body))
    with pytest.raises(FetchError) as caught:
        client(server.address).fetch("GET", server.address + "/path?query=hidden")
    assert type(caught.value) is kind
    text = str(caught.value)
    assert "hidden" not in text
    assert "\n" not in text


def test_a_firewall_is_left_alone_for_hours_and_its_reference_told(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(403, b"<html>Your reference ID: 18.abc-1</html>"))
    with pytest.raises(Unavailable, match=r"reference ID 18\.abc-1") as caught:
        client(server.address).fetch("GET", server.address)
    assert (caught.value.retry_after_s or 0) >= 3600


@pytest.mark.parametrize("page", [b"<html>down</html>", b'{"a":'])
def test_a_page_where_json_was_to_come_passes(page: bytes, scripted: Serve, client: Make, stood: StoodClock) -> None:
    server = scripted(lambda asked: json_said({"a": 1}) if len(server.asked) > 2 else Said(200, page))
    assert client(server.address).json("GET", server.address) == {"a": 1}
    assert len(server.asked) == 3
    assert 0 < sum(stood.slept) < 5


def test_a_bomb_is_refused_at_once(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(200, b"[" * 100_000))
    with pytest.raises(Refused):
        client(server.address).json("GET", server.address)
    assert len(server.asked) == 1


def test_a_page_where_json_was_to_come(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(200, b"<html>down</html>", {"Content-Type": "text/html"}))
    with pytest.raises(Unavailable, match="maintenance page"):
        client(server.address).json("GET", server.address)
    assert len(server.asked) == TRIES


def test_other_hosts_are_never_asked(scripted: Serve, client: Make) -> None:
    other = scripted(lambda asked: json_said({}))
    server = scripted(lambda asked: Said(302, headers={"Location": other.address + "/x"}))
    http = client(server.address)
    for address in (server.address, other.address):
        with pytest.raises(Refused, match="is not a host of this source"):
            http.fetch("GET", address, bearer=Held(server.address))
    assert other.asked == []


def test_a_token_goes_only_where_it_is_for(scripted: Serve, client: Make) -> None:
    other = scripted(lambda asked: json_said("there"))
    server = scripted(lambda asked: Said(307, headers={"Location": other.address + "/x"}))
    http = client(server.address, other.address)
    assert http.json("GET", server.address + "/x", bearer=Held(server.address)) == "there"
    assert server.asked[0].headers["authorization"] == "Bearer first"
    assert "authorization" not in other.asked[0].headers


def test_redirects_end(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(302, headers={"Location": f"/{len(server.asked)}"}))
    with pytest.raises(Refused, match="on and on"):
        client(server.address).fetch("GET", server.address)
    assert len(server.asked) == 6


@pytest.mark.parametrize("location", ["http://0177.0.0.1/", "http://[::1/", "data:,x", "http://a\tb/", ""])
def test_a_redirect_that_cannot_be_read_is_refused_at_once(location: str, scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(302, headers={"Location": location}))
    with pytest.raises(Refused):
        client(server.address).fetch("GET", server.address)
    assert len(server.asked) == 1


def test_what_is_sent_is_sent_nowhere_else(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(307, headers={"Location": "/other"}))
    with pytest.raises(Refused):
        client(server.address).fetch("POST", server.address, form={"password": "word"})
    assert len(server.asked) == 1


def test_a_refused_token_is_renewed_once(scripted: Serve, client: Make) -> None:
    def answer(asked: Asked) -> Said:
        return json_said({}) if asked.headers["authorization"] == "Bearer second" else Said(401)

    server = scripted(answer)
    assert client(server.address).json("GET", server.address, bearer=Held(server.address)) == {}
    server.answer = lambda asked: Said(401)
    with pytest.raises(Misconfigured):
        client(server.address).json("GET", server.address, bearer=Held(server.address))
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_slow_drip_ends(head: bytes, scripted: Serve, client: Make) -> None:
    drip = [b"1\r\na\r\n" if b"chunked" in head else b"a"] * 200 if head else [b""] * 200
    server = scripted(lambda asked: Said(raw=[head, *drip], pause_s=0.05))
    http = client(server.address, limits=Limits(1.0, 0.3, 0.25))
    start = time.monotonic()
    with pytest.raises(Unavailable):
        http._once("GET", server.address, {}, None, None, 1000)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_an_answer_is_unavailable(raw: bytes, scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(raw=[raw]))
    with pytest.raises(Unavailable):
        client(server.address).fetch("GET", server.address)


def test_headers_that_are_too_long_are_refused_at_once(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(raw=[b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000]))
    with pytest.raises(Refused, match="headers that are too long"):
        client(server.address).fetch("GET", server.address)
    assert len(server.asked) == 1


def test_nobody_there_is_unavailable(client: Make) -> None:
    with pytest.raises(Unavailable):
        client("http://127.0.0.1:9").fetch("GET", "http://127.0.0.1:9/")


def test_bodies_have_a_limit(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: Said(200, bytes(5000)))
    with pytest.raises(Refused):
        client(server.address).fetch("GET", server.address, limit=4999)
    assert len(client(server.address).fetch("GET", server.address, limit=5000).body) == 5000


def test_methods_that_send(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: json_said({}, 201))
    http = client(server.address)
    body: dict[str, Any] = {"a": [1]}
    http.json("POST", server.address, body=body)
    http.fetch("POST", server.address, form={"a": "ü &"})
    assert [asked.body for asked in server.asked] == [b'{"a": [1]}', b"a=%C3%BC+%26"]


def test_a_certificate_that_nobody_vouches_for_is_not_taken(scripted: Serve, client: Make) -> None:
    server = scripted(lambda asked: json_said({}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    address = server.address.replace("http:", "https:")
    with pytest.raises(Unavailable, match="ConnectError"):
        client(address).fetch("GET", address)
    assert server.asked == []


def test_a_trusted_certificate_is_taken_and_the_deadline_holds(
    scripted: Serve, client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr("services.ingest.fetch.network.deadline.httpx.create_ssl_context", lambda **_: trusting)
    server = scripted(lambda asked: json_said({"a": 1}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    address = server.address.replace("http:", "https:")
    http = client(address, limits=Limits(1.0, 1.0, 0.3))
    assert http.json("GET", address) == {"a": 1}
    server.answer = lambda asked: Said(raw=[b"HTTP/1.1 200 OK\r\n", *[b"a"] * 200], pause_s=0.05)
    start = time.monotonic()
    with pytest.raises(Unavailable):
        http._once("GET", address, {}, None, None, 1000)
    assert time.monotonic() - start < 3


def test_addresses_are_not_logged(scripted: Serve, client: Make, caplog: pytest.LogCaptureFixture) -> None:
    server = scripted(lambda asked: json_said({}))
    with caplog.at_level("INFO"):
        client(server.address).json("GET", server.address, params={"token": "hidden"})
    assert "hidden" not in caplog.text
