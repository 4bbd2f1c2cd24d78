"""Addresses: only those of the source are asked, however they are written."""

from __future__ import annotations

import pytest

from services.ingest.fetch.errors import Refused
from services.ingest.fetch.network.hosts import Hosts, origin_of, place, redirected

HOSTS = Hosts(["https://catalogue.example/odata/v1", "http://127.0.0.1:8080/s3"])


@pytest.mark.parametrize(
    "address",
    [
        "https://catalogue.example/a?b=c",
        "https://catalogue.example:443/",
        "HTTPS://CATALOGUE.example/",
        "http://127.0.0.1:8080/x",
    ],
)
def test_the_sources_own_addresses_are_allowed(address: str) -> None:
    HOSTS.check(address)
    assert address in HOSTS


@pytest.mark.parametrize(
    "address",
    [
        "http://catalogue.example/",
        "https://catalogue.example:444/",
        "https://catalogue.example.evil.example/",
        "https://evil.example/https://catalogue.example/",
        "https://catalogue.example@evil.example/",
        "https://user:word@catalogue.example/",
        "https://@catalogue.example/",
        "https://evil.example\\@catalogue.example/",
        "https://catalogue.example\t/",
        "https://catalogue.example\n.evil.example/",
        "https://catalogue.example./",
        "https://catalogue。example/",
        "http://2130706433:8080/",
        "http://0x7f.0.0.1:8080/",
        "http://127.1:8080/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://localhost:8080/",
        "http://127.0.0.1/",
        "http://127.0.0.1:80808/",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://catalogue.example/",
        "//catalogue.example/",
        "/odata",
        "",
        "https:///x",
        "https://catalogue.example/" + "a" * 9000,
    ],
)
def test_every_other_address_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        HOSTS.check(address)
    assert address not in HOSTS


def test_a_redirect_is_followed_relative_to_what_was_asked() -> None:
    assert redirected("https://a.example/x/y", "z?q=1") == "https://a.example/x/z?q=1"
    assert redirected("https://a.example/x/y", "https://b.example/") == "https://b.example/"
    assert redirected("http://a.example/", "https://a.example/") == "https://a.example/"


@pytest.mark.parametrize("location", ["http://a.example/", "file:///etc/passwd", "", "a b", "https://[x/", "//u@b/"])
def test_a_redirect_to_http_or_nowhere_is_refused(location: str) -> None:
    with pytest.raises(Refused):
        redirected("https://a.example/", location)


def test_the_port_of_a_scheme_is_known() -> None:
    assert origin_of("https://a.example") == ("https", "a.example", 443)
    assert origin_of("http://a.example") == ("http", "a.example", 80)


def test_an_address_for_people_holds_no_query_and_no_credentials() -> None:
    assert place("https://me:secret@a.example/p?token=secret#secret") == "https://a.example/p"
    assert "\n" not in place("https://a.example/a\nb")
    assert len(place("https://a.example/" + "a" * 1000)) == 200
