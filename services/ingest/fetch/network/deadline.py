"""An end in time for everything that one thread does on the network, so that no slow drip holds it."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

_this = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let every read and write of this thread fail once the time is over; an outer end that is earlier stays.

    Args:
        seconds: from now.
    """
    outer: float | None = getattr(_this, "end", None)
    end = time.monotonic() + seconds
    _this.end = end if outer is None else min(end, outer)
    try:
        yield
    finally:
        _this.end = outer


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    end: float | None = getattr(_this, "end", None)
    if end is None:
        return timeout
    left = end - time.monotonic()
    if left <= 0:
        raise late("the time for the whole is over")
    return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    """A connection whose waits end with the thread's time."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens such connections."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, left, local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """HTTP over connections that keep to `within`."""

    def __init__(self, connections: int) -> None:
        """Open nothing yet.

        Args:
            connections: at once, at most.
        """
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        # httpx passes no network backend on; its pool is a plain one of httpcore.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=connections, keepalive_expiry=30, network_backend=_Backend()
        )
