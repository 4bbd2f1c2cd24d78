"""The embedded stream: all stages as threads of one process over a store and the in-process bus."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from landstream.prune import count_snapshots, prune_cube
from landstream.retention import KEEP_DAYS, KEEP_SNAPSHOTS
from services.sweeper.driver import Driver
from services.sweeper.hints import publish_hint
from services.sweeper.schedule import nothing_to_train_on
from services.sweeper.view import Count
from shared.area import Area
from shared.bus import OBJECTS, MemoryBus
from shared.events import parse
from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.collections import MODELS
from shared.items.ids import digest8
from shared.items.keys import failure_key, split_item_key
from shared.items.landing import PREFIX, LandingUnit
from shared.items.summary import current_labels
from shared.items.weeks import BadKey
from shared.observe.logs import get_logger
from shared.run.context import Context, Observer
from shared.run.deliver import DeliveryStopped, deliver, missing_bytes, unit_name
from shared.run.failure import make_record, standing_failures
from shared.run.outcome import Rejected, utf8_text
from shared.run.runner import Runner, StageStopped
from shared.stage import Job, registry
from shared.stage.due import LANDING
from shared.store import PreconditionFailed, Store, StoreFull, StoreUnavailable, open_store
from shared.store.space import require_free, room, space_fault

POLL_S = 0.5
ALL_WEEKS = 10_000
STOP_S = 23.0
"""Seconds that a stop may take, whatever the stages do."""

WATCH_S = 2.0
"""Seconds between two listings of a watched `landing/`: what people copy into it causes no event."""


class Display(Protocol):
    """Shows a person how a stream goes."""

    @property
    def observe(self) -> Observer:
        """Take the reports of the stages."""

    def expect(self, counts: Mapping[str, Count]) -> None:
        """Take what the last look at the store found."""

    def waiting(self, waits: Sequence[str]) -> None:
        """Take what the stream waits for, a line each."""

    def stopping(self) -> None:
        """Say that the run was told to stop and puts its work away."""


@dataclass
class RunOutcome:
    """How a run ended.

    Attributes:
        failed: failure records that stand.
        waiting: one line for each stage whose due work waits for something, and why training did not happen.
        stopped: why a stage stopped for good, if one did.
        interrupted: whether it was told to stop.
    """

    failed: int = 0
    waiting: list[str] = field(default_factory=list)
    stopped: str | None = None
    interrupted: bool = False


class Stream:
    """All stages over one store.

    Args:
        area: the study area.
        store: the store.
        folder: for logs and scratch.
        stop: set to end the run.
        display: told what the stages do, what is due and what the stream waits for.
        once: end when nothing is left to do.
        keep_snapshots: with `once`, the cube is pruned at the end if it holds more.
        link: link products into `landing/` instead of copying them.
    """

    def __init__(
        self,
        area: Area,
        store: Store,
        folder: Path,
        stop: Event,
        display: Display,
        once: bool,
        keep_snapshots: int = KEEP_SNAPSHOTS,
        link: bool = False,
    ) -> None:
        self._link = link
        if once:
            area = area.model_copy(update={"remap": ALL_WEEKS})
        self.area, self._once, self._display, self._keep_snapshots = area, once, display, keep_snapshots
        self.bus = MemoryBus()
        self._quiet_store, self.store = store, open_store(store.location, self._publish)
        self._given: set[str] = set()
        logs = folder / "logs"
        logs.mkdir(exist_ok=True)
        self.context = Context.of_store(
            self.store,
            area,
            self.bus,
            patience_s=lambda name: 0.0 if name in self._given else area.patience_s,
            work=folder / "work",
            logs=logs,
            stop=stop,
            observer=display.observe,
            when_full=self._end_for_space,
        )
        self.stages = registry.all_stages()
        self._later: dict[str, dict[str, int]] = {s.name: {} for s in self.stages}
        self._runners = {
            s.name: Runner(s, registry.module_of(s.name), self.context, partial(self._note_later, s.name))
            for s in self.stages
        }
        self._fetcher = None
        if area.source is not None:
            # Its libraries are loaded only where something is fetched.
            from services.ingest.fetch.fetching import fetcher_of

            self._fetcher = fetcher_of(self.context, folder / "fetch", self._put_whole, once)
        self.driver = Driver(self.stages, self.context, 0.0 if once else None, once)
        self._broken: list[str] = []
        self._full: StoreFull | None = None
        self._changes, self._looked = 0, -1

    def _publish(self, event: bytes) -> None:
        """Tell the stages of a new object, and the sweep which week it came to."""
        key = parse(event).key
        self._changes += 1
        with suppress(BadKey):
            self.driver.sweep.touch(split_item_key(key)[1])
        self.bus.publish(OBJECTS, key, event)

    def _note_later(self, stage: str, job: str) -> None:
        self._later[stage][job] = self._changes

    def run(self, products: Sequence[Path]) -> RunOutcome:
        """Take the products in and stream until there is nothing left (`once`) or told to stop.

        Raises:
            StoreFull: the disk is full or read-only; everything that was due is due still.
        """
        threads = [Thread(target=self._serve, args=(r,), name=s, daemon=True) for s, r in self._runners.items()]
        if self._fetcher is not None:
            threads.append(Thread(target=self._fetch, name="fetch", daemon=True))
        for thread in threads:
            thread.start()
        try:
            with room(self.context.disk):
                self._take_in(products)
                self._drive()
        finally:
            interrupted = self.context.stop.is_set()
            if interrupted and not self._full and not self._broken:
                self._display.stopping()
            self.context.stop.set()
            deadline = time.monotonic() + STOP_S
            for thread in threads:
                # A thread that is late dies with the process: objects appear whole or not at all.
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._full is not None:
            raise self._full
        with room(self.context.disk):
            if self._once and not interrupted and not self._broken:
                self._prune_cube()
            return self._outcome(interrupted)

    def _end_for_space(self, error: StoreFull) -> None:
        """End the run: to wait for somebody who frees space is for services."""
        self._full = error
        self.context.stop.set()

    def _prune_cube(self) -> None:
        if count_snapshots(self.store) > self._keep_snapshots:
            freed = prune_cube(self.context, datetime.now(UTC), timedelta(days=KEEP_DAYS), rehearse=False)
            get_logger().info("pruned", what=freed.what, objects=freed.objects, bytes=freed.size)

    def _take_in(self, products: Sequence[Path]) -> None:
        """Put products into `landing/` and hint each once it is whole, not at each of its files."""
        if not self.store.remote and not self._link:
            require_free(self.context.disk, missing_bytes(self.store, products))
        for done, path in enumerate(products):
            self._display.observe("landing", "progress", path.name, done, len(products), "products")
            try:
                unit = deliver(self._quiet_store, path, self.context.stop, self._link)
            except DeliveryStopped:
                return
            except (BadKey, OSError) as error:
                if space_fault(error):
                    raise
                self._refuse(path, error)
                continue
            self._given.add(unit.name)
            publish_hint(self.bus, self.store.bucket, unit.key)
        if products:
            self._display.observe("landing", "progress", "", len(products), len(products), "products")

    def _put_whole(self, path: Path) -> LandingUnit:
        """Put a product that was fetched into `landing/`, and hint it once it is whole."""
        unit = deliver(self._quiet_store, path, self.context.stop)
        self._given.add(unit.name)
        publish_hint(self.bus, self.store.bucket, unit.key)
        return unit

    def _refuse(self, path: Path, error: Exception) -> None:
        """Record that a product could not even be put into `landing/`."""
        name = f"{unit_name(path.name)}--{digest8(path.name)}"
        failure = Rejected(
            utf8_text(path.name),
            utf8_text(f"cannot be put into landing/ ({error})"),
            "deliver it under another name, readable, with shorter paths; then requeue this record",
            error_class=f"{type(error).__module__}.{type(error).__qualname__}",
        )
        record = make_record(registry.load("ingest"), Job("", unit_name(path.name), ""), name, 1, failure)
        with suppress(PreconditionFailed):  # said in an earlier run
            self.store.put(failure_key("ingest", name), record, create_only=True)
        self._display.observe("landing", "failed", path.name, note=failure.message)

    def _serve(self, runner: Runner) -> None:
        try:
            runner.run()
        except StageStopped as error:
            self._broken.append(str(error))
            self.context.stop.set()
        except Exception as error:
            self._broken.append(f"{runner.stage.name}: {type(error).__name__}: {error}")
            self.context.stop.set()
            raise

    def _fetch(self) -> None:
        assert self._fetcher is not None
        try:
            self._fetcher.run()
        except Exception as error:
            self._broken.append(f"fetch: {type(error).__name__}: {error}")
            self.context.stop.set()
            raise

    def _drive(self) -> None:
        while not self.context.stop.is_set():
            try:
                if self._round():
                    return
            except StoreFull:
                raise
            except StoreUnavailable as error:  # it was tried for long
                get_logger().warning("waiting for the store", error=str(error))

    def _round(self) -> bool:
        """Look once at everything and hint what is due; return whether this run is at its end.

        Raises:
            StoreUnavailable: the store is away.
        """
        idle, before = self._idle(), self._changes
        # Settled weeks are looked at in their turn, and all of them once something changed and came to rest.
        everything = idle and before != self._looked
        counts = self.driver.look(everything=everything)
        if everything:
            self._looked = before
        self._display.expect(counts)
        due = {name: {job.id for job in count.due} for name, count in counts.items()}
        open_ = {name for name, jobs in due.items() if jobs - self._waiting(name)}
        hinted = self.driver.sweep.hints.give(counts) if idle or not self._once else 0
        fetched = self._fetcher is None or self._fetcher.quiet
        still = fetched and idle and not hinted and self._idle() and self._changes == before
        if self.driver.ask(still and not open_.intersection(self.driver.feeding), time.time()):
            return False
        if still and not open_:
            self.driver.keep_pages()
            if self._once:
                return True
        self._display.waiting(self._waits(quiet=still and not open_))
        self.bus.wait(POLL_S if self._once or not idle else WATCH_S)
        return False

    def _waiting(self, name: str) -> set[str]:
        """Return the jobs that said "later" in the world as it is now: trying again would change nothing."""
        later = self._later[name]
        if LANDING in self._runners[name].stage.consumes:
            return set(later)  # whether a unit is whole does not depend on other objects; a new file makes a new job
        for job in [job for job, seen in list(later.items()) if seen != self._changes]:
            # The world has changed since: try at once, not when its gap is over.
            self.driver.sweep.hints.forget(name, job)
            later.pop(job, None)
        return set(later)

    def _waits(self, quiet: bool) -> list[str]:
        """Return what the stream waits for, a line each."""
        waits = list(self._fetcher.waits()) if self._fetcher is not None else []
        if quiet and (nobody := _no_champion(self.driver.sweep.catalogue)):
            waits.append(nobody)
        if quiet and self.driver.training_waits_for is not None:
            waits.append(self.driver.training_waits_for)
        if quiet and not self._once:
            source = f" and {self.area.source.kind}" if self.area.source is not None else ""
            waits.append(f"watching {self.store.location}/{PREFIX}{source}")
        return waits

    def _idle(self) -> bool:
        """Return whether no event waits and no stage works."""
        return all(
            self.bus.lag(OBJECTS, self.context.group(name)) == 0 and not r.busy for name, r in self._runners.items()
        )

    def _outcome(self, interrupted: bool) -> RunOutcome:
        counts = self.driver.look(everything=True)
        self.driver.keep_pages()
        catalogue = self.driver.sweep.catalogue
        waiting = list(self._fetcher.waits()) if self._fetcher is not None else []
        waiting += [f"{name}: {len(count.due)} waiting" for name, count in counts.items() if count.due]
        waiting += [
            f"{name}: a link or a name that no object can have; rename it" for name in self.store.unusable(PREFIX)
        ]
        failed = sum(1 for _ in standing_failures(self.store, catalogue, self.context.reader.foreign))
        # A copy: a stage that is late to stop may still find something.
        waiting += [f"{key}: {fault}; it is left alone" for key, fault in dict(self.context.reader.foreign).items()]
        nothing = nothing_to_train_on(self.driver.sweep.summaries(), current_labels(catalogue))
        reason = nothing or _no_champion(catalogue)
        stopped = "; ".join(self._broken) or None
        return RunOutcome(failed, waiting + ([reason] if reason else []), stopped, interrupted and not stopped)


def _no_champion(catalogue: Catalogue) -> str | None:
    """Return what people may do where models are there and none is champion; None = nothing."""
    if catalogue.area.promote == "always" or champion(catalogue) is not None:
        return None
    ids = list(catalogue.ids(MODELS))
    if len(ids) > 1:
        return "no map: no champion; `landstream model list` shows models, `landstream model promote ID` promotes one"
    return f"no map: no champion; landstream model promote {ids[0]} --reason WHY" if ids else None
