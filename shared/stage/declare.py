"""What a stage declares: a pure plan, and a reference to its file-to-file function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from shared.area import Area
from shared.items.catalogue import Catalogue, Rule, latest_from_current_inputs
from shared.items.item import Item
from shared.items.landing import LandingUnit
from shared.settings import OwnSettings
from shared.stage.deployment import Deployment
from shared.stage.source import LandingSource, Source

if TYPE_CHECKING:
    from shared.cube import Cube

AFFECTS_RESULT: dict[str, Any] = {"affects_result": True}


class Settings(OwnSettings):
    """Base of each stage's settings: environment variables `LANDSTREAM_<STAGE>_<FIELD>`.

    Fields whose `json_schema_extra` is `AFFECTS_RESULT` enter a job's key; addresses, paths and threads never do.
    """

    def result_bearing(self) -> dict[str, Any]:
        """Return the fields that change a result, as JSON."""
        names = [n for n, f in type(self).model_fields.items() if f.json_schema_extra == AFFECTS_RESULT]
        return self.model_dump(mode="json", include=set(names))


SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass(frozen=True)
class Job:
    """One unit of work, determined by its inputs alone.

    Attributes:
        collection: where the result goes; empty where only the result tells (a landing unit's).
        product: root of the result's id (a scene's product name, a sheet and week, an area and cube state).
        week: `2018-W23`, or `static`.
        inputs: the items it is made of, primary one first; they enter its key and `derived_from`.
        parameters: JSON values that change the result and follow from the plan; they enter its key.
        context: more items it may read, which do not enter its key (the result says nothing of them).
        notes: JSON facts that help to process and, as the context, never enter its key.
        delivery: the landing unit that it is made of.
    """

    collection: str
    product: str
    week: str
    inputs: tuple[Source, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    context: tuple[Source, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    delivery: LandingSource | None = None

    @property
    def sources(self) -> Sequence[Source | LandingSource]:
        """All that it needs as local files: inputs, context, delivery, in this order."""
        return (*self.inputs, *self.context, *((self.delivery,) if self.delivery else ()))

    @property
    def subject(self) -> str:
        """What people call it."""
        return self.delivery.subject if self.delivery else self.product

    @property
    def input_name(self) -> str:
        """What it was made of, for failure records."""
        first: Source | LandingSource | None = next(iter(self.sources), None)
        return first.id if first else self.product


@dataclass(frozen=True)
class LocalItem:
    """An item whose wanted assets lie on the local disk."""

    item: Item
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class LocalUnit:
    """A landing unit on the local disk.

    Attributes:
        unit: as listed.
        path: the file or folder.
    """

    unit: LandingUnit
    path: Path


class Report(Protocol):
    """Hears how far a long job has come."""

    def __call__(
        self, done: int, total: int, of: str = "", *, loss: float | None = None, validation: float | None = None
    ) -> None:
        """Take one report.

        Args:
            done: how far it has come.
            total: of how many.
            of: what is counted: `epochs`; blocks, rows and windows need no name.
            loss: of a training, over the last epoch.
            validation: the same, over pixels that are not trained on.
        """


def report_nothing(
    done: int, total: int, of: str = "", *, loss: float | None = None, validation: float | None = None
) -> None:
    """Ignore the report."""


def keep_nothing(path: Path) -> None:
    """Keep nothing, and remove the file all the same."""
    path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Scratch:
    """What a long job keeps of its way, so that whoever does it after an interruption need not begin anew.

    It lies in the store until the job has its result, and nothing may depend on it: at any time it may be gone, of
    another version, or damaged.

    Attributes:
        kept: the file that was kept last of this very job; None = there is none.
        keep: call with a file below the task's folder that is written and closed, under a name of its own: it takes
            the place of what was kept before, and is gone from the folder some time later.
    """

    kept: Path | None = None
    keep: Callable[[Path], None] = keep_nothing


@dataclass(frozen=True)
class Task(Generic[SettingsT]):
    """What the worker hands to `process`.

    Attributes:
        job: the planned job.
        inputs: as `job.inputs`, with local files.
        context: as `job.context`, with local files.
        delivery: as `job.delivery`, fetched.
        area: the study area.
        settings: the stage's own settings class.
        folder: an empty folder on the store's disk for results and scratch; removed afterwards.
        cube: an open cube where the stage declares one.
        progress: call from long work.
        scratch: what it keeps of its way, where the stage declares `checkpoints`.
    """

    job: Job
    inputs: tuple[LocalItem, ...]
    context: tuple[LocalItem, ...]
    delivery: LocalUnit | None
    area: Area
    settings: SettingsT
    folder: Path
    cube: Cube | None = None
    progress: Report = report_nothing
    scratch: Scratch = Scratch()


@dataclass(frozen=True)
class NewAsset:
    """A local file that becomes an asset; the runner adds href, size and sha256.

    Attributes:
        path: a file below the task's folder.
        media_type: IANA type.
        roles: STAC roles.
        title: one line for people.
        fields: further STAC fields (`proj:`, `raster:`, `classification:classes`).
        beside: name of another asset of the item, of which this one is a sidecar: its key is that asset's key and what
            this file's name has beyond that file's (`.aux.xml`); empty = it has a key of its own.
    """

    path: Path
    media_type: str
    roles: tuple[str, ...] = ("data",)
    title: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    beside: str = ""


@dataclass(frozen=True)
class NewItem:
    """A result. The runner makes the STAC item: id, links, `derived_from`, `processing:` and checksums.

    Attributes:
        geometry: GeoJSON geometry in longitude, latitude (degrees).
        bbox: west, south, east, north in degrees.
        properties: STAC properties. Exactly one of `datetime` and the pair `start_datetime`, `end_datetime`
            (`datetime` null) is set. No wall-clock time of ours.
        assets: name -> file.
        collection, product, week: only where the job left them open (ingest).
        extensions: schema URIs of the STAC extensions used beyond `file` and `processing`.
    """

    geometry: Mapping[str, Any]
    bbox: tuple[float, float, float, float]
    properties: Mapping[str, Any]
    assets: Mapping[str, NewAsset] = field(default_factory=dict)
    collection: str = ""
    product: str = ""
    week: str = ""
    extensions: tuple[str, ...] = ()


class RejectScene(Exception):
    """Raised when this input will never work, as it is wrong, unsafe or outside the area.

    Args:
        file: the file or object at fault, relative to the product.
        fault: what is wrong with it.
        remedy: what to do.
    """

    def __init__(self, file: str, fault: str, remedy: str) -> None:
        super().__init__(f"{file}: {fault}; {remedy}")
        self.file, self.fault, self.remedy = file, fault, remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.file, self.fault, self.remedy)


class BrokenPicture(RejectScene):
    """Raised when a registered product's picture cannot be decoded: another version of its scene is current instead."""


class RetryLater(Exception):
    """Raised when the world is not ready: no attempt is counted, and the sweep brings the job back."""


@dataclass(frozen=True)
class Collection:
    """A collection that a stage publishes.

    Attributes:
        name: collection id.
        title: for people.
        description: one sentence.
        current: whether an item of it is current.
    """

    name: str
    title: str
    description: str
    current: Rule = latest_from_current_inputs


def always_wanted(job: Job, catalogue: Catalogue) -> bool:
    """Return True: what a plan asked for stays wanted while it waits its turn."""
    return True


SourceT = TypeVar("SourceT", Item, LandingUnit)
"""What a stage plans from: an item, or the landing unit of a stage that consumes `landing`."""


@dataclass(frozen=True)
class Stage(Generic[SourceT, SettingsT]):
    """A service's declaration.

    Attributes:
        name: also the folder, the consumer group and the failure prefix.
        version: raised when the same input gives another result.
        consumes: collections (or `landing`) whose arrival concerns this stage.
        publishes: collections of its results.
        plan: (item or landing unit, catalogue, area, settings) -> jobs; pure, no file is opened.
        process: reference (`services.tiler.process:process`) to the function from task to result, local files in, local
            files out; only the worker resolves it, so that planning loads none of its libraries.
        settings: the settings class.
        wanted: (job, catalogue) -> whether it is still wanted; asked of a plan's second job and those after it, each
            of which waits for those before it.
        swept: what the sweep plans from, where that is less than `consumes`: each job is due from these as well.
        incomplete: reference to (landing unit, path in it -> bytes) -> why it is not whole yet, told from its listing
            and its manifest, so that nothing is fetched for nothing while it arrives object by object; None = try it.
        warm_up: reference to what a worker does before its first task, while the stage still waits for one.
        warm_on: collections whose arrival says that work is near, so that the worker is started.
        cube: whether `process` is handed an open cube, and to what end.
        checkpoints: whether `process` keeps something of its way in the store; see `Scratch`.
        grace_s: age after which the sweep hints something due.
        timeout_s: a job is ended after this.
        memory_mb: a worker above this is ended.
        deployment: what its containers and pods are given.
    """

    name: str
    version: int
    consumes: tuple[str, ...]
    publishes: tuple[Collection, ...]
    plan: Callable[[SourceT, Catalogue, Area, SettingsT], list[Job]]
    process: str
    settings: type[SettingsT] = Settings  # type: ignore[assignment]
    wanted: Callable[[Job, Catalogue], bool] = always_wanted
    swept: tuple[str, ...] | None = None
    incomplete: str | None = None
    warm_up: str | None = None
    warm_on: tuple[str, ...] = ()
    cube: Literal["read", "write"] | None = None
    checkpoints: bool = False
    grace_s: float = 30.0
    timeout_s: float = 3600.0
    memory_mb: int = 4096
    deployment: Deployment = field(default_factory=Deployment)


AnyStage = Stage[Any, Any]
"""A stage whose source and settings are its own."""


def published(stage: AnyStage) -> tuple[str, ...]:
    """Return the names of the collections that a stage publishes."""
    return tuple(c.name for c in stage.publishes)
