"""Records what Prometheus sees of a real run, for the dashboard's tests: `python -m tests.tools.deploy_files.record`.

It starts the test servers, a catalogue, and `landstream up`; delivers the labels of a small season and a file that is
no product, lets the season's scenes be fetched, kills one worker at its work, waits until everything is mapped, and
writes `recorded_run.om` beside this module. It takes some ten minutes of two cores.
"""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

import yaml

from landstream.up import SWEEPER
from shared.items.products import FETCH
from shared.stage import registry
from shared.store.s3 import S3Settings, connect
from tests.conftest import ROOT, Servers, make_season, remove_bucket, variables_of
from tests.landstream.catalogues import cdse, environment, labels_of, scenes_of, write_area
from tests.live.test_up import state, up
from tools.deploy_files.alerts import RULES
from tools.deploy_files.dashboard import queries
from tools.servers import ServerError
from tools.servers.catalogue import CatalogueServer
from tools.servers.prometheus import Prometheus

RECORDED: Final = Path(__file__).with_name("recorded_run.om")
METRIC: Final = re.compile(r"\b(?:up|landstream_\w+)\b")
SCRAPE_S: Final = 30
"""Half as often as docker/prometheus.yml: enough for rates over five minutes, and half the file."""

REPEATED_S: Final = 120
"""A value that stays the same is written this often: Prometheus takes a sample for the present for five minutes."""

WITHIN_S: Final = 1800
LABEL = re.compile(r'(\\|"|\n)')
ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


def read_metrics() -> set[str]:
    """The metrics that dashboard and alerts read."""
    expressions = (*(query.expr for _, query in queries()), *(rule.expr for rule in RULES))
    # What stands in quotes is a value of a label.
    return {name for expr in expressions for name in METRIC.findall(re.sub(r'"[^"]*"', '""', expr))}


def thinned(values: Iterable[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Those of a series' samples (time in s, value) that a reader needs: changes, one now and then, and the last."""
    last: tuple[float, str] | None = None
    left_out: tuple[float, str] | None = None
    for now, value in values:
        if last is None or value != last[1] or now - last[0] >= REPEATED_S:
            last, left_out = (now, value), None
            yield last
        else:
            left_out = (now, value)
    if left_out is not None:
        yield left_out


def open_metrics(series: Iterable[Mapping[str, Any]]) -> str:
    """Series of Prometheus's API as OpenMetrics with times, sorted; without the addresses that they came from."""
    lines = []
    for each in sorted(series, key=lambda each: sorted(each["metric"].items())):
        labels = {name: value for name, value in each["metric"].items() if name not in ("__name__", "instance")}
        shown = ",".join(f'{n}="{LABEL.sub(lambda m: ESCAPED[m[1]], v)}"' for n, v in sorted(labels.items()))
        name = each["metric"]["__name__"]
        lines += [f"{name}{{{shown}}} {value} {now:.3f}\n" for now, value in thinned(each["values"])]
    return "".join(lines) + "# EOF\n"


def config(ports: Mapping[str, int], scrape_s: float = SCRAPE_S) -> str:
    """A configuration that scrapes services as docker/prometheus.yml does: service -> port on this machine."""
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": {"service": name}} for name, port in ports.items()]
    every = f"{scrape_s * 1000:.0f}ms"
    scraped = {"job_name": "landstream", "static_configs": targets}
    return yaml.safe_dump({"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": [scraped]})


def recorded(prometheus: Prometheus, names: Iterable[str]) -> str:
    """What a Prometheus has seen of these metrics, as OpenMetrics."""
    matched = f'{{job="landstream", __name__=~"{"|".join(sorted(names))}"}}[1d]'
    return open_metrics(prometheus.query(matched, time.time()))


def children(pid: int) -> Sequence[int]:
    """The child processes of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def lose_a_worker(stage: str, work: Path, prometheus: Prometheus) -> None:
    """Kill the workers of a stage until one was at its work, which counts as lost and is tried again."""
    deadline, written = time.monotonic() + WITHIN_S, work / f"{stage}.pid"
    while not written.exists():
        assert time.monotonic() < deadline, f"{stage} did not start"
        time.sleep(0.2)
    pid = int(written.read_text())
    while not prometheus.query(f'landstream_workers_lost_total{{stage="{stage}"}}', time.time()):
        assert time.monotonic() < deadline, f"{stage} had no worker to kill"
        for worker in children(pid):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            time.sleep(2 * SCRAPE_S)  # one loss is enough, and a job that loses three has failed
        time.sleep(0.2)


def wait_until_mapped(bucket: str, kafka: str, prometheus: Prometheus) -> None:
    """Wait until nothing is due, a record of a failure stands, and every metric was seen."""
    deadline = time.monotonic() + WITHIN_S
    wanted = {*read_metrics(), "landstream_failed_jobs > 0"}
    while (missing := {query for query in wanted if not prometheus.query(query, time.time())}) or any(
        stage["waiting"] for stage in state(bucket, kafka).values()
    ):
        assert time.monotonic() < deadline, f"not seen: {', '.join(sorted(missing)) or 'the end'}"
        time.sleep(SCRAPE_S)
    # Rates need a few more scrapes.
    time.sleep(4 * SCRAPE_S)


def fetching(catalogue: CatalogueServer, folder: Path, bucket: str, servers: Servers) -> AbstractContextManager[int]:
    """A running stack whose products come from a catalogue; gives the first of its ports."""
    os.environ.update(environment(catalogue))
    return up(write_area(folder, cdse(catalogue, monthly_gb=10)), bucket, servers, folder / "work")


def main() -> int:
    """Record one run."""
    subprocess.run([sys.executable, "-m", "tools.servers", "up"], check=True)
    os.environ.update(variables_of("env"))
    # Everything that is due is hinted, as where a store loses events.
    os.environ["LANDSTREAM_SWEEPER_SWEEP_GRACE_S"] = "1"
    servers = Servers(os.environ["LANDSTREAM_KAFKA"], os.environ["LANDSTREAM_S3"], {})
    client, bucket = connect(S3Settings()), f"record-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_season(folder / "season", 6)
        try:
            products = sorted((folder / "season").iterdir())
            with (
                CatalogueServer(scenes_of(products)) as catalogue,
                fetching(catalogue, folder, bucket, servers) as port,
            ):
                services = [*(stage.name for stage in registry.all_stages()), SWEEPER, FETCH]
                ports = {service: port + n for n, service in enumerate(services)}
                prometheus = Prometheus(folder / "prometheus", config(ports))
                try:
                    prometheus.start()
                    client.put_object(Bucket=bucket, Key="landing/notes.txt", Body=b"no product\n")
                    labels = map(str, labels_of(products))
                    command = [sys.executable, "-m", "landstream", "deliver", "--store", f"s3://{bucket}", *labels]
                    # Meanwhile the first worker is awaited: later it may stand idle, and is then not missed.
                    with subprocess.Popen(command, cwd=ROOT) as delivery:
                        lose_a_worker("cloudmask", folder / "work", prometheus)
                    assert delivery.returncode == 0
                    wait_until_mapped(bucket, servers.kafka, prometheus)
                    text = recorded(prometheus, read_metrics())
                finally:
                    prometheus.stop()
        except ServerError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            remove_bucket(client, bucket)
    RECORDED.write_text(text)
    print(f"{RECORDED}: {len(text) / 1000:.0f} kB, {text.count(chr(10)):,} samples")
    return 0


def end_of(text: str) -> float:
    """The time of the last sample of a recording, in s since 1970."""
    samples = (line for line in text.splitlines() if not line.startswith("#"))
    return max((float(line.rsplit(" ", 1)[1]) for line in samples), default=math.nan)


if __name__ == "__main__":
    sys.exit(main())
