"""The sweeper as a process: hints what is due, requests training, keeps the pages, the indexes and the topics.

One replica is enough; two would only repeat harmless hints.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from services.sweeper.driver import Driver
from services.sweeper.gauges import Gauges
from services.sweeper.lags import Lags
from services.sweeper.measures import Measures
from services.sweeper.settings import SweeperSettings
from services.sweeper.view import Count
from shared.bus import BusUnavailable
from shared.items.catalogue import Catalogue
from shared.observe.logs import get_logger
from shared.observe.metrics import SWEEP_SECONDS
from shared.process.command_line import make_parser, or_exit, settings_of
from shared.process.service import run_service
from shared.run.context import Context
from shared.stage import AnyStage, registry
from shared.store import StoreUnavailable

NAME = "sweeper"
LOOK_S = 30.0
"""Seconds for which a round looks at week after week, however many years the store holds; the next one continues."""


class Sweeper:
    """Rounds over all stages.

    Args:
        stages: upstream first.
        context: what they work in.
        grace_s: seconds after which something due is hinted; each stage's own where not given.
    """

    def __init__(self, stages: Sequence[AnyStage], context: Context, grace_s: float | None = None) -> None:
        self._measures, self._gauges = Measures(context.store, write=True), Gauges()
        self._lags = Lags(context.store)
        self._context, self.driver = context, Driver(stages, context, grace_s, visit=self._see)
        self._foreign: set[str] = set()
        self._log = get_logger(service=NAME)

    def round(self) -> int:
        """Look once at what may have changed; return how many hints were sent.

        Raises:
            StoreUnavailable: the store is away.
            BusUnavailable: the bus is.
        """
        if self._context.bus.ensure_topics():
            self._log.warning("made the topics, which were not there: what was hinted is hinted again")
            self.driver.sweep.hints.forget_all()
        counts = self.driver.look(LOOK_S)
        self._say_foreign()
        self._tell(counts)
        self.driver.ask(self.driver.is_fed(counts), time.time())
        self.driver.keep_pages()
        hints = self.driver.sweep.hints.give(counts)
        if hints:
            self._log.info("hinted", hints=hints, due={n: len(c.due) for n, c in counts.items() if c.due})
        return hints

    def _see(self, catalogue: Catalogue, week: str, token: str) -> None:
        self._measures.see(catalogue, week, token)
        self._lags.see(catalogue, week, token)

    def _tell(self, counts: Mapping[str, Count]) -> None:
        sweep = self.driver.sweep
        self._gauges.tell_due(counts)
        if sweep.whole:
            self._measures.finish(sweep.catalogue)
            self._lags.finish()
            self._gauges.tell_training(sweep.summaries(), self.driver.trainings())
        self._gauges.tell_measures(self._measures)

    def _say_foreign(self) -> None:
        foreign = self._context.reader.foreign
        for key in foreign.keys() - self._foreign:
            self._log.warning("left alone", key=key, error=foreign[key])
        self._foreign = set(foreign)

    def run(self, pause_s: float) -> None:
        """Sweep until told to stop; what is away is waited for."""
        while not self._context.stop.is_set():
            self._context.health.tick(NAME)
            try:
                with SWEEP_SECONDS.time():
                    self.round()
            except (StoreUnavailable, BusUnavailable) as error:
                self._log.warning("the sweep continues later", error=str(error))
            self._context.stop.wait(pause_s)


def main() -> None:
    """Run the sweeper."""
    parser = make_parser("services.sweeper", "sweeper: lists what is due and hints it; requests training.")
    given = parser.parse_args()
    own, settings = SweeperSettings(), settings_of(parser, given)
    stages = registry.all_stages()

    def work(context: Context) -> None:
        Sweeper(stages, context, own.sweep_grace_s).run(own.sweep_s)

    or_exit(lambda: run_service(NAME, settings, given.kafka, work))
