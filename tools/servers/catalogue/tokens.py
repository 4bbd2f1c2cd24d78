"""`/token`: password and refresh grants, as CDSE's identity service gives them."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qs

from tools.servers.catalogue.exchange import Answer, Request, json_answer, zipper
from tools.servers.catalogue.seen import Seen


@dataclass(frozen=True)
class Account:
    """The one account that the server knows; names and secrets are made up."""

    username: str = "anna@example.org"
    password: str = "a-password-of-anna"
    access_key: str = "ACCESSKEYOFANNA"
    secret_key: str = "a-secret-key-of-anna"


class Tokens:
    """Tokens that were given, and until when they hold.

    Args:
        account: whose password opens a session.
        seen: where sessions are counted.
        access_s: seconds that an access token holds.
        refresh_s: seconds that a refresh token holds.
        sessions: password grants that may hold at once.
    """

    def __init__(self, account: Account, seen: Seen, access_s: float, refresh_s: float, sessions: int) -> None:
        self._account = account
        self._seen = seen
        self._lives = {"access": access_s, "refresh": refresh_s}
        self._sessions = sessions
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Answer a grant."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("ascii", "replace")).items()}
        if request.method != "POST" or form.get("client_id") != "cdse-public":
            return json_answer({"error": "invalid_request"}, 400)
        if form.get("grant_type") == "password":
            return self._password(form)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form)
        return json_answer({"error": "unsupported_grant_type"}, 400)

    def refusal(self, token: str) -> Answer | None:
        """Return why a bearer token does not open the door; None if it does."""
        with self._lock:
            until = self._until.get(token) if token.startswith("access-") else None
        if until is None:
            return zipper(401, 604, "Token not found")
        return None if time.monotonic() < until else zipper(401, 109, "Token expired")

    def expire(self, kind: str = "access") -> None:
        """End all tokens of a kind (`access`, `refresh`) now."""
        with self._lock:
            self._until.update({token: 0.0 for token in self._until if token.startswith(kind)})

    def _password(self, form: dict[str, str]) -> Answer:
        if (form.get("username"), form.get("password")) != (self._account.username, self._account.password):
            return json_answer({"error": "invalid_grant", "error_description": "Invalid user credentials"}, 401)
        self._seen.count("password grant")
        with self._lock:
            now = time.monotonic()
            held = sum(until > now for token, until in self._until.items() if token.startswith("refresh"))
        if held >= self._sessions:
            self._seen.forbid(f"more than {self._sessions} sessions")
            return zipper(429, 100, "Max session number exceeded")
        return self._give(self._new("refresh"))

    def _refresh(self, form: dict[str, str]) -> Answer:
        token = form.get("refresh_token", "")
        with self._lock:
            until = self._until.get(token, 0.0) if token.startswith("refresh-") else 0.0
        if time.monotonic() >= until:
            return json_answer({"error": "invalid_grant", "error_description": "Token is not active"}, 400)
        self._seen.count("refresh grant")
        return self._give(token)

    def _give(self, refresh: str) -> Answer:
        return json_answer(
            {
                "access_token": self._new("access"),
                "expires_in": self._lives["access"],
                "refresh_expires_in": self._lives["refresh"],
                "refresh_token": refresh,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "session_state": "0",
                "scope": "AUDIENCE_PUBLIC openid email profile",
            }
        )

    def _new(self, kind: str) -> str:
        token = f"{kind}-{secrets.token_urlsafe(24)}"
        with self._lock:
            self._until[token] = time.monotonic() + self._lives[kind]
        return token
