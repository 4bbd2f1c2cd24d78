"""Every query of the dashboard returns a series in a real Prometheus over a recorded run; its JSON is Grafana's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, running
from tests.tools.deploy_files.record import RECORDED, end_of, read_metrics
from tests.tools.deploy_files.test_record import replay
from tools.deploy_files import dashboard, metrics
from tools.deploy_files.alerts import RULES
from tools.deploy_files.dashboard import Panel, Query
from tools.servers.prometheus import Prometheus

QUERIES = list(dashboard.queries())
JSON = json.loads((ROOT / dashboard.PATH).read_text())
PANELS = [panel for panel in JSON["panels"] if panel["type"] != "row"]
AGAIN = "record it: `python -m tests.tools.deploy_files.record`"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def text() -> str:
    """The recorded run."""
    assert RECORDED.exists(), f"{RECORDED.relative_to(ROOT)} is not there: {AGAIN}"
    return RECORDED.read_text()


@pytest.fixture(scope="module")
def prometheus(text: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus over it."""
    server = replay(text, tmp_path_factory.mktemp("recorded"))
    with running(server):
        yield server


def test_the_recording_holds_every_metric_that_is_read(text: str) -> None:
    held = {line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")}
    assert held == read_metrics(), f"{RECORDED.name} is of another version: {AGAIN}"
    assert len(text) < 300_000


@pytest.mark.parametrize(("panel", "query"), QUERIES, ids=[f"{p.title}: {q.legend}" for p, q in QUERIES])
def test_a_query_returns_series_that_its_legend_tells_apart(
    panel: Panel, query: Query, prometheus: Prometheus, text: str
) -> None:
    found = prometheus.query(query.expr, end_of(text))
    assert any(math.isfinite(float(series["value"][1])) for series in found), f"{panel.title}: {found}"
    labels = re.findall(r"{{(\w+)}}", query.legend)
    assert len({tuple(series["metric"][label] for label in labels) for series in found}) == len(found), found


def test_of_a_run_in_which_a_file_was_refused_one_alert_would_come(prometheus: Prometheus, text: str) -> None:
    assert {rule.name for rule in RULES if prometheus.query(rule.expr, end_of(text))} == {"LandstreamJobsFailed"}


def test_every_metric_that_is_read_is_declared() -> None:
    assert read_metrics() - {"up"} <= {name for metric in metrics.declared() for name in metrics.samples(metric)}


def test_panels_have_a_place_of_their_own() -> None:
    assert len({panel["id"] for panel in JSON["panels"]}) == len(JSON["panels"])
    taken = set()
    for panel in JSON["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= dashboard.COLUMNS
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_asks_the_source_that_one_chooses() -> None:
    (variable,) = JSON["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert {(JSON["uid"], JSON["editable"])} == {("landstream", False)}
    for panel in PANELS:
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [target["refId"] for target in panel["targets"]] == ["A", "B"][: len(panel["targets"])]
    assert [t["expr"] for panel in PANELS for t in panel["targets"]] == [query.expr for _, query in QUERIES]
    assert not any("$" in query.expr for _, query in QUERIES), "Prometheus knows no variables"


def test_kubernetes_gets_the_same_dashboard() -> None:
    config_map = yaml.safe_load((ROOT / dashboard.CONFIG_MAP).read_text())
    assert config_map["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert json.loads(config_map["data"]["landstream.json"]) == JSON


def test_grafana_finds_its_files() -> None:
    stack = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    grafana = stack["services"]["grafana"]
    mounted = {c["target"]: Path(stack["configs"][c["source"]]["file"]) for c in grafana["configs"]}
    provisioned = {Path(target).parts[4]: yaml.safe_load((ROOT / path).read_text())
                   for target, path in mounted.items() if "/provisioning/" in target}  # fmt: skip
    (source,) = provisioned["datasources"]["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["type"] == "prometheus"
    (provider,) = provisioned["dashboards"]["providers"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert str(Path(home).parent) == provider["options"]["path"]
    assert mounted[home] == dashboard.PATH
    assert grafana["profiles"] == ["monitoring"]
    assert grafana["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not any("PASSWORD" in name or "SECRET" in name for name in grafana["environment"])
