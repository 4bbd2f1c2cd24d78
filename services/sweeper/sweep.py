"""Look at what is due, week after week: an event is a hint, the sweep is the truth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from services.sweeper.ends import ListedEnds
from services.sweeper.hints import Hints
from services.sweeper.view import Count, View, open_job
from services.sweeper.week_cache import WeekCache
from shared.area.area import UNPLANNED
from shared.items.catalogue import Catalogue
from shared.items.collections import PROMOTIONS, WITHDRAWALS
from shared.items.keys import FAILURES, RECEIPTS
from shared.items.landing import PREFIX
from shared.items.summary import WeekSummary, data_weeks, reach, remapped_weeks, summary_of, week_token
from shared.items.weeks import STATIC, later_week
from shared.observe.metrics import DUE, FAILED
from shared.run.context import Context
from shared.stage.declare import AnyStage
from shared.stage.due import LANDING, JobSource, State, planned, sources_of
from shared.stage.source import name_in_id

ROLLING_WEEKS, ROLLING_UNITS = 8, 16
"""Settled weeks and units with a receipt, of which a round looks at this many at least: nothing stays unnoticed."""

ROLLING_SHARE = 20
"""Of many settled weeks a round looks at one in so many."""


Visit = Callable[[Catalogue, str, str], None]
"""Called with each week that was looked at: (catalogue, week, digest of what it was planned from)."""


class Sweep:
    """Looks at a store's weeks, and counts what is done, due and failed.

    A week counts once it was read as a whole; only then is anything of it hinted.

    Args:
        stages: the stages, upstream first.
        context: what they work in.
        grace_s: in place of each stage's own, where given.
        clock: seconds, monotonic.
        visit: called with each week that was looked at.
        keep: keep in the store what settled weeks look like, which is for who drives the stream; everybody reads it.

    Attributes:
        whole: whether every week and every unit without a receipt was looked at: before, there may be more that is due.
        catalogue: the last look.
        hints: of what is due.
    """

    def __init__(
        self,
        stages: Sequence[AnyStage],
        context: Context,
        grace_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        visit: Visit = lambda catalogue, week, token: None,
        *,
        keep: bool = False,
    ) -> None:
        self.stages = stages
        self._context, self._clock, self._visit = context, clock, visit
        self.hints = Hints(stages, context, grace_s, clock)
        self._weeks: dict[str, View] = {}
        self._units: dict[str, View] = {}
        self._visited: dict[str, int] = {}
        self._touched: set[str] = set()
        self._rounds = 0
        self._settings = {s.name: s.settings() for s in stages}
        plans = [[s.name, s.version, self._settings[s.name].result_bearing()] for s in stages]
        beside = [context.area.model_dump(mode="json", exclude=set(UNPLANNED)), plans]
        self._kept = {
            # What a new model maps again differs between a run that ends and one that watches.
            again: WeekCache(context.store, name, View, beside, write=keep)
            for again, name in ((False, "views"), (True, "views-remapped"))
        }
        self._ends = ListedEnds(context.store, (), (), lambda key: None)
        self._units_left = True
        self.catalogue = context.reader.snapshot()

    @property
    def whole(self) -> bool:
        """See the class."""
        return STATIC in self._weeks and not self._units_left

    def touch(self, week: str) -> None:
        """Note that a week has something new: the next look reads it, and those whose maps look back to it."""
        later = 0 if week == STATIC else reach(self.catalogue)
        self._touched |= {week, *(later_week(week, weeks) for weeks in range(1, later + 1))}

    def look(self, within_s: float = math.inf, everything: bool = False) -> dict[str, Count]:
        """Look at what changed, what is due and a share of the rest; return the counts of each stage.

        Args:
            everything: look at every week, settled or not.
            within_s: look at one week, and one unit, after the other for no longer than this; the next call continues
                where this one ended, and what it does not reach keeps the state in which it was last seen.
        """
        deadline = self._clock() + within_s
        self._rounds += 1
        self._ends = self._list_ends()
        look = self._context.reader.look(self._ends)
        self.catalogue = self._context.reader.of(look)
        self._look_at_units(deadline, everything)
        weeks = sorted({w for c in self.catalogue.collections for w in self.catalogue.weeks(c)} - {STATIC})
        self._weeks = {week: view for week, view in self._weeks.items() if week in weeks}
        for week in self._choose(weeks, self._weeks, len(weeks) if everything else ROLLING_WEEKS):
            self._look_at_week(week)
            if self._clock() > deadline:
                break
        if all(week in self._weeks for week in weeks):
            self._look_at_static()
        found = self.counts()
        for name, count in found.items():
            DUE.labels(name).set(len(count.due))
            FAILED.labels(name).set(count.failed)
        return found

    def summaries(self) -> list[WeekSummary]:
        """Return the summaries of the weeks that hold a cube update, as they were seen last."""
        return [view.summary for _, view in sorted(self._weeks.items()) if view.summary is not None]

    def counts(self) -> dict[str, Count]:
        """Return the jobs of each stage, as they were seen last; what two weeks lead to counts once."""
        found = {s.name: Count() for s in self.stages}
        seen = set[tuple[str, str]]()
        for view in (*self._weeks.values(), *self._units.values()):
            for stage, done in view.done.items():
                found[stage].done += done
            for job in view.open:
                if (job.stage, job.id) in seen:
                    continue
                seen.add((job.stage, job.id))
                if not self._ends.failed(job.stage, job.id):
                    found[job.stage].due.append(job)
                elif not self._ends.dismissed(job.stage, job.id):
                    found[job.stage].failed += 1
        return found

    def _list_ends(self) -> ListedEnds:
        store = self._context.store
        return ListedEnds(store, store.keys(FAILURES), store.children(RECEIPTS), self._context.reader.broken_record)

    def _choose(self, names: Sequence[str], views: dict[str, View], least: int) -> Iterator[str]:
        """Yield what was never seen, newest first, then what has open jobs, then a share of the rest."""
        unseen = [n for n in reversed(names) if n not in views]
        busy = [n for n in names if n in views and (n in self._touched or self._is_busy(views[n]))]
        rest = sorted((n for n in names if n in views and n not in busy), key=lambda n: (self._visited.get(n, 0), n))
        # While something was never seen, what was seen is no part of the round: a cold start asks nothing twice.
        share = 0 if unseen and least < len(names) else max(least, len(rest) // ROLLING_SHARE)
        yield from (*unseen, *sorted(busy, key=lambda n: self._visited.get(n, 0)), *rest[:share])

    def _is_busy(self, view: View) -> bool:
        return any(not self._ends.failed(job.stage, job.id) for job in view.open)

    def _look_at_week(self, week: str) -> None:
        """Plan a week again if its items, or what its plans look at beside them, changed."""
        self._visited[week] = self._rounds
        self._touched.discard(week)
        catalogue = self.catalogue
        remapped = week in remapped_weeks(catalogue)
        token, kept = f"{week_token(catalogue, week)} {self._beside()} {remapped}", self._kept[remapped]
        before = self._weeks.get(week) or kept.load(week, token)
        asked = before.asked if before else {}
        if before is None or before.token != token or not catalogue.is_broken_as(asked):
            known = set(catalogue.asked)
            withdrawals = catalogue.index(WITHDRAWALS, STATIC, "week").get(week, ())
            view = View(token)
            for stage in self.stages:
                more = withdrawals if WITHDRAWALS in stage.consumes else ()
                self._plan(view, stage, [*sources_of(stage, catalogue, week), *more], week)
            if week in data_weeks(catalogue):
                view.summary = summary_of(catalogue, week)
            view.asked = {p: b for p, b in catalogue.asked.items() if p not in known or p in asked}
        else:
            view = before
        self._weeks[week] = view
        if not self._is_busy(view):
            kept.keep(week, token, view)
        self._visit(catalogue, week, token)
        catalogue.let_go(week)

    def _beside(self) -> str:
        """Return what the plans of any week look at beside its own items; all of it is few."""
        c = self.catalogue
        promotions = c.ids(PROMOTIONS)
        return repr((len(promotions), max(promotions, default=""), sorted(c.standing_orders())))

    def _look_at_static(self) -> None:
        """Plan what has no week; withdrawals are planned with the week that they concern."""
        view = View()
        self.catalogue.given = self.summaries()
        for stage in self.stages:
            items = (i for i in sources_of(stage, self.catalogue, STATIC) if i.collection != WITHDRAWALS)
            self._plan(view, stage, items)
        self._weeks[STATIC] = view

    def _plan(self, view: View, stage: AnyStage, sources: Iterable[JobSource], week: str | None = None) -> None:
        """Add what sources lead to to a view; of a week, what is of a later one is a part of that one's view."""
        for job in planned(stage, sources, self.catalogue, self._settings[stage.name]):
            if week is not None and job.job.week not in (week, STATIC):
                continue
            if job.state is State.DONE:
                view.done[stage.name] = view.done.get(stage.name, 0) + 1
            else:
                view.open.append(open_job(stage, job))

    def _look_at_units(self, deadline: float, everything: bool) -> None:
        """Plan the landing units without a receipt, and a share of the others, which may have been sent again."""
        stage = next((s for s in self.stages if LANDING in s.consumes), None)
        self._units_left = False
        if stage is None:
            return
        names = sorted(self._context.store.children(PREFIX))
        self._units = {name: view for name, view in self._units.items() if name in set(names)}
        for name in names:
            if name not in self._units and name in self._ends.units and not self._ends.has_records(name_in_id(name)):
                self._units[name] = View(done={stage.name: 1})
        for name in self._choose(names, self._units, len(names) if everything else ROLLING_UNITS):
            self._visited[name] = self._rounds
            # A folder may hold nothing but names that no object can have: it was looked at, and nothing is due.
            unit, view = self._context.unit(name), View()
            if unit is not None:
                self._plan(view, stage, [unit])
            self._units[name] = view
            if self._clock() > deadline:
                break
        self._units_left = any(name not in self._units for name in names)
