"""The broker of tokens: one session, renewed in time, and silent for an hour once credentials were refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from services.ingest.fetch.errors import FetchError, Misconfigured, Unavailable
from services.ingest.fetch.network.hosts import Hosts
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.network.tokens import Tokens
from services.ingest.fetch.provider import Credentials
from tests.services.ingest.fetch.conftest import Asked, Said, Serve, StoodClock, json_said

ANNA = Credentials("anna", "a-password")


class Identity:
    """A service of tokens."""

    def __init__(self, serve: Serve) -> None:
        self.life: Any = 600
        self.number = 0
        self.says: list[Said] = []
        self.server = serve(self.answer)
        self.url = self.server.address + "/token"

    def answer(self, asked: Asked) -> Said:
        if self.says:
            return self.says.pop(0)
        self.number += 1
        return json_said({
            "access_token": f"access-{self.number}", "expires_in": self.life, "refresh_token": f"refresh-{self.number}",
            "refresh_expires_in": 3600,
        })  # fmt: skip

    @property
    def forms(self) -> list[dict[str, str]]:
        return [{key: value[0] for key, value in parse_qs(each.body.decode()).items()} for each in self.server.asked]

    @property
    def grants(self) -> list[str]:
        return [form["grant_type"] for form in self.forms]


@pytest.fixture
def identity(scripted: Serve) -> Identity:
    return Identity(scripted)


def broker(identity: Identity, client: Callable[..., Http], credentials: Credentials = ANNA) -> Tokens:
    return Tokens(client(identity.url), identity.url, credentials, Hosts(["https://download.example"]))


def test_the_password_is_sent_once_and_the_token_used(identity: Identity, client: Callable[..., Http]) -> None:
    tokens = broker(identity, client)
    assert [tokens.current() for _ in range(3)] == ["access-1"] * 3
    assert identity.forms == [
        {"client_id": "cdse-public", "grant_type": "password", "username": "anna", "password": "a-password"}
    ]
    assert tokens.is_for("https://download.example/x")
    assert not tokens.is_for("http://download.example/x")


def test_it_is_renewed_a_minute_before_its_end(
    identity: Identity, client: Callable[..., Http], stood: StoodClock
) -> None:
    tokens = broker(identity, client)
    tokens.current()
    start = stood.time
    stood.time = start + 539
    assert tokens.current() == "access-1"
    stood.time = start + 540
    assert tokens.current() == "access-2"
    assert identity.forms[1] == {
        "client_id": "cdse-public", "grant_type": "refresh_token", "refresh_token": "refresh-1"
    }  # fmt: skip


def test_a_short_life_is_used_by_half(identity: Identity, client: Callable[..., Http], stood: StoodClock) -> None:
    identity.life = 10
    tokens = broker(identity, client)
    tokens.current()
    stood.time += 4.9
    assert tokens.current() == "access-1"
    stood.time += 0.1
    assert tokens.current() == "access-2"


def test_after_the_refresh_tokens_end_the_password_opens_a_session(
    identity: Identity, client: Callable[..., Http], stood: StoodClock
) -> None:
    tokens = broker(identity, client)
    tokens.current()
    stood.time += 3541
    tokens.current()
    assert identity.grants == ["password", "password"]


def test_a_session_that_ended_early_is_opened_anew(
    identity: Identity, client: Callable[..., Http], stood: StoodClock
) -> None:
    tokens = broker(identity, client)
    tokens.current()
    stood.time += 550
    identity.says = [json_said({"error": "invalid_grant"}, 400)]
    assert tokens.current() == "access-2"
    assert identity.grants == ["password", "refresh_token", "password"]


def test_many_threads_ask_once(identity: Identity, client: Callable[..., Http]) -> None:
    tokens = broker(identity, client)
    barrier = threading.Barrier(16)
    got: list[str] = []

    def use() -> None:
        barrier.wait()
        token = tokens.current()
        barrier.wait()
        got.append(tokens.renew(token))

    threads = [threading.Thread(target=use) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(got) == {"access-2"}
    assert identity.grants == ["password", "refresh_token"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_credentials_are_sent_once_an_hour(
    status: int, identity: Identity, client: Callable[..., Http], stood: StoodClock
) -> None:
    identity.says = [json_said({"error": "invalid_grant", "error_description": "a-password is wrong"}, status)]
    tokens = broker(identity, client)
    for _ in range(3):
        with pytest.raises(Misconfigured) as caught:
            tokens.current()
        assert "a-password" not in str(caught.value)
        stood.time += 1799
    assert len(identity.server.asked) == 1
    stood.time += 3
    assert tokens.current() == "access-1"


def test_absent_credentials_are_told_before_anybody_is_asked(identity: Identity, client: Callable[..., Http]) -> None:
    with pytest.raises(Misconfigured, match="absent"):
        broker(identity, client, Credentials()).current()
    assert identity.server.asked == []


def test_a_failing_service_is_left_alone_for_a_while(
    identity: Identity, client: Callable[..., Http], stood: StoodClock
) -> None:
    identity.says = [Said(500)] * 4
    tokens = broker(identity, client)
    for _ in range(3):
        with pytest.raises(Unavailable):
            tokens.current()
    assert len(identity.server.asked) == 4
    stood.time += 6
    assert tokens.current() == "access-1"


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"access_token": 1, "expires_in": 600},
        {"access_token": "a\r\nX: b", "expires_in": 600},
        {"access_token": "a", "expires_in": 0},
        {"access_token": "a", "expires_in": "600"},
        {"access_token": "a", "expires_in": True},
        {"access_token": "a", "expires_in": 600, "refresh_token": ["b"]},
        {"access_token": "a" * 20_000, "expires_in": 600},
    ],
)
def test_a_strange_answer_gives_no_token(answer: Any, identity: Identity, client: Callable[..., Http]) -> None:
    identity.says = [json_said(answer)]
    with pytest.raises(FetchError):
        broker(identity, client).current()


def test_secrets_are_in_no_text(identity: Identity, client: Callable[..., Http]) -> None:
    tokens = broker(identity, client)
    tokens.current()
    text = repr(tokens) + repr(tokens._grant) + repr(vars(tokens))
    assert all(secret not in text for secret in ("a-password", "access-1", "refresh-1"))


def test_the_password_follows_no_redirect(identity: Identity, client: Callable[..., Http]) -> None:
    identity.says = [Said(307, headers={"Location": "/elsewhere"})]
    with pytest.raises(Misconfigured, match="leads elsewhere"):
        broker(identity, client).current()
    assert len(identity.server.asked) == 1
