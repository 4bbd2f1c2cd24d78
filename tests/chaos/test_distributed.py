"""One long run of the distributed Landstream, disturbed in every way: it ends as an embedded run that nobody disturbs.

The cases follow each other on the same services, servers and store; each drops products of its own, so that work is
in flight, and ends when all that was dropped is mapped. All the while a third of the store's events is lost.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from landstream import report
from landstream.up import SWEEPER, Supervisor
from shared.area import load_area
from shared.bus import OBJECTS, BusUnavailable
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.items.collections import REQUESTS
from shared.items.landing import PREFIX
from shared.items.summary import present_state
from shared.observe.failpoint import FAILPOINTS
from shared.run.context import Context
from shared.stage import registry
from shared.store.s3 import S3Settings, S3Store
from tests.chaos.conftest import digest_of
from tests.conftest import AREAS, EAGER, ROOT, landstream, running
from tools.servers.kafka import Kafka
from tools.servers.versitygw import Versitygw

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(3600),
    # kafka-python leaves the sockets of refused connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EVENTS = "store.events"
LOST = 0.3
SESSION_S = 6.0
"""The shortest that a broker takes."""
PARTITIONS = KafkaSettings().partitions
AWAY_S = 60.0
PATIENCE_S = 900.0
"""Longest wait for anything, or from one death to the next; a few times what a quiet machine takes."""
BUCKET = "chaos"
NOTE = "note.txt"
"""No product: its failure record is the only one."""

FAILURE = "runner.failure_recorded"
OF_A_RUNNER = [p for p in FAILPOINTS if p.split(".")[0] in ("store", "runner", "worker") and p != FAILURE]
OF_THE_CUBE = [p for p in FAILPOINTS if p.startswith("cube.")]
POINTS = {
    **{s.name: OF_A_RUNNER for s in registry.all_stages()},
    "ingest": [*OF_A_RUNNER, FAILURE],
    # Arrays are created once; an update has no artifacts.
    "tiler": [*OF_THE_CUBE, *(p for p in OF_A_RUNNER if p != "runner.artifact_uploaded")],
    SWEEPER: ["store.before_link", "store.after_link", "driver.training_requested", "driver.promoted"],
}
TWINS = ("cloudmask", "tiler", "inference")


def test_every_failpoint_has_its_service() -> None:
    hit = {point for points in POINTS.values() for point in points}
    assert hit == set(FAILPOINTS) - {"landing.unit_uploaded"}, "landing.unit_uploaded is the command line's"


class Hunter(Supervisor):
    """A supervisor of which each service is started to die at the next of its failpoints, until none is left."""

    def __init__(self, kafka: str, work: Path, left: dict[str, list[str]]) -> None:
        super().__init__(f"s3://{BUCKET}", kafka, work, 0, self._heard)
        self.left, self.killed, self.unexpected = left, list[str](), list[str]()
        self._armed: dict[str, tuple[str, float]] = {}

    def _environment(self, service) -> dict[str, str]:
        point = next(iter(self.left[service.name]), "")
        self._armed[service.name] = point, time.monotonic()
        return {**super()._environment(service), "LANDSTREAM_FAILPOINT": point}

    def rests(self) -> bool:
        """Whether every service was started again after its last death, to be killed no more."""
        return not any(self.left.values()) and all(
            not self._armed[name][0] and (self._work / f"{name}.pid").exists() for name in POINTS
        )

    def _heard(self, line: str) -> None:
        name, _, said = line.partition(": ")
        if said.startswith("ended"):
            point, since = self._armed[name]
            if point and "SIGKILL" in said:
                self.left[name].remove(point)
                self.killed.append(f"{name} {point} after {time.monotonic() - since:.0f} s")
            else:
                self.unexpected.append(line)


class LossyForwarder(Thread):
    """Passes the store's events to the topic of objects, but for those that it drops."""

    def __init__(self, kafka: str) -> None:
        super().__init__(name="forwarder", daemon=True)
        self.passed = self.dropped = 0
        self._stop_now, self._dice = Event(), random.Random(4)
        self._bus = KafkaBus(KafkaSettings(servers=kafka, session_s=SESSION_S))

    def run(self) -> None:
        member = self._bus.subscribe(EVENTS, "forwarder")
        while not self._stop_now.is_set():
            if (message := member.poll(0.5)) is None:
                continue
            if self._dice.random() < LOST:
                self.dropped += 1
            else:
                with suppress(BusUnavailable):
                    self._bus.publish(OBJECTS, message.key, message.value)
                    self.passed += 1
            member.ack(message)
        self._bus.close()

    def stop(self) -> None:
        self._stop_now.set()
        self.join(60)


class Run:
    """The long run: its servers and services, and the products that are not dropped yet."""

    def __init__(self, kafka: Kafka, gateway: Versitygw, folder: Path, products: list[Path]) -> None:
        self.kafka, self.gateway, self.products, self.work = kafka, gateway, products, folder / "up"
        self.forwarder = LossyForwarder(kafka.address)
        self.bus = KafkaBus(KafkaSettings(servers=kafka.address))
        self.hunter = Hunter(kafka.address, self.work, {name: list(points) for name, points in POINTS.items()})
        self._stop = Event()
        self._supervision = Thread(target=self.hunter.run, args=(self._stop,), daemon=True)
        self._dropped, self._began = 0, time.monotonic()

    def start(self, area: Path) -> None:
        self.forwarder.start()
        options = ("--area", area, "--store", f"s3://{BUCKET}", "--kafka", self.kafka.address)
        landstream("provision", *options, env={**os.environ, "LANDSTREAM_PROVISION_CANARY_S": "300"})
        self.store = S3Store(BUCKET, S3Settings())
        self.context = Context.of_store(self.store, load_area(area))
        self._supervision.start()

    def close(self) -> None:
        self._stop.set()
        if self._supervision.is_alive():
            self._supervision.join(90)
        if self.forwarder.is_alive():
            self.forwarder.stop()
        self.bus.close()

    def drop(self) -> None:
        """Put the next product into `landing/`, object by object."""
        product = self.products[self._dropped]
        for path in sorted(p for p in product.rglob("*") if p.is_file()) or [product]:
            self.put(path.relative_to(product.parent).as_posix(), path.read_bytes())
        self._dropped += 1

    def put(self, name: str, data: bytes) -> None:
        self.store.client.put_object(Bucket=BUCKET, Key=PREFIX + name, Body=data)

    def minutes(self) -> float:
        """How long it has run."""
        return (time.monotonic() - self._began) / 60

    def registered(self) -> int:
        """Deliveries that became an item or a failure."""
        return sum(1 for _ in self.store.keys("receipts/"))

    def status(self) -> dict[str, dict[str, int]]:
        return report.status(self.store, self.context.area)["stages"]

    def in_flight(self) -> int:
        return sum(counts["waiting"] for counts in self.status().values())

    def is_settled(self) -> bool:
        """Whether all that was dropped is mapped by the model of the cube as it is."""
        if self.registered() < self._dropped or self.in_flight():
            return False
        catalogue = self.context.reader.snapshot()
        requests = catalogue.items(REQUESTS)
        return present_state(catalogue) in {r.properties["landstream:cube_state"] for r in requests}

    def settle(self) -> str:
        """Wait until all is mapped; what it took."""
        hints, start = self.hints(), time.monotonic()
        self.wait(self.is_settled, "all is mapped", pause_s=2)
        return f"all mapped after {time.monotonic() - start:.0f} s and {self.hints() - hints} hints of the sweep"

    def hints(self) -> int:
        """How many hints the sweep has given."""
        return sum(int(n) for n in re.findall(r'"hints": (\d+)', (self.work / "sweeper.log").read_text()))

    def members(self) -> dict[str, list[int]]:
        """Service -> how many partitions each member of its group holds."""
        groups = {self.context.group(name): name for name in POINTS if name != SWEEPER}
        return {
            groups[group]: [
                sum(len(topic["partitions"]) for topic in member["member_assignment"]["assigned_partitions"])
                for member in described["members"]
                if member["member_assignment"]
            ]
            for group, described in self.bus.admin().describe_groups(list(groups)).items()
        }

    def wait_for_partitions(self) -> None:
        """Wait until each service is alone in its group and holds all partitions."""
        self.wait(
            lambda: all(held == [PARTITIONS] for held in self.members().values()),
            "every service holds its partitions again",
            pause_s=1,
            within_s=180,
        )

    def signal_all(self, number: signal.Signals) -> None:
        for name in POINTS:
            os.killpg(int((self.work / f"{name}.pid").read_text()), number)

    def wait(
        self, condition: Callable[[], object], what: str, pause_s: float = 0.5, within_s: float = PATIENCE_S
    ) -> None:
        deadline, deaths = time.monotonic() + within_s, len(self.hunter.killed)
        while not condition():
            if len(self.hunter.killed) > deaths:  # each costs a start, and the work before it
                deadline, deaths = time.monotonic() + within_s, len(self.hunter.killed)
            assert self._supervision.is_alive(), f"the supervisor ended while waiting until {what}; logs: {self.work}"
            assert time.monotonic() < deadline, (
                f"not within {within_s:.0f} s: {what}\nwaiting: {self.status()}\npartitions: {self.members()}"
                f"\nfailpoints left: {self.hunter.left}\nunexpected: {self.hunter.unexpected}\nlogs: {self.work}/*.log"
            )
            time.sleep(pause_s)


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small area; it trains after a few quiet seconds, but not for long: it is killed six times while it does."""
    area = yaml.safe_load((AREAS / "small.yaml").read_text())
    area |= {"train": EAGER | {"quiet_s": 5}, "training": {"filters": 4, "epochs": 1, "steps": 2, "folds": 0}}
    path = tmp_path_factory.mktemp("area") / "small.yaml"
    path.write_text(yaml.safe_dump(area))
    return path


@pytest.fixture(scope="module")
def products(area: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("products")
    made = landstream("simulate", "season", "--area", area, "--out", folder, "--products", 12)
    return [Path(line) for line in made.stdout.splitlines()]


@pytest.fixture(scope="module")
def expected(area: Path, products: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The digest of an embedded run over the same products that nobody disturbed."""
    store = tmp_path_factory.mktemp("embedded") / "store"
    landstream("run", "--area", area, "--store", store, "--once", *products)
    return digest_of(store)


@pytest.fixture(scope="module")
def run(area: Path, products: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("distributed")
    kafka = Kafka(folder / "kafka")
    gateway = Versitygw(folder / "versitygw", kafka.address, EVENTS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in gateway.variables().items():
            patch.setenv(name, value)
        patch.setenv("LANDSTREAM_KAFKA_SESSION_S", str(SESSION_S))
        patch.setenv("LANDSTREAM_SWEEPER_SWEEP_S", "2")
        patch.setenv("LANDSTREAM_SWEEPER_SWEEP_GRACE_S", "8")  # for a store that loses every third event
        # Each service is killed many times in a row, which is no crash loop.
        patch.setattr("landstream.up.LONGEST_PAUSE_S", 1.0)
        run = Run(kafka, gateway, folder, products)
        with running(kafka):
            kafka.create_topic(EVENTS)
            with running(gateway):
                try:
                    run.start(area)
                    yield run
                finally:
                    run.close()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a case's figures, also where it passes."""

    def print_line(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", flush=True)

    return print_line


def test_killed_at_every_failpoint(run: Run, say: Callable[[str], None]) -> None:
    start, left = time.monotonic(), run.hunter.left
    for n in range(6):
        run.drop()
        run.wait(lambda n=n: run.registered() > n, f"product {n + 1} is registered")
    run.wait(lambda: left["ingest"] == [FAILURE], "ingest died at all failpoints but the one that takes a failure")
    run.put(NOTE, b"no product\n")
    run.wait(run.hunter.rests, "every service died at each of its failpoints, and runs again")
    settled = run.settle()
    count = sum(map(len, POINTS.values()))
    say(f"SIGKILL at {count} failpoints of {len(POINTS)} services in {time.monotonic() - start:.0f} s; {settled}")
    print("\n".join(run.hunter.killed))
    assert len(run.hunter.killed) == count
    run.wait_for_partitions()


def test_stopped_for_longer_than_the_session(run: Run, say: Callable[[str], None]) -> None:
    run.drop()
    run.wait(run.in_flight, "work is in flight")
    run.signal_all(signal.SIGSTOP)
    start = time.monotonic()
    try:
        run.wait(lambda: not any(run.members().values()), "the groups dropped the stopped members", pause_s=1)
    finally:
        run.signal_all(signal.SIGCONT)
    say(f"SIGSTOP of all services for {time.monotonic() - start:.0f} s, session {SESSION_S:.0f} s; {run.settle()}")
    run.wait_for_partitions()


def test_kafka_is_away(run: Run, say: Callable[[str], None]) -> None:
    run.drop()
    run.wait(run.in_flight, "work is in flight")
    run.kafka.stop()
    time.sleep(AWAY_S)
    run.kafka.start()
    say(f"Kafka stopped for {AWAY_S:.0f} s; {run.settle()}")


def test_the_store_is_away(run: Run, say: Callable[[str], None]) -> None:
    run.drop()
    run.wait(run.in_flight, "work is in flight")
    run.gateway.stop()
    time.sleep(AWAY_S)
    run.gateway.start()
    say(f"store stopped for {AWAY_S:.0f} s; {run.settle()}")


def test_kafka_lost_its_data(run: Run, say: Callable[[str], None]) -> None:
    run.drop()
    run.wait(run.in_flight, "work is in flight")
    run.kafka.wipe()
    run.kafka.start()
    run.kafka.create_topic(EVENTS)
    start = time.monotonic()
    run.wait(run.bus.reachable, "the sweeper made the topics again")
    topics_s = time.monotonic() - start
    run.wait_for_partitions()
    partitions_s = time.monotonic() - start
    say(f"Kafka's data deleted; topics after {topics_s:.0f} s, partitions after {partitions_s:.0f} s; {run.settle()}")


def test_second_members_join_in_the_middle(run: Run, say: Callable[[str], None]) -> None:
    run.drop()
    run.wait(run.in_flight, "work is in flight")
    options = ["--store", f"s3://{BUCKET}", "--kafka", run.kafka.address]
    twins = []
    for name in TWINS:
        environment = {**os.environ, "LANDSTREAM_WORK": str(run.work / "twins")}
        with (run.work / f"{name}-twin.log").open("ab") as log:
            command = [sys.executable, "-m", f"services.{name}", *options]
            twins.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, process_group=0))
    try:
        run.wait(lambda: all(len(run.members()[name]) == 2 for name in TWINS), "the second members have joined")
        run.drop()
        settled = run.settle()
    finally:
        for twin in twins:
            twin.terminate()
        ends = [twin.wait(60) for twin in twins]
    say(f"second members of {', '.join(TWINS)} joined in the middle; {settled}")
    assert ends == [0] * len(TWINS), f"logs: {run.work}/*-twin.log"


def test_all_is_mapped_once_and_the_digest_is_the_same(
    run: Run, expected: list[str], say: Callable[[str], None]
) -> None:
    """The end of the run: what is left is dropped, and all is looked at."""
    while run._dropped < len(run.products):
        run.drop()
    settled = run.settle()
    location, events = f"s3://{BUCKET}", run.forwarder
    stages = json.loads(landstream("status", "--store", location, "--json").stdout)["stages"]
    assert {n: c["waiting"] for n, c in stages.items()} == dict.fromkeys(stages, 0)
    failures = [json.loads(line) for line in landstream("failures", "--store", location).stdout.splitlines()]
    assert [(f["stage"], f["unit"]) for f in failures] == [("ingest", NOTE)]
    maps = [json.loads(m) for m in landstream("maps", "--latest", "--store", location).stdout.splitlines()]
    places = Counter((str(m["properties"]["landstream:sheet"]), m["properties"]["start_datetime"]) for m in maps)
    assert set(places.values()) == {1}
    digest = digest_of(location)
    say(f"{len(run.products)} products, {len(maps)} maps, {len(digest)} lines of digest; {settled}; "
        f"{events.dropped} of {events.dropped + events.passed} events dropped; "
        f"{run.minutes():.1f} min in all")  # fmt: skip
    assert digest == expected
    assert events.dropped > 0.2 * (events.dropped + events.passed)
    assert not run.hunter.unexpected
