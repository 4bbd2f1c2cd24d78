"""The runner: the only place that fetches inputs, uploads artifacts, creates items, retries and records failures."""

from __future__ import annotations

import hashlib
import random
import shutil
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from shared.bus import DEAD_LETTER, OBJECTS, BusUnavailable, Message
from shared.events import BadEvent, OtherEvent, parse
from shared.items.catalogue import Catalogue
from shared.items.item import BadItem, Item
from shared.items.keys import (
    BadKey,
    LandingUnit,
    artifact_key,
    canonical,
    digest8,
    failure_key,
    item_key,
    make_id,
    receipt_key,
    split_item_key,
    unit_keys,
)
from shared.items.landing import PREFIX
from shared.items.stac import asset_href, asset_key, make_item, multihash, sha256_of
from shared.observe.failpoint import failpoint
from shared.observe.logs import get_logger
from shared.observe.metrics import EVENTS, JOB_SECONDS, JOBS, RETRIES
from shared.run.child import Cancelled, Child, Stopped
from shared.run.context import Context
from shared.run.failure import MAX_TEXT as MAX_DEAD_LETTER
from shared.run.failure import make_record
from shared.run.wire import decode_result, encode_task
from shared.stage.declare import Job, NewItem, RejectScene, Source, Stage
from shared.stage.due import LANDING, is_done, is_failed, job_id, output_id
from shared.stage.registry import resolve
from shared.store import NotFound, PreconditionFailed, StoreUnavailable

STORE_AWAY_S = 5.0
"""Pause before a message is tried again whose work the store's absence ended."""

UNEXPECTED_IN_A_ROW = 10
"""After so many failures in a row of one unexpected class the stage stops: a bad deploy is no bad scene."""


class StageStopped(Exception):
    """Raised when a stage met one unexpected error too often in a row."""


class Runner:
    """Runs one stage: events in, items out.

    Args:
        stage: the stage.
        module: the module that holds it as `STAGE`, for the worker.
        context: what it works in.
        later: where the jobs that said "later" are noted, with the catalogue that they saw (None: whatever it says);
            nowhere where not given, as a service that runs for months would not forget them.
    """

    def __init__(
        self, stage: Stage, module: str, context: Context, later: dict[str, Catalogue | None] | None = None
    ) -> None:
        self.stage, self.context = stage, context
        self.settings = stage.settings()
        self._later = later
        self.busy = False
        self._wanted: Callable[[], bool] = lambda: True
        log = context.logs / f"{stage.name}.log" if context.logs else None
        self.child = Child(stage, module, context.stop, log, context.work, context.grace_s)
        self._log = get_logger(stage=stage.name)
        self._in_a_row: tuple[str, int] = ("", 0)

    def run(self) -> None:
        """Consume events until told to stop.

        Raises:
            StageStopped: one unexpected error came too often in a row.
            Fenced: another process took this one's place.
            ConsumerBroken: its membership cannot go on.
        """
        consumer = self.context.bus.subscribe(OBJECTS, self.context.group(self.stage.name))
        if self.stage.warm_up is not None:
            self.child.start()
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
        """Handle a message; while the store is away, wait and try again: that is no fault of a job."""
        while True:
            try:
                self.handle(message)
                return
            except StoreUnavailable as error:
                self._log.warning("the store is away", error=str(error))
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
            if LANDING in self.stage.consumes:  # one service answers for all, or each would
                self._set_aside(message, error)
            return
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

    def work_on(self, source: Item | LandingUnit) -> None:
        """Do every due job that the stage plans for an item or a landing unit.

        Raises:
            Stopped: told to stop before the end.
        """
        if isinstance(source, LandingUnit) and (fault := self._missing(source)):
            name = job_id(self.stage, Job("", "", "", unit=source), self.settings)
            self._note_later(name, None)
            self._log.debug("later", job=name, reason=fault)
            return
        for n, job in enumerate(self._plan(source)):
            if self.context.stop.is_set():
                raise Stopped
            # A newer model or a higher baseline may have come while the jobs before were done.
            if n == 0 or job_id(self.stage, job, self.settings) in self._names(source):
                self._do(job)

    def _names(self, source: Item | LandingUnit) -> set[str]:
        return {job_id(self.stage, job, self.settings) for job in self._plan(source)}

    def _source(self, key: str) -> Item | LandingUnit | None:
        """The item or landing unit of a key, if it concerns this stage and is still there."""
        if key.startswith(PREFIX) and LANDING in self.stage.consumes:
            name = key.removeprefix(PREFIX).split("/")[0]
            units = self.context.units(PREFIX + name)
            return next((u for u in units if u.name == name), None)
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

    def _plan(self, source: Item | LandingUnit) -> list[Job]:
        return self.stage.plan(source, self.context.reader.snapshot(), self.context.area, self.settings)

    def _do(self, job: Job) -> None:
        """Do one job unless it is done or failed already; it ends in an item, a failure record or a later hint."""
        name = job_id(self.stage, job, self.settings)
        catalogue = self.context.reader.snapshot()
        if is_done(self.stage, job, self.settings, catalogue):
            return
        if is_failed(self.stage, job, self.settings, catalogue):
            self._write_receipt(job, {"failure": failure_key(self.stage.name, name)})
            return
        failpoint("runner.planned")
        subject = job.unit.name if job.unit else job.product
        self.context.observer(self.stage.name, "start", subject, 0, 0)
        started = time.monotonic()
        answer: dict[str, Any] = {}
        for attempt in range(1, self.context.attempts + 1):
            answer = self._attempt(job)
            if answer["kind"] != "error":
                break
            # A worker knows no store: what it says of a cube that it cannot reach may be the store's fault.
            self.context.store.reach()
            self._log.warning("attempt failed", job=name, attempt=attempt, error=answer["message"])
            if attempt < self.context.attempts:
                RETRIES.labels(self.stage.name).inc()
                pause = self.context.back_off_s * 2 ** (attempt - 1) * random.uniform(0.5, 1)
                if self.context.stop.wait(pause):
                    raise Stopped
        outcome = self._end(job, name, attempt, answer)
        JOBS.labels(self.stage.name, outcome).inc()
        if outcome == "done":
            JOB_SECONDS.labels(self.stage.name).observe(time.monotonic() - started)
        self.context.observer(self.stage.name, outcome, subject, 0, 0)

    def _end(self, job: Job, name: str, attempts: int, answer: dict[str, Any]) -> str:
        if self._later is not None:
            self._later.pop(name, None)
        if answer["kind"] in ("done", "absorbed"):
            self._in_a_row = ("", 0)
            return str(answer["kind"])
        if answer["kind"] == "later":
            self._note_later(name, self.context.reader.snapshot())
            self._log.info("later", job=name, reason=answer["message"])
            return "later"
        key = failure_key(self.stage.name, name)
        self._create(key, make_record(self.stage, job, name, attempts, answer))
        failpoint("runner.failure_recorded")
        self._write_receipt(job, {"failure": key})
        self._log.error("failed", job=name, error=answer["message"], error_class=answer["class"])
        self._count_unexpected(answer)
        return "failed"

    def _note_later(self, name: str, seen: Catalogue | None) -> None:
        if self._later is not None:
            self._later[name] = seen

    def _count_unexpected(self, answer: dict[str, Any]) -> None:
        if answer["kind"] == "reject":
            self._in_a_row = ("", 0)
            return
        class_, count = self._in_a_row
        count = count + 1 if class_ == answer["class"] else 1
        self._in_a_row = (answer["class"], count)
        if count >= UNEXPECTED_IN_A_ROW:
            raise StageStopped(
                f"{self.stage.name}: {count} failures in a row of {answer['class']} ({answer['message']}); "
                "mend the stage, then requeue its failure records"
            )

    def _missing(self, unit: LandingUnit) -> str | None:
        """Why a landing unit is not whole yet, as far as its listing tells; nothing large is fetched for it.

        A product arrives object by object, and each gives an event: this is all that most of them cost.
        """
        if self.stage.incomplete is None or time.time() - unit.modified_s >= unit.patience_s:
            return None
        keys = {relative: key for key, relative in unit_keys(unit)}
        try:
            why: str | None = resolve(self.stage.incomplete)(unit, lambda path: self.context.store.get(keys[path]))
            return why
        except NotFound as error:
            return f"object {error} is not there"

    def _attempt(self, job: Job) -> dict[str, Any]:
        """Fetch, process, upload and commit once."""
        folder = self.context.work / uuid.uuid4().hex
        (folder / "out").mkdir(parents=True)
        try:
            inputs = [self._fetch(s, folder / f"in{n}") for n, s in enumerate(job.inputs)]
            context = [self._fetch(s, folder / f"context{n}") for n, s in enumerate(job.context)]
            unit_path = self._fetch_unit(job.unit, folder / "unit") if job.unit else None
            failpoint("runner.fetched")
            cube = self.context.cube if self.stage.cube else None
            task = encode_task(job, inputs, context, unit_path, self.context.area, folder / "out", cube)
            subject = job.unit.name if job.unit else job.product
            answer = self.child.run(
                task,
                lambda done, total: self.context.observer(self.stage.name, "progress", subject, done, total),
                self._tick,
            )
            if answer["kind"] == "done":
                result = decode_result(answer["result"])
                return {"kind": "done" if self._commit(job, result, folder / "out") else "absorbed"}
            return answer
        except (Stopped, Cancelled, StoreUnavailable):
            raise
        except RejectScene as error:
            place = {"file": error.file, "fault": error.fault, "remedy": error.remedy}
            return {**_error(error), "kind": "reject", **place}
        except Exception as error:
            if isinstance(error, NotFound) and job.unit:  # the unit was taken away while it was fetched
                return {"kind": "later", "class": "NotFound", "message": f"object {error} is not there"}
            return _error(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fetch(self, source: Source, folder: Path) -> dict[str, Path]:
        folder.mkdir()
        names = source.item.assets if source.assets is None else source.assets
        paths = {}
        for name in names:
            key = asset_key(source.item, name)
            # The suffix is kept: GDAL's drivers and people go by it.
            path = folder / f"{name}{_suffix(key)}"
            self.context.store.fetch(key, path, sha256_of(source.item.assets[name]))
            paths[name] = path
        return paths

    def _fetch_unit(self, unit: LandingUnit, folder: Path) -> Path:
        """Fetch a landing unit to a folder.

        Raises:
            RejectScene: an object of it is another's folder, which some stores can hold and no disk can.
        """
        try:
            for key, relative in unit_keys(unit):
                self.context.store.fetch(key, folder / unit.name / relative if relative else folder / unit.name)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            fault = "is an object and also the folder of others"
            raise RejectScene(key, fault, "take one of them away and deliver the product again") from error
        return folder / unit.name

    def _commit(self, job: Job, result: NewItem, folder: Path) -> bool:
        """Upload the artifacts, then create the item; False if it was there already."""
        collection = job.collection or result.collection
        product, week = job.product or result.product, job.week or result.week
        digests = {name: _sha256(folder, asset.path) for name, asset in result.assets.items()}
        if job.unit:
            digest = digest8([self.stage.name, sorted(digests.items()), self.settings.result_bearing()])
            item_id = make_id(product, self.stage.version, digest)
        else:
            item_id = output_id(self.stage, job, self.settings)
        assets = {}
        for name, asset in result.assets.items():
            key = artifact_key(collection, week, item_id, name, digests[name], _suffix(asset.path.name))
            with suppress(PreconditionFailed):  # the same content: its key says so
                self.context.store.put(key, asset.path, create_only=True)
            failpoint("runner.artifact_uploaded")
            assets[name] = {
                "href": asset_href(collection, week, item_id, key),
                "type": asset.media_type,
                "roles": list(asset.roles),
                **({"title": asset.title} if asset.title else {}),
                "file:size": asset.path.stat().st_size,
                "file:checksum": multihash(digests[name]),
                **asset.fields,
            }
        item = make_item(
            collection=collection,
            week=week,
            item_id=item_id,
            geometry=result.geometry,
            bbox=result.bbox,
            properties=result.properties,
            assets=assets,
            inputs=[s.item for s in job.inputs],
            stage=self.stage.name,
            stage_version=self.stage.version,
            extensions=result.extensions,
        )
        key = item_key(collection, week, item_id)
        failpoint("runner.before_item")
        created = self._create(key, canonical(item))
        failpoint("runner.after_item")
        self._write_receipt(job, {"item": key})
        return created

    def _create(self, key: str, data: bytes) -> bool:
        """Create an object; False if somebody else did, whose content stands."""
        try:
            self.context.store.put(key, data, create_only=True)
        except PreconditionFailed:
            if self.context.store.get(key) != data:
                self._log.warning("another result stands", key=key)
            return False
        return True

    def _write_receipt(self, job: Job, outcome: dict[str, str]) -> None:
        if job.unit:
            record = {"unit": job.unit.name, **outcome}
            self._create(receipt_key(job.unit.receipt_id), canonical(record))


def _suffix(name: str) -> str:
    """The suffix of a file's name, `.gdb.zip` and `.tar.gz` whole."""
    suffixes = Path(name).suffixes[-2:]
    known = "".join(suffixes) if len(suffixes) == 2 and suffixes[0] in {".gdb", ".tar"} else "".join(suffixes[-1:])
    return known if len(known) <= 16 else ""


def _sha256(folder: Path, path: Path) -> str:
    """sha256 of a result's file.

    Raises:
        ValueError: the file is not below the task's folder.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{path} is not below the task's folder")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _error(error: Exception) -> dict[str, Any]:
    return {
        "kind": "error",
        "class": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }
