"""The distributed path beside the embedded one, events a second, and a burst of hints.

`make services`, then `set -a; . .services/env; set +a; python benchmarks/distributed.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.sweeper.hints import publish_hint
from services.sweeper.sweep import Sweep
from shared.area import load_area
from shared.bus import OBJECTS
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.events import HINT_SOURCE, ObjectCreated, make, parse
from shared.run.context import Context
from shared.stage import registry
from shared.store import FolderStore, Store
from shared.store.s3 import S3Store

ROOT = Path(__file__).parent.parent
AREA = ROOT / "tests" / "areas" / "small.yaml"
PRODUCTS = 12
EVENTS = 20_000
HINTS = 1_000


def landstream(*arguments: object) -> None:
    """Run a command to its end."""
    command = [sys.executable, "-m", "landstream", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that continues until it is told to stop."""
    command = [sys.executable, "-m", "landstream", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait(what: str, done: Callable[[], bool], within_s: float = 600) -> float:
    """Return seconds until something is so."""
    begin = time.monotonic()
    while not done():
        if time.monotonic() - begin > within_s:
            sys.exit(f"{what}: not within {within_s:.0f} s")
        time.sleep(0.25)
    return time.monotonic() - begin


def merged(store: Store) -> int:
    """Return how many products are in the cube."""
    return sum(1 for _ in store.keys("items/cube-updates/"))


def stream(store: Store, location: str, products: list[Path]) -> float:
    """Return seconds from the first product's first object to the last one's merge; the stream runs already."""
    begin = time.monotonic()
    landstream("deliver", "--store", location, *products)
    wait("merging", lambda: merged(store) == len(products) - 1)  # one is merged by none: it is superseded
    return time.monotonic() - begin


def due(sweep: Sweep) -> int:
    """Jobs that are due now."""
    return sum(len(count.due) for count in sweep.look(everything=True).values())


def main() -> None:
    """Print the figures."""
    kafka = os.environ["LANDSTREAM_KAFKA"]
    bus = KafkaBus(KafkaSettings())
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "products"
        landstream("simulate", "season", "--area", AREA, "--out", made, "--products", PRODUCTS)
        products = sorted(made.iterdir())

        embedded = Path(folder) / "store"
        with running("run", "--area", AREA, "--store", embedded):
            wait("the embedded run", lambda: (embedded / "area.json").exists())
            time.sleep(15)
            alone = stream(FolderStore(embedded), str(embedded), products)
        print(f"embedded: {PRODUCTS} products merged in {alone:.1f} s, {alone / PRODUCTS:.2f} s a product")

        bucket = f"bench-{uuid.uuid4().hex[:8]}"
        location, store = f"s3://{bucket}", S3Store(bucket)
        with running("up", "--area", AREA, "--store", location, "--kafka", kafka, "--work", Path(folder) / "work"):
            services = [s.name for s in registry.all_stages()]
            groups = [f"{bucket}.{name}" for name in services]
            wait("the services", lambda: all(bus.group(OBJECTS, g)[1] for g in groups))
            time.sleep(15)
            together = stream(store, location, products)
            ratio = together / alone
            print(f"distributed: {together:.1f} s, {together / PRODUCTS:.2f} s a product; {ratio:.2f} times embedded")
            context = Context.of_store(store, load_area(AREA), bus)
            sweep = Sweep(registry.all_stages(), context)
            wait("a map", lambda: bool(next(iter(store.keys("items/land-cover-maps/")), "")))
            wait("all maps", lambda: not due(sweep))
            keys = [k for k in store.keys("items/") if "/cloud-masks/" in k or "/sentinel-2-l2a/" in k]
            begin = time.monotonic()
            for n in range(HINTS):
                publish_hint(bus, bucket, keys[n % len(keys)])
            sent = time.monotonic() - begin
            wait("the burst", lambda: not any(bus.group(OBJECTS, g)[0] for g in groups))
            calm = time.monotonic() - begin
            left = due(sweep)
            print(f"burst: {HINTS} hints sent in {sent:.1f} s, all read after {calm:.1f} s, {left} due")

        rate(bus)
    bus.close()


def rate(bus: KafkaBus) -> None:
    """How many events one member takes, reads and acknowledges a second."""
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    bus.admin().create_topics({topic: {"num_partitions": 8, "replication_factor": 1}}, wait_for_metadata=True)
    from kafka import KafkaProducer

    producer = KafkaProducer(**bus.settings.arguments(), linger_ms=20)
    for n in range(EVENTS):
        event = make(ObjectCreated("bench", f"items/a/static/{n}.json", 1, ""), HINT_SOURCE)
        producer.send(topic, key=str(n).encode(), value=event)
    producer.flush()
    producer.close()
    member, seen = bus.subscribe(topic, topic), 0
    begin = 0.0
    while seen < EVENTS:
        message = member.poll(20)
        if message is None:
            sys.exit("the events did not arrive")
        begin = begin or time.monotonic()
        parse(message.value)
        member.ack(message)
        seen += 1
    print(f"events: {seen / (time.monotonic() - begin):.0f} a second, one member")
    bus.admin().delete_topics([topic])


if __name__ == "__main__":
    main()
