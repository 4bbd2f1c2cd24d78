"""Prometheus and promtool: those of the PATH, or Debian's package, unpacked without being installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from tools.servers import HOST, INSTALLED, Server, ServerError, http_status, installing, run, tool

PACKAGE = "prometheus"
PROGRAMS = ("prometheus", "promtool")
FOLDER = INSTALLED / "prometheus-debian"

# Recorded runs may be years old: what counts here is what is asked, not when it was.
RETENTION = "100y"


def programs() -> dict[str, str]:
    """Return the paths of both programs, of the same installation.

    Raises:
        MissingToolError: they are not on the PATH, and neither are the tools that fetch and unpack Debian's package.
        ServerError: the package cannot be had.
    """
    found = {name: path for name in PROGRAMS if (path := shutil.which(name))}
    if len(found) == len(PROGRAMS):
        return found
    with installing(FOLDER) as folder:
        if folder is not None:
            _unpack(folder)
    return {name: str(FOLDER / name) for name in PROGRAMS}


def _unpack(folder: Path) -> None:
    purpose = "installing Prometheus (or prometheus and promtool, in its place,)"
    apt, dpkg = tool("apt-get", purpose), tool("dpkg-deb", purpose)
    unpacked = folder / "unpacked"
    try:
        run([apt, "download", PACKAGE], within_s=300, folder=folder)
    except ServerError:
        # The lists may be absent, or name a version that is gone.
        run([apt, "update"], within_s=300)
        run([apt, "download", PACKAGE], within_s=300, folder=folder)
    (package,) = folder.glob(f"{PACKAGE}_*.deb")
    run([dpkg, "-x", package, unpacked])
    for name in PROGRAMS:
        (unpacked / "usr" / "bin" / name).rename(folder / name)
    shutil.rmtree(unpacked)
    package.unlink()


def promtool(*arguments: object, within_s: float = 600) -> None:
    """Run promtool.

    Raises:
        MissingToolError: it cannot be had on this machine.
        ServerError: it found a fault; the message is its own.
    """
    run([programs()["promtool"], *arguments], within_s)


class Prometheus(Server):
    """A Prometheus over what its data folder holds, and over what it scrapes.

    Args:
        folder: of its data, configuration and log.
        config: its configuration; nothing is scraped without one.
    """

    name = "prometheus"
    port_names: ClassVar[tuple[str, ...]] = ("http",)

    def __init__(self, folder: Path, config: str = "global: {}\n") -> None:
        super().__init__(folder)
        self._config = config

    @property
    def data(self) -> Path:
        """The folder of its blocks."""
        return self.folder / "data"

    def install(self) -> None:
        """Find or unpack the programs."""
        programs()

    def prepare(self) -> None:
        """Write the configuration."""
        self._configuration.write_text(self._config)

    def command(self) -> list[str]:
        """Return options for this machine alone."""
        return [
            programs()["prometheus"],
            f"--config.file={self._configuration}",
            f"--storage.tsdb.path={self.data}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={HOST}:{self.port('http')}",
        ]

    def healthy(self) -> bool:
        """Return whether it answers queries."""
        return http_status(self.port("http"), "/-/ready") == 200

    def query(self, expr: str, at_s: float) -> Sequence[dict[str, Any]]:
        """Return the series of an instant query, as the API writes them: `metric`, and `value` or `values`.

        Args:
            expr: PromQL.
            at_s: seconds since 1970.

        Raises:
            ServerError: it does not understand the query.
        """
        connection = HTTPConnection(HOST, self.port("http"), timeout=60)
        try:
            connection.request("GET", f"/api/v1/query?{urlencode({'query': expr, 'time': at_s})}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["status"] != "success":
            raise ServerError(f"{expr}: {answer['error']}")
        result = answer["data"]["result"]
        # A scalar is a number without labels.
        return [{"metric": {}, "value": result}] if answer["data"]["resultType"] == "scalar" else result

    @property
    def _configuration(self) -> Path:
        return self.folder / "prometheus.yml"
