"""The Grafana dashboard, as the JSON that Grafana reads and as the ConfigMap that its sidecar on Kubernetes finds.

Every query is complete PromQL, with no variable of Grafana's in it: Prometheus alone can run it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tools.deploy_files.project import MADE, Files

PATH: Final = Path("docker/grafana/dashboard.json")
CONFIG_MAP: Final = Path("k8s/monitoring/dashboard.yaml")
UID: Final = "landstream"
SCHEMA_VERSION: Final = 41
"""Of Grafana 12.0; a newer one migrates what it reads."""

COLUMNS: Final = 24
HEIGHT: Final = 8
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """A query of a panel.

    Attributes:
        expr: PromQL.
        legend: name of each series, with `{{label}}`.
    """

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A panel.

    Attributes:
        title: what it shows.
        unit: of its values, as Grafana calls it.
        queries: one or more.
        kind: lines over time, or the newest number.
        stacked: whether lines add up.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat"] = "timeseries"
    stacked: bool = False


@dataclass(frozen=True)
class Row:
    """Panels of one theme, side by side."""

    title: str
    panels: tuple[Panel, ...]


def _quantile(q: float) -> Query:
    buckets = "sum by (stage, le) (rate(landstream_job_duration_seconds_bucket[1h]))"
    return Query(f"histogram_quantile({q}, {buckets})", "{{stage}}")


ROWS: Final = (
    Row(
        "Freshness and arrivals",
        (
            Panel("From a scene to its map, median of 100", "s", (Query("landstream_freshness_seconds", "median"),)),
            Panel(
                "Since the last arrival",
                "s",
                (Query("time() - landstream_last_arrival_timestamp_seconds", "{{sensor}}"),),
            ),
            Panel(
                "Steps of newly mapped products, mean of a day",
                "s",
                (
                    Query(
                        "sum by (step) (increase(landstream_freshness_step_seconds_sum[1d]))"
                        " / sum by (step) (increase(landstream_freshness_step_seconds_count[1d]))",
                        "{{step}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Products that come by themselves",
        (
            Panel(
                "Products to be fetched",
                "short",
                (Query("max by (lane) (landstream_fetch_queue_products)", "{{lane}}"),),
            ),
            Panel(
                "Longest wait to be fetched",
                "s",
                (Query("max by (lane) (landstream_fetch_oldest_seconds)", "{{lane}}"),),
            ),
            Panel("Bytes per second", "Bps", (Query("sum(rate(landstream_fetched_bytes_total[5m]))", "fetched"),)),
            Panel(
                "Volume within 30 days",
                "bytes",
                (Query("max by (what) (landstream_fetch_volume_bytes)", "{{what}}"),),
            ),
            Panel("Failures of fetching", "short", (Query("max(landstream_fetch_failed_products)", "failed"),)),
            Panel(
                "Named by two recounts, and not here",
                "short",
                (Query("max by (state) (landstream_fetch_missing_products)", "{{state}}"),),
            ),
            Panel(
                "Since the provider's last answer",
                "s",
                (Query("time() - max(landstream_fetch_answered_timestamp_seconds)", "silent"),),
            ),
        ),
    ),
    Row(
        "Work",
        (
            Panel("Due jobs", "short", (Query("landstream_due_jobs", "{{stage}}"),)),
            Panel("Oldest due job", "s", (Query("landstream_oldest_due_job_age_seconds", "{{stage}}"),)),
            Panel(
                "Jobs per minute, by outcome",
                "short",
                (Query("60 * sum by (outcome) (rate(landstream_jobs_total[5m]))", "{{outcome}}"),),
            ),
            Panel(
                "Jobs done per minute",
                "short",
                (Query('60 * sum by (stage) (rate(landstream_jobs_total{outcome="done"}[5m]))', "{{stage}}"),),
            ),
            Panel("Failure records", "short", (Query("landstream_failed_jobs", "{{stage}}"),)),
        ),
    ),
    Row(
        "Durations of jobs, over an hour",
        (Panel("Median", "s", (_quantile(0.5),)), Panel("99th percentile", "s", (_quantile(0.99),))),
    ),
    Row(
        "Backlogs",
        (
            Panel(
                "Tile-weeks that no training has seen",
                "short",
                (Query("landstream_training_backlog_tile_weeks", "tile-weeks"),),
            ),
            Panel(
                "Products that no map shows yet",
                "short",
                (Query("landstream_mapping_backlog_products", "products"),),
            ),
        ),
    ),
    Row(
        "Store",
        (
            Panel(
                "Bytes, by collection",
                "bytes",
                (Query("landstream_collection_bytes", "{{collection}}"),),
                stacked=True,
            ),
            Panel("Bytes", "bytes", (Query("sum(landstream_collection_bytes)", "all collections"),), kind="stat"),
        ),
    ),
    Row(
        "Health",
        (
            Panel(
                "Services that answer",
                "short",
                (
                    Query('sum(up{job=~"landstream|serving"})', "answer"),
                    Query('count(up{job=~"landstream|serving"})', "in all"),
                ),
                kind="stat",
            ),
            Panel(
                "Since the last tick of the loop",
                "s",
                (Query("time() - landstream_last_tick_timestamp_seconds", "{{stage}}"),),
            ),
            Panel(
                "Workers lost in an hour",
                "short",
                (Query("sum by (stage, cause) (increase(landstream_workers_lost_total[1h]))", "{{stage}}: {{cause}}"),),
            ),
            Panel(
                "Attempts tried again in an hour",
                "short",
                (Query("sum by (stage) (increase(landstream_retries_total[1h]))", "{{stage}}"),),
            ),
            Panel(
                "Events and hints per minute",
                "short",
                (
                    Query("60 * max(sum by (stage) (rate(landstream_events_total[5m])))", "events on the topic"),
                    Query("60 * sum(rate(landstream_hints_total[5m]))", "hints of the sweep"),
                ),
            ),
            Panel(
                "Duration of a round of the sweep",
                "s",
                (
                    Query(
                        "sum(rate(landstream_sweep_duration_seconds_sum[5m]))"
                        " / sum(rate(landstream_sweep_duration_seconds_count[5m]))",
                        "mean",
                    ),
                    Query(
                        "histogram_quantile(0.99, sum by (le) (rate(landstream_sweep_duration_seconds_bucket[5m])))",
                        "99th percentile",
                    ),
                ),
            ),
        ),
    ),
)


def queries() -> Iterator[tuple[Panel, Query]]:
    """Yield every query, with its panel."""
    return ((panel, query) for row in ROWS for panel in row.panels for query in panel.queries)


def files() -> Files:
    """Return the dashboard, and the ConfigMap that holds it."""
    text = json.dumps(dashboard(ROWS), indent=1, ensure_ascii=False) + "\n"
    config_map = f"""\
{MADE} from tools/deploy_files/dashboard.py.
apiVersion: v1
kind: ConfigMap
metadata:
  name: landstream-dashboard
  labels:
    grafana_dashboard: "1"
data:
  landstream.json: |
{"".join(f"    {line}{chr(10)}" for line in text.splitlines())}"""
    return {PATH: text, CONFIG_MAP: config_map}


def dashboard(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": UID,
        "title": "Landstream",
        "tags": ["landstream"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_panels(rows)),
    }


def _panels(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield the panels from the top, each row's heading before what stands below it."""
    number, y = 1, 0
    for row in rows:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": place}
        number, y = number + 1, y + 1
        a_line = 2 if len(row.panels) == 2 else 3
        width = COLUMNS // a_line
        for n, panel in enumerate(row.panels):
            x, line = n % a_line * width, n // a_line
            yield _panel(panel, number, {"x": x, "y": y + line * HEIGHT, "w": width, "h": HEIGHT})
            number += 1
        y += -(-len(row.panels) // a_line) * HEIGHT


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    lines = {"drawStyle": "line", "fillOpacity": 40 if panel.stacked else 10, "stacking": stacking}
    defaults = {"unit": panel.unit, "min": 0, **({"custom": lines} if panel.kind == "timeseries" else {})}
    options: dict[str, Any] = {
        "timeseries": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name", "colorMode": "none"},
    }[panel.kind]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend}
            for n, query in enumerate(panel.queries)
        ],
    }
