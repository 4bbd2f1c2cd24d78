"""Fetching as a process: `python -m services.ingest.fetch --store s3://BUCKET --kafka HOST:PORT`."""

from __future__ import annotations

from functools import partial

from services.ingest.fetch.errors import FetchError
from services.ingest.fetch.fetching import fetcher_of
from shared.observe.logs import get_logger
from shared.process.command_line import make_parser, or_exit, settings_of
from shared.process.service import run_service
from shared.run.context import Context
from shared.run.deliver import deliver

NAME, IDLE_S = "fetch", 5.0
UNDER_WAY = "products"
"""Folder of downloads under way, which a restart goes on with."""


def main() -> None:
    """Run it: fetch what the area's `source:` offers; without a source, wait to be ended."""
    parser = make_parser("services.ingest.fetch", "fetch: products of the area's `source:` to landing/")
    given = parser.parse_args()
    settings = settings_of(parser, given)

    def work(context: Context) -> None:
        if context.area.source is None:
            get_logger(service=NAME).info("the area has no `source:`: nothing is fetched")
            while not context.stop.wait(IDLE_S):
                context.health.tick(NAME)
            return
        try:
            fetcher_of(context, context.work / UNDER_WAY, partial(deliver, context.store, stop=context.stop)).run()
        except FetchError as error:
            raise ValueError(str(error)) from error

    or_exit(lambda: run_service(NAME, settings, given.kafka, work, kept=UNDER_WAY))


main()
