"""The runner of a stage: events in, items out; the only place that retries and records failures."""

from __future__ import annotations

import random
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import assert_never

from shared.bus import DEAD_LETTER, OBJECTS, BusUnavailable, Message
from shared.events import BadEvent, OtherEvent, parse
from shared.items.ids import canonical
from shared.items.item import BadItem, Item
from shared.items.keys import ITEMS, failure_key, split_item_key
from shared.items.landing import PREFIX, LandingUnit
from shared.items.weeks import BadKey
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.observe.metrics import EVENTS, JOB_SECONDS, JOBS, RETRIES
from shared.run.child import Cancelled, Child, Stopped
from shared.run.commit import Committer, FileId, file_id
from shared.run.context import Context
from shared.run.failure import MAX_TEXT as MAX_DEAD_LETTER
from shared.run.failure import make_record
from shared.run.landed import why_incomplete
from shared.run.outcome import Absorbed, Answer, Done, Failed, Failure, Later, NoSpace, Outcome, Rejected, outcome_of
from shared.run.progress import JobProgress
from shared.run.scratch import ScratchSpace
from shared.run.wire import TaskMessage
from shared.stage.declare import AnyStage, Job
from shared.stage.due import LANDING, DueJob, JobSource, State, examine, plan_jobs
from shared.stage.source import LandingSource, Unfetchable
from shared.store import NotFound, ObjectInfo, StoreFull, StoreUnavailable
from shared.store.space import full, require_free, room

STORE_AWAY_S = 5.0
"""Pause before a message is tried again after the store's absence ended its job."""

UNEXPECTED_IN_A_ROW = 10
"""After so many failures of one unexpected class in a row the stage stops: a bad deploy is not a bad scene."""


class StageStopped(Exception):
    """Raised when a stage met one unexpected error too often in a row."""


class Runner:
    """Runs one stage.

    Args:
        stage: the stage.
        module: the module that holds it as `STAGE`, for the worker.
        context: what it works in.
        on_later: called with the id of each job that has to wait, before the world is looked at again.
    """

    def __init__(
        self, stage: AnyStage, module: str, context: Context, on_later: Callable[[str], None] = lambda job: None
    ) -> None:
        self.stage, self.context = stage, context
        self.settings = stage.settings()
        self._on_later = on_later
        self.busy = False
        self._wanted: Callable[[], bool] = lambda: True
        log = context.logs / f"{stage.name}.log" if context.logs else None
        self.child = Child(stage, module, context.stop, log, context.work, context.grace_s)
        self._committer = Committer(stage, self.settings, context.store)
        self._scratch = ScratchSpace(stage, context.store)
        self._log = get_logger(stage=stage.name)
        self._in_a_row: tuple[str, int] = ("", 0)

    def run(self) -> None:
        """Consume events until told to stop.

        Raises:
            StageStopped: one unexpected error came too often in a row.
            Fenced: another process took this one's place.
            ConsumerBroken: its membership cannot continue.
        """
        consumer = self.context.bus.subscribe(OBJECTS, self.context.group(self.stage.name))
        try:
            while not self.context.stop.is_set():
                self._tick()
                message = consumer.poll(0.5)
                if message is None:
                    continue
                self.busy = True
                self._wanted = partial(consumer.holds, message)
                try:
                    self._see_through(message)
                    failpoint("runner.before_ack")
                    consumer.ack(message)
                except Cancelled:
                    JOBS.labels(self.stage.name, "cancelled").inc()
                    self._log.warning("another member has this message's partition: its work is discarded")
                finally:
                    self.busy = False
        except Stopped:
            self._log.info("gave back a job")
        finally:
            consumer.close()
            self.child.close()

    def _tick(self) -> bool:
        self.context.health.tick(self.stage.name)
        return self._wanted()

    def _see_through(self, message: Message) -> None:
        """Handle a message; while the store is away, wait and try again: that is not a fault of a job."""
        while True:
            try:
                with room(self.context.disk):
                    self.handle(message)
                return
            except StoreUnavailable as error:
                self._log.warning("the store is away", error=str(error))
                if isinstance(error, StoreFull):
                    self.context.when_full(error)
                deadline = time.monotonic() + STORE_AWAY_S * random.uniform(0.5, 1)
                while time.monotonic() < deadline:
                    if not self._tick():
                        raise Cancelled from error
                    if self.context.stop.wait(0.5):
                        raise Stopped from error

    def handle(self, message: Message) -> None:
        """Do every due job that an event's object leads to."""
        try:
            created = parse(message.value, self.context.keys)
        except OtherEvent:
            EVENTS.labels(self.stage.name, "other").inc()
            return
        except BadEvent as error:
            EVENTS.labels(self.stage.name, "malformed").inc()
            self._log.warning("event not understood", error=str(error))
            if LANDING in self.stage.consumes:  # one service records it for all, or each would
                self._set_aside(message, error)
            return
        if created.key.startswith(tuple(f"{ITEMS}{collection}/" for collection in self.stage.warm_on)):
            self.child.start()  # before long there is work, and its libraries take seconds to load
        source = self._source(created.key) if created.bucket == self.context.store.bucket else None
        EVENTS.labels(self.stage.name, "own" if source else "foreign").inc()
        if source is not None:
            self.work_on(source)

    def _set_aside(self, message: Message, error: BadEvent) -> None:
        place = f"{message.topic}/{message.partition}/{message.offset}"
        text = message.value[:MAX_DEAD_LETTER].decode("utf-8", "backslashreplace")
        try:
            self.context.bus.publish(
                DEAD_LETTER, place, canonical({"from": place, "reason": str(error), "message": text})
            )
        except BusUnavailable as lost:
            self._log.warning("dead letter not stored", place=place, error=str(lost))

    def _source(self, key: str) -> JobSource | None:
        """Return the item or landing unit of a key, if it concerns this stage and is still there."""
        if key.startswith(PREFIX) and LANDING in self.stage.consumes:
            return self.context.unit(key.removeprefix(PREFIX).split("/")[0])
        try:
            collection, week, _ = split_item_key(key)
        except BadKey:
            return None
        if collection not in self.stage.consumes:
            return None
        try:
            return Item.parse(self.context.store.get(key), week)
        except NotFound:
            return None
        except BadItem as error:
            self._log.warning("left alone", key=key, error=str(error))
            return None

    def work_on(self, source: JobSource) -> None:
        """Do every due job that the stage plans for an item or a landing unit.

        The source is planned once. What may have changed while earlier jobs were done is whether a later one is still
        wanted: a newer model or a higher baseline may have come.

        Raises:
            Stopped: told to stop before the end.
        """
        if isinstance(source, LandingUnit) and (fault := self._why_incomplete(source)):
            name = LandingSource(source).job_id
            self._on_later(name)
            self.context.observer(self.stage.name, "later", source.name, note=fault)
            self._log.debug("later", product=source.name, job=name, reason=fault)
            return
        catalogue = self.context.reader.snapshot()
        for n, due in enumerate(plan_jobs(self.stage, source, catalogue, self.settings)):
            if self.context.stop.is_set():
                raise Stopped
            if n > 0:
                catalogue = self.context.reader.snapshot()
                if not self.stage.wanted(due.job, catalogue):
                    continue
                due = examine(self.stage, source, due.job, self.settings, catalogue)
            self._do(due)

    def _why_incomplete(self, unit: LandingUnit) -> str | None:
        """Return why a landing unit is to be waited for; None = it is whole, or was waited for long enough."""
        if time.time() - unit.modified_s >= unit.patience_s:
            return None
        return why_incomplete(self.stage, unit, self.context.store)

    def _do(self, due: DueJob) -> None:
        """Do one job unless it is done or failed already; it ends in an item, a failure record or a later hint."""
        if due.state is State.DONE:
            return
        if due.state is State.FAILED:
            self._committer.write_receipt(due.job, {"failure": failure_key(self.stage.name, due.id)})
            return
        failpoint("runner.planned")
        subject = due.job.subject
        self.context.observer(self.stage.name, "start", subject)
        started = time.monotonic()
        attempts, outcome = self._try(due)
        state = self._end(due, attempts, outcome)
        if not isinstance(outcome, Later):
            self._scratch.clear(due.id)
        JOBS.labels(self.stage.name, state).inc()
        if isinstance(outcome, Done):
            JOB_SECONDS.labels(self.stage.name).observe(time.monotonic() - started)
        reason = _why(outcome)
        self.context.observer(self.stage.name, state, subject, note=reason)
        if isinstance(outcome, Failed | Rejected):
            self._count_unexpected(outcome)

    def _try(self, due: DueJob) -> tuple[int, Outcome]:
        """Attempt a job until it ends as expected or has failed too often; return (attempts, the last outcome)."""
        for attempt in range(1, self.context.attempts + 1):
            outcome = self._attempt(due)
            if not isinstance(outcome, Failed):
                break
            # A worker knows no store: what it says of a cube that it cannot reach may be the store's fault.
            self.context.store.reach()
            self._log.warning(
                "attempt failed", product=due.job.subject, job=due.id, attempt=attempt, error=outcome.message
            )
            if attempt < self.context.attempts:
                RETRIES.labels(self.stage.name).inc()
                pause = self.context.back_off_s * 2 ** (attempt - 1) * random.uniform(0.5, 1)
                if self.context.stop.wait(pause):
                    raise Stopped
        return attempt, outcome

    def _end(self, due: DueJob, attempts: int, outcome: Outcome) -> str:
        """Record how a job ended; return its state for metrics and observers."""
        match outcome:
            case Done() | Absorbed():
                self._in_a_row = ("", 0)
                self._log.info(outcome.kind, product=due.job.subject, job=due.id)
                return outcome.kind
            case Later():
                self._on_later(due.id)
                self._log.info("later", product=due.job.subject, job=due.id, reason=outcome.reason)
                return "later"
            case Rejected() | Failed():
                key = failure_key(self.stage.name, due.id)
                self._committer.create(key, make_record(self.stage, due.job, due.id, attempts, outcome))
                failpoint("runner.failure_recorded")
                self._committer.write_receipt(due.job, {"failure": key})
                self._log.error(
                    "failed",
                    product=due.job.subject,
                    job=due.id,
                    error=outcome.message,
                    error_class=outcome.error_class,
                )
                return "failed"
            case _:
                assert_never(outcome)

    def _count_unexpected(self, failure: Failure) -> None:
        if isinstance(failure, Rejected):
            self._in_a_row = ("", 0)
            return
        name, count = self._in_a_row
        count = count + 1 if name == failure.error_class else 1
        self._in_a_row = (failure.error_class, count)
        if count >= UNEXPECTED_IN_A_ROW:
            raise StageStopped(
                f"{self.stage.name}: {count} failures in a row of {failure.error_class} ({failure.message}); "
                "mend the stage, then requeue its failure records"
            )

    def _attempt(self, due: DueJob) -> Outcome:
        """Fetch, process, upload and commit once.

        Raises:
            StoreFull: the disk is full or read-only.
        """
        folder = self.context.work / uuid.uuid4().hex
        needed = sum(source.size for source in due.job.sources)
        (folder / "out").mkdir(parents=True)
        try:
            outcome = self._work_in(folder, due)
            if isinstance(outcome, NoSpace):
                raise full(self.context.disk, outcome.fault, needed)
            if isinstance(outcome, Failed):
                # Not every library says why it cannot write, but no job can be done with less room than its input.
                require_free(self.context.disk, needed)
            return outcome
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _work_in(self, folder: Path, due: DueJob) -> Answer | Absorbed:
        job = due.job
        progress = JobProgress(self.stage.name, job.subject, due.id, self.context.observer)
        try:
            task, fetched = self._fetch(job, folder)
            task = replace(task, kept=self._scratch.fetch(due.id, folder / "kept"))
            failpoint("runner.fetched")
            answer = self.child.run(task, progress.take, self._tick, partial(self._scratch.keep, due.id, task.folder))
            if isinstance(answer, Failed):
                self._scratch.clear(due.id)  # the error may be of what was taken up: the next attempt begins anew
            if isinstance(answer, Done):
                committed = self._committer.commit(job, due.output_id, answer.result, folder / "out", fetched)
                return answer if committed else Absorbed()
            return answer
        except (Stopped, Cancelled, StoreUnavailable):
            raise
        except Unfetchable as error:
            fault, remedy = "is an object and also the folder of others", "take one of them away and deliver it again"
            return Rejected(error.key, fault, remedy)
        except Exception as error:
            if isinstance(error, NotFound) and not due.output_id:  # the unit was taken away while it was fetched
                return Later(f"object {error} is not there")
            return outcome_of(error)
        finally:
            progress.close()

    def _fetch(self, job: Job, folder: Path) -> tuple[TaskMessage, dict[FileId, ObjectInfo]]:
        fetched: dict[FileId, ObjectInfo] = {}

        def fetch(key: str, path: Path, sha256: str | None = None) -> ObjectInfo:
            found = self.context.store.fetch(key, path, sha256)
            fetched[file_id(path)] = found
            return found

        paths = tuple(source.fetch(fetch, folder / f"in{n}") for n, source in enumerate(job.sources))
        cube = self.context.cube if self.stage.cube else None
        return TaskMessage(job, paths, self.context.area, folder / "out", cube), fetched


def _why(outcome: Outcome) -> str:
    """Return why a job did not end in a result, for people."""
    match outcome:
        case Rejected() | Failed():
            return outcome.message
        case Later():
            return outcome.reason
        case _:
            return ""
