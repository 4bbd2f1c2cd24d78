"""The loop that drives a stream, embedded or as the sweeper: look, hint, request training, promote, keep the pages."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.sweeper.indexes import Indexes
from services.sweeper.pages import Pages
from services.sweeper.promotion import promote
from services.sweeper.requests import is_requested, request_training
from services.sweeper.schedule import Training, TrainingSchedule, nothing_to_train_on
from services.sweeper.sweep import Sweep, Visit
from services.sweeper.trainings import Trainings
from services.sweeper.view import Count
from shared.items.catalogue import Catalogue
from shared.items.collections import UPDATES
from shared.items.summary import current_labels
from shared.observe.logs import get_logger
from shared.run.context import Context
from shared.stage import registry
from shared.stage.declare import AnyStage, published
from shared.stage.due import LANDING


class Driver:
    """Rounds over all stages.

    Args:
        stages: upstream first.
        context: what they work in.
        grace_s: seconds after which something due is hinted; each stage's own where not given.
        once: train and promote as soon as the stream is quiet.
        visit: called with each week that was looked at, see `Sweep`.
    """

    def __init__(
        self,
        stages: Sequence[AnyStage],
        context: Context,
        grace_s: float | None = None,
        once: bool = False,
        visit: Visit = lambda catalogue, week, token: None,
    ) -> None:
        self.context, self.feeding = context, [s.name for s in upstream(stages)]
        self._visit = visit
        self._pages = Pages(context.store, context.area, registry.collections())
        self._indexes = Indexes(context.store, context.reader)
        self.sweep = Sweep(stages, context, grace_s, visit=self._see, keep=True)
        self._schedule = TrainingSchedule(context.area.train, once)
        self._trainings = Trainings(context.store)
        self.training_waits_for: str | None = None
        """What the next training waits for; None where there is nothing new to train on. As of the last `ask`."""
        self._log = get_logger(service="driver")

    def _see(self, catalogue: Catalogue, week: str, token: str) -> None:
        self._pages.see(catalogue, week, token)
        self._indexes.see(catalogue, week, token)
        self._visit(catalogue, week, token)

    def look(self, within_s: float = math.inf, everything: bool = False) -> dict[str, Count]:
        """Look at the store; arguments as of `Sweep.look`."""
        return self.sweep.look(within_s, everything)

    def ask(self, quiet: bool, now_s: float) -> bool:
        """Promote by the area's rule, or request a training where the schedule says so; return whether it did.

        Args:
            quiet: whether nothing upstream of the cube is due or under way.
            now_s: seconds since the epoch.
        """
        self.training_waits_for = None
        if not self.sweep.whole:
            return False
        store, area, catalogue = self.context.store, self.context.area, self.sweep.catalogue
        summaries, labels = self.sweep.summaries(), current_labels(catalogue)
        if nothing_to_train_on(summaries, labels):
            return False
        if (model := promote(store, catalogue, summaries, area)) is not None:
            self._log.info("promoted", model=model.id)
            return True
        decision = self._schedule.decide(summaries, {i.id for i in labels}, self.trainings(), quiet, now_s)
        if not decision.now:
            if not is_requested(catalogue, summaries, area):
                self.training_waits_for = decision.waits_for
            return False
        key = request_training(store, catalogue, summaries, area)
        if key is not None:
            self._log.info("requested training", request=key)
        return key is not None

    def trainings(self) -> list[Training]:
        """Return the trainings that were asked for so far."""
        return self._trainings.of(self.sweep.catalogue)

    def is_fed(self, counts: dict[str, Count]) -> bool:
        """Return whether nothing upstream of the cube is due."""
        return not any(counts[name].due for name in self.feeding)

    def keep_pages(self) -> None:
        """Write the pages that are not up to date, once everything was looked at."""
        if self.sweep.whole:
            self._pages.finish(self.sweep.catalogue)


def upstream(stages: Sequence[AnyStage]) -> list[AnyStage]:
    """Return the stages that feed the cube: those on the way from `landing/` to `cube-updates`.

    Args:
        stages: upstream first.
    """
    wanted, found = {UPDATES}, []
    for stage in reversed(stages):
        if wanted.intersection(published(stage)):
            found.append(stage)
            wanted |= set(stage.consumes) - {LANDING}
    return found
