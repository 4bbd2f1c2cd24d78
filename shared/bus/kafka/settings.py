"""The settings of the connection to Kafka, and how a client is made from them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, Literal

from kafka.cluster import collect_hosts
from kafka.errors import KafkaError
from kafka.net import KafkaNetClient
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.bus.protocol import BusError, BusUnavailable
from shared.settings import settings_config

KNOCK_S: Final = 2.0
"""Seconds that a broker may take to accept a connection before the next one is tried."""


class KafkaSettings(BaseSettings):
    """Settings of the connection to Kafka."""

    model_config = SettingsConfigDict(**settings_config("kafka"), populate_by_name=True)

    servers: str = Field("", validation_alias="LANDSTREAM_KAFKA")
    """`HOST:PORT` of a broker, or of several, separated by commas; the command line may give it instead."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`, as Kafka names them; the default suits loopback."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`, the strongest; used with a SASL protocol only."""
    username: str = ""
    """SASL user."""
    password: SecretStr = SecretStr("")
    """SASL password; a file keeps it out of the environment."""
    password_file: Path | None = None
    """File that holds the SASL password."""
    ca_file: Path | None = None
    """File with the certificate authority of the brokers; the system's authorities where not given."""
    partitions: int = 8
    """Partitions of a new topic: the most replicas of one service that can share its work."""
    replication: int = -1
    """Copies of a new topic; -1 = the cluster's own default."""
    retention_s: float = 7 * 86400.0
    """Seconds for which events are kept, a week; the sweep hints again what is older."""
    session_s: float = 45.0
    """Seconds of silence after which a member loses its partitions (Kafka's default); a quick restart moves nothing."""
    poll_interval_s: float = 300.0
    """Kafka's `max.poll.interval.ms` (its default), in seconds; a job may take longer, polling continues beside it."""

    def addresses(self) -> list[tuple[str, int]]:
        """Return the servers, read as the client reads them.

        Raises:
            BusError: they are not `HOST:PORT`, or several with commas.
        """
        try:
            found = [(host, port) for host, port, _ in collect_hosts(self.servers, randomize=False)]
            if not all(host.encode("idna") and 0 < port < 65536 for host, port in found):
                raise ValueError("no host, or no such port")
        except ValueError as error:
            text = f"LANDSTREAM_KAFKA: {self.servers!r} is not HOST:PORT, or several with commas ({error})"
            raise BusError(text) from error
        return found

    def client(self, kind: Callable[..., Any], **options: Any) -> Any:
        """Make a client of kafka-python.

        Raises:
            BusUnavailable: no broker answers.
            BusError: the settings are wrong, or a file that they name cannot be read.
        """
        self._knock()
        with ExitStack() as left:  # a client (3.0.12) that fails to start leaves its thread and its sockets

            def connections(**given: Any) -> Any:
                return left.enter_context(closing(KafkaNetClient(**given)))

            try:
                client = kind(**self.arguments(), **options, kafka_client=connections)
            except KafkaError as error:
                raise self.unavailable(error) from error
            left.pop_all()
        return client

    def _knock(self) -> None:
        """Check that anybody is there at all, which takes a client 5 s to find out.

        Raises:
            BusUnavailable: none of the servers accepts a connection.
        """
        refusals = []
        for address in self.addresses():
            try:
                socket.create_connection(address, timeout=KNOCK_S).close()
                return
            except OSError as error:
                refusals.append(said(error))
        raise BusUnavailable(f"Kafka at {self.servers}: {'; '.join(refusals)}")

    def arguments(self) -> dict[str, Any]:
        """Return what every client of kafka-python is given.

        Raises:
            BusError: a file that they name cannot be read.
        """
        found: dict[str, Any] = {
            "bootstrap_servers": self.servers.split(","),
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": 5000,
            "reconnect_backoff_ms": 50,
            "reconnect_backoff_max_ms": 1000,  # its default keeps a client away for 30 s after a broker's restart
            "metadata_max_age_ms": 5_000,  # a topic that was made again is seen soon
        }
        if self.security_protocol.startswith("SASL"):
            found |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._password(),
            }
        if self.security_protocol.endswith("SSL"):
            try:
                found["ssl_context"] = ssl.create_default_context(cafile=self.ca_file and str(self.ca_file))
            except OSError as error:
                raise BusError(f"LANDSTREAM_KAFKA_CA_FILE: {self.ca_file}: no certificates ({error})") from error
        return found

    def _password(self) -> str:
        if self.password_file is None:
            return self.password.get_secret_value()
        try:
            return self.password_file.read_text().strip()
        except OSError as error:
            raise BusError(f"LANDSTREAM_KAFKA_PASSWORD_FILE: {self.password_file}: {error.strerror}") from error

    def unavailable(self, error: KafkaError) -> BusUnavailable:
        """Return the error for no usable answer; the client does not tell refused credentials from an absent broker."""
        advice = "; start it, or give the address of one that runs"
        if self.security_protocol != "PLAINTEXT":
            advice = "; if it runs, check LANDSTREAM_KAFKA_USERNAME, _PASSWORD_FILE, _SASL_MECHANISM and _CA_FILE"
        return BusUnavailable(f"Kafka at {self.servers}: {said(error)}{advice}")


def said(error: BaseException) -> str:
    """Return an error in one line, with its class: many of the client's errors have no text."""
    return f"{type(error).__name__}: {error}"
