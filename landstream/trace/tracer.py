"""Find out the way of scenes from the catalogue, the stages' plans and the failure records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from landstream.report import moment
from landstream.result import map_result
from landstream.trace.story import Step, Story, describe, place_of
from landstream.trace.subject import Subject
from services.ingest.names import SafeName, parse_label, parse_product
from shared.items.catalogue import Catalogue
from shared.items.champion import champion
from shared.items.collections import MAPS, SCENES, UPDATES
from shared.items.item import Item
from shared.items.keys import dismissal_key, failure_key, items_prefix
from shared.items.labels import DELIVERIES, label_winner
from shared.items.landing import PREFIX, LandingUnit
from shared.items.properties import WithdrawalFacts
from shared.items.scenes import current_of_scene, is_withdrawn, last_word
from shared.items.tiles import MSI, touches
from shared.run.context import Context
from shared.run.failure import BadRecord, parse_record
from shared.run.landed import why_incomplete
from shared.stage import registry
from shared.stage.declare import AnyStage, published
from shared.stage.due import LANDING, DueJob, JobSource, State, plan_jobs
from shared.store import NotFound

MOST_WEEKS = 12
"""Weeks that are named one by one."""


class Tracer:
    """Tells the ways of scenes; reads the weeks that they lie in, and no other.

    Args:
        context: the store and its catalogue.
    """

    def __init__(self, context: Context) -> None:
        self._context, self._store = context, context.store
        self._catalogue: Catalogue = context.reader.snapshot()
        self._stages = registry.all_stages()
        self._settings = {stage.name: stage.settings() for stage in self._stages}

    def stories(self, subject: Subject) -> Iterator[Story]:
        """Yield the story of each scene that is asked for: those registered, then those that only lie in `landing/`."""
        registered = set[str]()
        for week in self._weeks(subject):
            week_maps = _WeekMaps(self._catalogue, week)
            for collection in (*SCENES, *DELIVERIES):
                for item, arrived in self._items(collection, week, subject):
                    registered.add(item.product)
                    yield self._of_item(item, arrived, week_maps)
            self._catalogue.let_go(week)
        for name in sorted(self._store.children(PREFIX)):
            parsed = parse_product(name)
            product = parsed.product if parsed else parse_label(name).product
            again = product in registered
            if subject.names(product) and (not again or subject.product) and (unit := self._context.unit(name)):
                story = self._of_unit(unit, product)
                registered.add(product)
                if not (again and all(step.state == "done" for step in story.steps)):
                    yield story
        if subject.product not in registered and is_withdrawn(subject.product, self._catalogue):
            withdrawn = Step("", "ended", self._why_withdrawn(subject.product))
            yield Story(subject.product, subject.week, "", "", [withdrawn])

    def nothing(self, subject: Subject) -> str:
        """Say that there is no story of what is asked for, and what there is instead."""
        if subject.product:
            fault = "no product of this name is registered or in landing/"
            return f"{subject.text}: {fault}; a week is given as 2018-W23, a tile as T34TGR"
        what = "tile" if subject.tile else "week"
        known = sorted({week for collection in SCENES for week in self._catalogue.weeks(collection)})
        if not known:
            return f"{subject.text}: no scene of this {what} is registered or in landing/; none is registered at all"
        weeks = (
            known[0]
            if len(known) == 1
            else f"{known[0]} to {known[-1]}"
            if len(known) > MOST_WEEKS
            else ", ".join(known)
        )
        return f"{subject.text}: no scene of this {what} is registered or in landing/; there are scenes of {weeks}"

    def _weeks(self, subject: Subject) -> list[str]:
        if subject.week:
            return [subject.week]
        named = f"_{subject.tile}_"
        weeks = {(c, week) for c in SCENES for week in self._catalogue.weeks(c)}
        return sorted({week for c, week in weeks if any(named in i for i in self._catalogue.ids(c, week))})

    def _items(self, collection: str, week: str, subject: Subject) -> list[tuple[Item, float]]:
        """Return the item of each product that is asked for, the current one if there is one, and when it appeared."""
        catalogue = self._catalogue
        if week not in catalogue.weeks(collection):
            return []
        made = {o.key: o.modified_s for o in self._store.list(items_prefix(collection, week))}
        products = sorted({i.rpartition("--v")[0] for i in catalogue.ids(collection, week)})
        found = []
        for product in filter(subject.names, products):
            items = catalogue.of_product(collection, product, week)
            if items:
                item = max(items, key=lambda i: (catalogue.is_current(i), i.stage_version, i.id))
                found.append((item, made.get(item.key, 0.0)))
        return found

    def _of_item(self, item: Item, arrived_s: float, week_maps: _WeekMaps) -> Story:
        story = Story(item.product, item.week, place_of(item), moment(arrived_s))
        story.steps.append(Step("ingest", "done", "registered"))
        if self._catalogue.is_current(item):
            self._follow(item, story, week_maps)
        else:
            story.steps.append(Step("", "ended", self._why_outdated(item)))
        return story

    def _why_outdated(self, item: Item) -> str:
        if is_withdrawn(item.product, self._catalogue):
            return self._why_withdrawn(item.product)
        if item.collection not in SCENES:
            return "a newer delivery is used"
        broken = "its picture cannot be decoded, " if self._catalogue.is_broken(item) else ""
        others = (self._catalogue.find(item.collection, i, item.week) for i in current_of_scene(item, self._catalogue))
        return f"{broken}superseded by {', '.join(sorted({o.product for o in others if o is not None}))}"

    def _why_withdrawn(self, product: str) -> str:
        word = last_word(product, self._catalogue)
        reason = WithdrawalFacts.of(word).reason if word else None
        return f"withdrawn{f' ({reason})' if reason else ''}; `landstream restore PRODUCT --reason WHY` takes it back"

    def _follow(self, item: Item, story: Story, week_maps: _WeekMaps) -> None:
        """Add what the stages made of an item, and of that in turn."""
        if item.collection == UPDATES:
            self._add_maps(item, story, week_maps)
        elif not any(self._add_jobs(stage, item, story, week_maps) for stage in self._consumers(item)):
            self._add_end(item, story)

    def _consumers(self, item: Item) -> list[AnyStage]:
        return [stage for stage in self._stages if item.collection in stage.consumes]

    def _add_jobs(self, stage: AnyStage, item: Item, story: Story, week_maps: _WeekMaps) -> bool:
        """Add the jobs that a stage plans for an item; return whether there are any."""
        jobs = self._jobs(stage, item)
        for due in jobs:
            made = self._output(due) if due.state is State.DONE else None
            done = made and Step(stage.name, "done", describe(made), made.collection)
            story.steps.append(done or self._open_step(stage, due))
            if made is not None and self._catalogue.is_current(made):
                self._follow(made, story, week_maps)
        return bool(jobs)

    def _jobs(self, stage: AnyStage, source: JobSource) -> list[DueJob]:
        return plan_jobs(stage, source, self._catalogue, self._settings[stage.name])

    def _output(self, due: DueJob) -> Item | None:
        digest = due.id.rpartition("--")[2]
        made = self._catalogue.of_product(due.job.collection, due.job.product, due.job.week)
        return max((i for i in made if i.digest == digest), key=lambda i: i.stage_version, default=None)

    def _open_step(self, stage: AnyStage, due: DueJob) -> Step:
        if due.state is not State.FAILED:
            lacks = self._what_lacks(stage, due.source) if isinstance(due.source, LandingUnit) else None
            said = f"arriving: {lacks}" if lacks else f"waiting for {stage.name}"
            return Step(stage.name, "waiting", said)
        key = failure_key(stage.name, due.id)
        try:
            record = parse_record(self._store.get(key), key)
            said = f"{record.get('file')}: {record.get('fault')}; {record.get('remedy')}"
        except (NotFound, BadRecord) as error:
            said = f"its record {key} cannot be read ({error})"
        dismissed = " (dismissed)" if self._store.exists(dismissal_key(stage.name, due.id)) else ""
        return Step(stage.name, "failed", said + dismissed)

    def _what_lacks(self, stage: AnyStage, unit: LandingUnit) -> str | None:
        """Return why a landing unit is not whole; None where it is, or where what tells it is not installed here."""
        try:
            return why_incomplete(stage, unit, self._store)
        except ModuleNotFoundError:
            return None

    def _add_end(self, item: Item, story: Story) -> None:
        """Say why nothing is made of a scene of another level or sensor, or of labels that others outdo."""
        area, level = self._context.area, item.properties.get("landstream:level")
        if item.collection in DELIVERIES:
            winner = label_winner(self._catalogue)
            why = f"not burned: {f'{winner.product} is used' if winner else 'they are not of the label scheme'}"
        elif level not in (None, area.level):
            why = f"not in the cube: its level is {level}, the area's is {area.level}"
        elif item.collection in SCENES:
            why = f"not in the cube: the area's sensors are {', '.join(area.sensors)}"
        else:
            return
        story.steps.append(Step("", "ended", why))

    def _add_maps(self, update: Item, story: Story, week_maps: _WeekMaps) -> None:
        if not touches(update, MSI):
            if update.properties.get("landstream:sensor") == MSI:
                story.steps.append(Step("", "ended", "no map"))
            return
        shown = [map_result(self._store, item) for item in week_maps.of(update)]
        models = [str(item.properties["landstream:model"]) for item in week_maps.of(update)]
        story.maps += [{"sheet": m.sheet, "model": b, "path": m.path} for m, b in zip(shown, models, strict=True)]
        if shown:
            story.steps.append(Step("", "done", f"{len(shown)} map{'s' if len(shown) > 1 else ''}"))
        for stage in self._consumers(update):
            if MAPS in published(stage):
                jobs = self._jobs(stage, update)
                story.steps += [self._open_step(stage, due) for due in jobs if due.state is not State.DONE]
        if champion(self._catalogue) is None:
            story.steps.append(Step("trainer", "waiting", "no map before a model is trained and promoted"))

    def _of_unit(self, unit: LandingUnit, product: str) -> Story:
        """Return the story of what lies in `landing/`."""
        parsed = parse_product(unit.name)
        place = parsed.mgrs_tile if isinstance(parsed, SafeName) else ""
        story = Story(product, "", place or f"landing/{unit.name}", moment(unit.modified_s))
        for stage in self._stages:
            for due in self._jobs(stage, unit) if LANDING in stage.consumes else ():
                done = Step(stage.name, "done", "registered under another name")
                story.steps.append(done if due.state is State.DONE else self._open_step(stage, due))
        return story


class _WeekMaps:
    """The current maps of a week by the update that they show; read when they are asked for."""

    def __init__(self, catalogue: Catalogue, week: str) -> None:
        self._catalogue, self._week = catalogue, week

    def of(self, update: Item) -> Sequence[Item]:
        return self._by_update.get(update.id, ())

    @cached_property
    def _by_update(self) -> Mapping[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        maps = self._catalogue.current(MAPS, self._week) if self._week in self._catalogue.weeks(MAPS) else []
        for item in maps:
            for collection, item_id in item.derived_from:
                if collection == UPDATES:
                    found.setdefault(item_id, []).append(item)
        return found
