"""The sweeper as a process: hints what is due, requests training, keeps the collections and the topics.

One replica is enough; two would only repeat harmless hints.
"""

from __future__ import annotations

from shared.bus import BusUnavailable
from shared.observe.logs import get_logger
from shared.observe.metrics import SWEEP_SECONDS
from shared.stage import Stage, registry
from shared.stage.main import make_parser, or_exit, settings_of
from shared.stage.service import run_service
from shared.stage.surroundings import Surroundings
from shared.store import StoreUnavailable
from shared.sweep.driver import TrainingPolicy, refresh_collections, request_training, upstream
from shared.sweep.sweep import Sweep

NAME = "sweeper"
ROUND_S = 30.0
"""A round plans for no longer, however many years the store holds; the next one goes on with the next week."""


class Sweeper:
    """Rounds of the sweep over all stages.

    Args:
        stages: upstream first.
        around: what it works in.
    """

    def __init__(self, stages: list[Stage], around: Surroundings) -> None:
        self._around, self._sweep = around, Sweep(stages, around)
        self._policy = TrainingPolicy(around.area)
        self._feeding = [s.name for s in upstream(stages)]
        self._log = get_logger(service=NAME)

    def round(self) -> int:
        """Look once at everything; how many hints it took.

        Raises:
            StoreUnavailable: the store is away.
            BusUnavailable: the bus is.
        """
        around = self._around
        around.bus.prepare()
        surveys = self._sweep.survey(ROUND_S)
        catalogue = around.reader.snapshot()
        quiet = not any(surveys[name].due for name in self._feeding)
        if self._policy.decide(catalogue, quiet) and request_training(around.store, catalogue, around.area):
            self._log.info("requested training", cube_state=catalogue.cube_state())
        refresh_collections(around.store, catalogue, around.area)
        hints = self._sweep.hint(surveys)
        if hints:
            self._log.info("hinted", hints=hints, due={n: len(s.due) for n, s in surveys.items() if s.due})
        return hints

    def run(self, pause_s: float) -> None:
        """Sweep until told to stop; what is away is waited for."""
        while not self._around.stop.is_set():
            self._around.health.tick(NAME)
            try:
                with SWEEP_SECONDS.time():
                    self.round()
            except (StoreUnavailable, BusUnavailable) as error:
                self._log.warning("the sweep goes on later", error=str(error))
            self._around.stop.wait(pause_s)


def main() -> None:
    """Run the sweeper."""
    parser = make_parser("shared.sweep", "sweeper: lists what is due and hints it; requests training.")
    given = parser.parse_args()
    settings = settings_of(parser, given)
    stages = registry.all_stages()

    def work(around: Surroundings) -> None:
        Sweeper(stages, around).run(settings.sweep_s)

    or_exit(lambda: run_service(NAME, settings, given.kafka, work))
