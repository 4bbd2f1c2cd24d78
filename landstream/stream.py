"""The embedded stream: all stages as threads of one process over a store and the in-process bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from landstream.deliver import DeliveryStopped, deliver, unit_name
from services.sweeper import (
    Sweep,
    TrainingPolicy,
    nothing_to_train_on,
    publish_hint,
    refresh_collections,
    request_training,
    source_key,
    upstream,
)
from shared.area import Area
from shared.bus import OBJECTS, MemoryBus
from shared.events import parse
from shared.items.catalogue import Catalogue
from shared.items.keys import BadKey, digest8, failure_key
from shared.items.landing import PREFIX
from shared.observe.logs import get_logger
from shared.run.context import Context
from shared.run.failure import make_record
from shared.run.runner import Runner, StageStopped
from shared.stage import Job, registry
from shared.stage.due import LANDING, standing_failures
from shared.store import PreconditionFailed, Store, StoreUnavailable, open_store

POLL_S = 0.5
ALL_WEEKS = 10_000
STOP_S = 23.0
"""A stop takes no longer than this, whatever the stages do."""

WATCH_S = 2.0
"""How often a watched `landing/` is listed: what people copy into it gives no event."""


@dataclass
class Outcome:
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
        observer: (stage, state, subject, done, total): start, progress, done, absorbed, later, failed.
        once: end when nothing is left to do.
    """

    def __init__(
        self,
        area: Area,
        store: Store,
        folder: Path,
        stop: Event,
        observer: Callable[[str, str, str, int, int], None],
        once: bool,
    ) -> None:
        if once:
            area = area.model_copy(update={"policy": area.policy.model_copy(update={"remap": ALL_WEEKS})})
        self.area, self._once, self._observer = area, once, observer
        self.bus = MemoryBus()
        self._quiet_store, self.store = store, open_store(store.location, self._publish)
        self._given: set[str] = set()
        logs = folder / "logs"
        logs.mkdir(exist_ok=True)
        self.context = Context.of_store(
            self.store,
            area,
            self.bus,
            patience_s=lambda name: 0.0 if name in self._given else area.policy.patience_s,
            work=folder / "work",
            logs=logs,
            stop=stop,
            observer=observer,
        )
        self.stages = registry.all_stages()
        self._later: dict[str, dict[str, Catalogue | None]] = {s.name: {} for s in self.stages}
        self._runners = {
            s.name: Runner(s, registry.module_of(s.name), self.context, self._later[s.name]) for s in self.stages
        }
        self._sweep = Sweep(self.stages, self.context, grace_s=0.0 if once else None)
        self._feeding = {s.name for s in upstream(self.stages)}
        self._broken: list[str] = []
        self._shown: Catalogue | None = None

    def _publish(self, event: bytes) -> None:
        self.bus.publish(OBJECTS, parse(event).key, event)

    def run(self, products: Sequence[Path]) -> Outcome:
        """Take the products in and stream until there is nothing left (`once`) or told to stop."""
        threads = [Thread(target=self._serve, args=(r,), name=s, daemon=True) for s, r in self._runners.items()]
        for thread in threads:
            thread.start()
        try:
            self._take_in(products)
            self._drive()
        finally:
            interrupted = self.context.stop.is_set()
            self.context.stop.set()
            deadline = time.monotonic() + STOP_S
            for thread in threads:
                # A thread that is late dies with the process: objects appear whole or not at all.
                thread.join(max(0.0, deadline - time.monotonic()))
        self._refresh()
        return self._outcome(interrupted)

    def _refresh(self) -> None:
        """Write the collections' JSON if anything is new."""
        catalogue = self.context.reader.snapshot()
        if catalogue is not self._shown:
            refresh_collections(self.store, catalogue, self.area)
            self._shown = catalogue

    def _take_in(self, products: Sequence[Path]) -> None:
        """Put products into `landing/` and hint each once it is whole, not at each of its files."""
        for done, path in enumerate(products):
            self._observer("landing", "progress", path.name, done, len(products))
            try:
                unit = deliver(self._quiet_store, path, self.context.stop)
            except DeliveryStopped:
                return
            except (BadKey, OSError) as error:
                self._refuse(path, error)
                continue
            self._given.add(unit.name)
            publish_hint(self.bus, self.store.bucket, source_key(unit))
        if products:
            self._observer("landing", "progress", "", len(products), len(products))

    def _refuse(self, path: Path, error: Exception) -> None:
        """Record that a product could not even be put into `landing/`."""
        name = f"{unit_name(path.name)}--{digest8(path.name)}"
        answer = {
            "class": f"{type(error).__module__}.{type(error).__qualname__}",
            "message": f"{path.name}: cannot be put into landing/ ({error})",
            "file": path.name,
            "fault": str(error),
            "remedy": "deliver it under another name, readable, with shorter paths; then requeue this record",
        }
        record = make_record(registry.load("ingest"), Job("", unit_name(path.name), ""), name, 1, answer)
        with suppress(PreconditionFailed):  # said in an earlier run
            self.store.put(failure_key("ingest", name), record, create_only=True)
        self._observer("landing", "failed", path.name, 0, 0)

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

    def _drive(self) -> None:
        policy = TrainingPolicy(self.area, self._once)
        while not self.context.stop.is_set():
            try:
                if self._round(policy):
                    return
            except StoreUnavailable as error:  # it was tried for long
                get_logger().warning("waiting for the store", error=str(error))

    def _round(self, policy: TrainingPolicy) -> bool:
        """Look once at everything, hint what is due; whether this run is at its end.

        Raises:
            StoreUnavailable: the store is away.
        """
        catalogue = self.context.reader.snapshot()
        surveys = self._sweep.survey(catalogue, self.context.units())
        due, idle = self._sweep.due(surveys), self._idle()
        open_ = {name for name, jobs in due.items() if jobs - self._waiting(name, catalogue)}
        hinted = self._sweep.hint(surveys) if idle or not self._once else 0
        quiet = idle and not hinted and not open_ & self._feeding
        if policy.decide(catalogue, quiet) and request_training(self.store, catalogue, self.area):
            return False
        if idle and not hinted and not open_:
            if self._once and self._idle():
                return True
            self._refresh()
        self.bus.wait(POLL_S if self._once or not idle else WATCH_S)
        return False

    def _waiting(self, name: str, now: Catalogue) -> set[str]:
        """Jobs that said "later" at the catalogue as it is now: trying again would change nothing."""
        later = self._later[name]
        if LANDING in self._runners[name].stage.consumes:
            return set(later)  # whether a unit is whole does not depend on the catalogue; a new file makes a new job
        for job in [job for job, seen in list(later.items()) if seen is not now]:
            # The world has changed since: try at once, not when its gap is over.
            self._sweep.forget(name, job)
            later.pop(job, None)
        return set(later)

    def _idle(self) -> bool:
        """No event waits and no stage works."""
        return all(
            self.bus.lag(OBJECTS, self.context.group(name)) == 0 and not r.busy for name, r in self._runners.items()
        )

    def _outcome(self, interrupted: bool) -> Outcome:
        catalogue = self.context.reader.snapshot()
        surveys = self._sweep.survey(catalogue, self.context.units())
        waiting = [f"{name}: {len(s.due)} waiting" for name, s in surveys.items() if s.due]
        waiting += [
            f"{name}: a link or a name that no object can have; rename it" for name in self.store.unusable(PREFIX)
        ]
        waiting += [f"{key}: {fault}; it is left alone" for key, fault in self.context.reader.foreign.items()]
        reason = nothing_to_train_on(catalogue)
        failed = len(standing_failures(self.stages, catalogue))
        stopped = "; ".join(self._broken) or None
        return Outcome(failed, waiting + ([reason] if reason else []), stopped, interrupted and not stopped)
