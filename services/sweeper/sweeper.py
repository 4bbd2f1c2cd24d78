"""The sweeper as a process: hints what is due, requests training, keeps the collections and the topics.

One replica is enough; two would only repeat harmless hints.
"""

from __future__ import annotations

from services.sweeper.driver import TrainingPolicy, refresh_collections, request_training, upstream
from services.sweeper.sweep import Sweep
from shared.bus import BusUnavailable
from shared.items.catalogue import Catalogue
from shared.items.landing import PREFIX, landing_units
from shared.items.listing import Listing
from shared.observe.logs import get_logger
from shared.observe.metrics import SWEEP_SECONDS
from shared.process.command_line import make_parser, or_exit, settings_of
from shared.process.service import run_service
from shared.run.context import Context
from shared.stage import Stage, registry
from shared.store import ObjectInfo, StoreUnavailable

NAME = "sweeper"
LISTING_S, PLANNING_S = 5.0, 30.0
"""A round spends no longer on each of its listings and on planning, however many years the store holds; the next one
goes on with the next page, and the next week."""


class Sweeper:
    """Rounds of the sweep over all stages.

    Args:
        stages: upstream first.
        context: what it works in.
        grace_s: seconds after which something due is hinted; each stage's own where not given.
    """

    def __init__(self, stages: list[Stage], context: Context, grace_s: float | None = None) -> None:
        self._context, self._sweep = context, Sweep(stages, context, grace_s)
        self._policy = TrainingPolicy(context.area)
        self._feeding = [s.name for s in upstream(stages)]
        self._shown: Catalogue | None = None
        self._foreign: set[str] = set()
        self._landing: Listing[ObjectInfo] = Listing(lambda: context.store.list(PREFIX), lambda info: info.key)
        self._log = get_logger(service=NAME)

    def round(self) -> int:
        """Look once at everything; how many hints it took.

        Raises:
            StoreUnavailable: the store is away.
            BusUnavailable: the bus is.
        """
        context = self._context
        if context.bus.prepare():
            self._log.warning("made the topics, which were not there: what was hinted is hinted again")
            self._sweep.forget_all()
        catalogue = context.reader.snapshot(LISTING_S)
        self._say_foreign()
        units = landing_units(self._landing.look(LISTING_S).values(), context.patience_s)
        surveys = self._sweep.survey(catalogue, units, PLANNING_S)
        if context.reader.whole and self._landing.whole and self._sweep.whole:
            self._drive(catalogue, quiet=not any(surveys[name].due for name in self._feeding))
        hints = self._sweep.hint(surveys)
        if hints:
            self._log.info("hinted", hints=hints, due={n: len(s.due) for n, s in surveys.items() if s.due})
        return hints

    def _drive(self, catalogue: Catalogue, quiet: bool) -> None:
        """Request training where the policy says so; write the collections where they changed."""
        store, area = self._context.store, self._context.area
        if self._policy.decide(catalogue, quiet) and request_training(store, catalogue, area):
            self._log.info("requested training", cube_state=catalogue.cube_state())
        if catalogue is not self._shown:
            refresh_collections(store, catalogue, area)
            self._shown = catalogue

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
                self._log.warning("the sweep goes on later", error=str(error))
            self._context.stop.wait(pause_s)


def main() -> None:
    """Run the sweeper."""
    parser = make_parser("services.sweeper", "sweeper: lists what is due and hints it; requests training.")
    given = parser.parse_args()
    settings = settings_of(parser, given)
    stages = registry.all_stages()

    def work(context: Context) -> None:
        Sweeper(stages, context, settings.sweep_grace_s).run(settings.sweep_s)

    or_exit(lambda: run_service(NAME, settings, given.kafka, work))
