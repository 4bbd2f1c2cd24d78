"""Make what a distributed stack needs, prove it, and say what is left to the operator."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from landstream.provision.canary import send_canary
from landstream.provision.grants import grants
from landstream.provision.notify import configure_notifications
from landstream.provision.users import Admin, MinioAdministration, VersityAdministration, read_credentials
from landstream.workspace import bind
from shared.area import Area
from shared.bus import DEAD_LETTER, OBJECTS, BusUnavailable
from shared.bus.kafka import KafkaBus
from shared.process.stack import Stack, write_stack
from shared.settings import OwnSettings
from shared.store import StoreUnavailable, probe
from shared.store.s3 import S3Store

_T = TypeVar("_T")
PAUSE_S = 2.0


class NotReady(Exception):
    """Raised when the stack cannot be called ready; one line says why, and what to do."""


class ProvisionSettings(OwnSettings):
    """Settings of provisioning."""

    credentials: Path | None = None
    """Folder with one file of AWS credentials per user, with which the users are made; no users where not given."""
    event_queue: str = "arn:minio:sqs::PRIMARY:kafka"
    """ARN of the store's Kafka target, as MinIO and its kin call it for bucket notifications."""
    s3_admin: str = ""
    """`http://HOST:PORT` of versitygw's admin API, a port of its own; empty = MinIO's, if the store has it."""
    wait_s: float = 300.0
    """Seconds to wait for the store and Kafka: an orchestrator starts everything at once."""
    canary_s: float = 60.0
    """Seconds to wait for the canary's event; a store that is not told yet where to send events never sends it."""


def provision(
    area: Area, store: S3Store, bus: KafkaBus, settings: ProvisionSettings, say: Callable[[str], None]
) -> list[str]:
    """Provision a stack; what is there already stays, so it may run at any time.

    Args:
        area: the study area that the store is bound to.
        store: the store; its keys must be allowed to make buckets and users.
        bus: Kafka.
        settings: how.
        say: called with a line for each thing that was done.

    Returns:
        What is left to the operator, one line each.

    Raises:
        NotReady: something does not answer, or the canary's event did not arrive.
        UnsafeStore: the store lets two conditional creates succeed.
        landstream.workspace.WorkspaceError: the store belongs to another area.
    """
    left: list[str] = []
    # Topics first: some stores do not start before their topic is there.
    _patiently(bus.ensure_topics, settings.wait_s, say)
    say(f"topics: {OBJECTS}, {DEAD_LETTER} on {bus.settings.servers}")
    made = _patiently(store.make_bucket, settings.wait_s, say)
    say(f"bucket: {store.location}{' (made)' if made else ''}")
    probe(store)
    say("probe: of racing conditional creates exactly one succeeds")
    changed = bind(store, area)
    say(f"area: {area.name}")
    if changed:
        say(f"area: changed as its file says: {'; '.join(changed)}; services that run go by it after a restart")
    left += _make_users(store, settings, say)
    left += configure_notifications(store, settings.event_queue, say)
    form = send_canary(store, bus, settings.canary_s)
    if form is None:
        raise NotReady(
            f"no event of an object in {store.location}/landing/ arrived within {settings.canary_s:.0f} s; let the "
            f"store send its s3:ObjectCreated events to the topic {OBJECTS} of {bus.settings.servers}"
        )
    write_stack(store, Stack(keys=form))
    say(f"canary: its event arrived; the store sends keys {form}")
    return left


def _patiently(call: Callable[[], _T], wait_s: float, say: Callable[[str], None]) -> _T:
    """Call until it answers.

    Raises:
        NotReady: it did not in time.
    """
    deadline, said = time.monotonic() + wait_s, False
    while True:
        try:
            return call()
        except (BusUnavailable, StoreUnavailable) as error:
            if time.monotonic() > deadline:
                raise NotReady(f"{error}; start it, or give its address") from error
            if not said:
                say(f"waiting: {error}")
                said = True
            time.sleep(PAUSE_S)


def _make_users(store: S3Store, settings: ProvisionSettings, say: Callable[[str], None]) -> list[str]:
    """Make the users of the table; what is left to the operator."""
    if settings.credentials is None:
        how = "`landstream provision --credentials DIR` makes a user for each"
        return [f"users: every service uses the keys that it is given; {how}"]
    table = grants()
    keys = read_credentials(settings.credentials, table)
    admin = _admin(store, settings)
    if admin is None:
        return [
            "users: the store has no admin API at this address; versitygw has one on a port of its own "
            "(LANDSTREAM_PROVISION_S3_ADMIN), with others make the users "
            f"{', '.join(g.user for g in table)} and allow them what docs/operations.md says"
        ]
    left = admin.grant(table, keys)
    say(f"users: {', '.join(g.user for g in table)} through {admin.name}")
    return left


def _admin(store: S3Store, settings: ProvisionSettings) -> Admin | None:
    if settings.s3_admin:
        return VersityAdministration(store, settings.s3_admin)
    minio = MinioAdministration(store)
    return minio if minio.speaks() else None
