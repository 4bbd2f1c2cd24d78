"""The store and Kafka: whether they answer, and whether Landstream can work with them."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from landstream.doctor.finding import Finding, size
from shared.store import (
    AREA_KEY,
    FORMAT,
    FolderStore,
    Forbidden,
    NotFound,
    OtherFormat,
    Store,
    StoreError,
    open_store,
    read_area,
)
from shared.store.probe import PREFIX

LITTLE, TOO_LITTLE = 20e9, 1e9
"""Bytes of disk: below the first a season of full tiles does not fit, below the second a single product may not."""

SKEW_S, REFUSED_S = 5.0, 900.0
"""Seconds between two clocks: from the first on ages mislead, from the second on S3 refuses what is signed."""

READ_ONLY: Final = "give this user the right to write there, or mount it for writing"


def look_at_disk(folder: Path) -> Finding:
    """Judge the free space of the disk that a folder is on, or will be."""
    there = next(f for f in (folder.absolute(), *folder.absolute().parents) if f.exists())
    free = shutil.disk_usage(there).free
    text = f"{size(free)} free at {there}"
    if free >= LITTLE:
        return Finding("disk", "ok", text)
    remedy = "a full product takes about 1 GB, three times over: free space, or use another disk"
    return Finding("disk", "warn" if free >= TOO_LITTLE else "fail", text, remedy)


def look_at_store(location: str) -> Iterator[Finding]:
    """Yield what there is to say of a store; nothing of it is changed."""
    if "://" not in location:
        yield look_at_disk(Path(location))
        if not Path(location).exists():
            yield Finding("store", "warn", f"{location}: no store yet", "`landstream run` makes it")
            return
        if not (Path(location) / AREA_KEY).is_file():
            remedy = "`landstream run` makes a store of an empty folder; otherwise check the path"
            yield Finding("store", "fail", f"{location}: not a store ({AREA_KEY} is missing)", remedy)
            return
    try:
        store = open_store(location)
        store.reach()
        yield Finding("store", "ok", f"{store.location} answers")
        yield _look_at_format(store)
        yield from _look_at_folder(store) if isinstance(store, FolderStore) else _look_at_bucket(store)
    except NotFound:
        yield Finding(
            "store", "warn", f"{location}: answers, without this bucket", "`landstream run` or `provision` makes it"
        )
    except (StoreError, ValueError, OSError) as error:
        said, _, advised = str(error).partition("; check ")
        yield Finding("store", "fail", said, f"check {advised or '--store, LANDSTREAM_S3 and the keys'}")


def _look_at_format(store: Store) -> Finding:
    try:
        area = read_area(store)
    except NotFound:
        return Finding("format", "warn", "no area.json yet", "`landstream run` or `landstream provision` makes it")
    except OtherFormat as error:
        return Finding("format", "fail", str(error))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        text = f"{AREA_KEY} is damaged ({type(error).__name__})"
        return Finding("format", "fail", text, "run `landstream run` with another --store, or restore the file")
    return Finding("format", "ok", f"{FORMAT}, of the area {area.name}")


def _look_at_folder(store: FolderStore) -> Iterator[Finding]:
    try:
        with tempfile.NamedTemporaryFile(dir=store.work) as file:
            yield Finding("writing", "ok", "this user may write")
            yield look_at_clock(Path(file.name).stat().st_mtime, time.time())
    except OSError as error:
        yield Finding("writing", "fail", f"{store.location}: {error.strerror}", READ_ONLY)


def _look_at_bucket(store: Store) -> Iterator[Finding]:
    key = f"{PREFIX}doctor-{uuid.uuid4().hex}"
    try:
        store.put(key, b"")
    except Forbidden:
        text = f"these keys may read, and not write {PREFIX}*, as is right for all but the administrator's"
        yield Finding("writing", "ok", text)
        return
    yield Finding("writing", "ok", "these keys may write")
    yield look_at_clock(store.head(key).modified_s, time.time())
    store.delete(key)


def look_at_clock(stored_s: float, now_s: float) -> Finding:
    """Compare the store's clock, which dated what was just written, with this machine's; seconds since the epoch."""
    apart = abs(stored_s - now_s)
    text = f"{apart:.0f} s from the store's"
    if apart < SKEW_S:
        return Finding("clock", "ok", text)
    return Finding("clock", "warn" if apart < REFUSED_S else "fail", text, "set both by NTP")


def look_at_kafka(servers: str) -> Finding:
    """Say whether Kafka answers, and whether its topics are there.

    Args:
        servers: `HOST:PORT`, or several with commas.
    """
    from kafka.errors import KafkaError

    from shared.bus import DEAD_LETTER, OBJECTS, BusError
    from shared.bus.kafka import KafkaBus, KafkaSettings

    try:
        with closing(KafkaBus(KafkaSettings(servers=servers))) as bus:
            missing = sorted({OBJECTS, DEAD_LETTER} - set(bus.admin().list_topics()))
    except (BusError, KafkaError, ValueError) as error:
        return Finding("Kafka", "fail", str(error), "start it, or check --kafka and LANDSTREAM_KAFKA_*")
    if missing:
        remedy = "`landstream provision` makes them"
        return Finding("Kafka", "warn", f"{servers} answers, without topics {', '.join(missing)}", remedy)
    return Finding("Kafka", "ok", f"{servers} answers")
