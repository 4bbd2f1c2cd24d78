"""Each alert fires on a series that should make it fire, and stays silent just below; promtool judges.

A mutation of any rule (it never fires, always does, at twice or half its threshold, or without waiting) is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from shared.stage import registry
from tests.conftest import ROOT, absent
from tools.deploy_files import alerts, prometheus
from tools.deploy_files.alerts import RULES, Rule
from tools.servers import MissingToolError, ServerError
from tools.servers.prometheus import promtool

NAMES = [rule.name for rule in RULES]
COMPARED = re.compile(r"(?<=[<>] )\d+(\.\d+)?")


@dataclass(frozen=True)
class Case:
    """Series, one sample a minute from time 0, and when an alert fires on them.

    Attributes:
        alert: its name.
        series: series -> values, as promtool writes them.
        fires: time -> the labels that the alert then fires with, one set for each; none = it is silent.
    """

    alert: str
    series: Mapping[str, str]
    fires: Mapping[str, tuple[str, ...]]

    def as_dict(self, rule: Rule) -> dict[str, object]:
        """What promtool reads."""
        own = f'alertname="{self.alert}", alertstate="firing"'
        whole = f'{own}, severity="{rule.severity}"'
        return {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in self.series.items()],
            "promql_expr_test": [
                {
                    "expr": f"ALERTS{{{own}}}",
                    "eval_time": time,
                    "exp_samples": [{"labels": f"ALERTS{{{whole}, {more}}}", "value": 1} for more in found],
                }
                for time, found in self.fires.items()
            ],
        }


def events(events: str, hints: str, done: str, due: int) -> dict[str, str]:
    """Counters that grow by so much a minute; another stage reads less, as it is busy."""
    return {
        'landstream_events_total{stage="ingest", kind="own"}': "0+0.1x240",
        'landstream_events_total{stage="trainer", kind="foreign"}': f"0+{events}x240",
        'landstream_hints_total{stage="ingest"}': f"0+{hints}x240",
        'landstream_jobs_total{stage="tiler", outcome="done"}': f"0+{done}x240",
        'landstream_jobs_total{stage="tiler", outcome="later"}': "0+9x240",
        'landstream_due_jobs{stage="tiler"}': f"{due}x240",
    }


UP = 'up{job="landstream", service="tiler"}'
SWEEPS = "landstream_sweep_duration_seconds_count"
SWEPT = "landstream_sweep_duration_seconds_sum"
DUE = "landstream_oldest_due_job_age_seconds"
ARRIVED = "landstream_last_arrival_timestamp_seconds"
LOST = "landstream_workers_lost_total"
TILER = 'stage="tiler"'
WAITED = "landstream_fetch_oldest_seconds"
FETCH_FAILED = 'landstream_fetch_failed_products{provider="cdse"}'
FETCH_MISSING = "landstream_fetch_missing_products"
VOLUME = "landstream_fetch_volume_bytes"
ANSWERED = "landstream_fetch_answered_timestamp_seconds"


def volume(used: float) -> dict[str, str]:
    """A volume of 100 GB, so much of it used."""
    return {f'{VOLUME}{{what="used"}}': f"{used}x30", f'{VOLUME}{{what="limit"}}': "1e11x30"}


CASES = (
    Case("LandstreamServiceDown", {UP: "1x10 0x20"}, {"15m": (), "17m": ('job="landstream", service="tiler"',)}),
    Case(
        "LandstreamServiceDown",
        {'up{job="serving", service="serving"}': "0x20"},
        {"6m": ('job="serving", service="serving"',)},
    ),
    Case("LandstreamServiceDown", {UP: "1x10 0x2 1x20"}, {"11m": (), "13m": (), "20m": ()}),
    Case("LandstreamServiceDown", {'up{job="node"}': "0x60"}, {"30m": ()}),
    Case(
        "LandstreamLoopHangs",
        {f"landstream_last_tick_timestamp_seconds{{{TILER}}}": "0x60"},
        {"15m": (), "16m": (), "18m": (TILER,)},
    ),
    Case("LandstreamLoopHangs", {f"landstream_last_tick_timestamp_seconds{{{TILER}}}": "0+60x60"}, {"60m": ()}),
    # The sweeper is gone; it hangs; it never was.
    Case("LandstreamNoSweep", {SWEEPS: "0+6x30"}, {"44m": (), "47m": (), "52m": ("",)}),
    Case("LandstreamNoSweep", {SWEEPS: "0+6x30 180x60"}, {"44m": (), "47m": (), "52m": ("",)}),
    Case("LandstreamNoSweep", {"up": "1x30"}, {"4m": (), "6m": ("",)}),
    Case("LandstreamNoSweep", {SWEEPS: "0+1x60"}, {"10m": (), "60m": ()}),
    Case("LandstreamSweepSlow", {SWEEPS: "0+1x120", SWEPT: "0+70x120"}, {"29m": (), "60m": ("",)}),
    Case("LandstreamSweepSlow", {SWEEPS: "0+1x120", SWEPT: "0+50x120"}, {"60m": (), "120m": ()}),
    Case("LandstreamJobsFailed", {f"landstream_failed_jobs{{{TILER}}}": "0x10 1x30"}, {"20m": (), "22m": (TILER,)}),
    Case("LandstreamJobsFailed", {f"landstream_failed_jobs{{{TILER}}}": "0x60"}, {"60m": ()}),
    Case("LandstreamJobDueLong", {f"{DUE}{{{TILER}}}": "8000x30"}, {"9m": (), "11m": (TILER,)}),
    Case("LandstreamJobDueLong", {f'{DUE}{{stage="trainer"}}': "44000x30"}, {"9m": (), "11m": ('stage="trainer"',)}),
    Case(
        "LandstreamJobDueLong",
        {f"{DUE}{{{TILER}}}": "7000x30", f'{DUE}{{stage="trainer"}}': "42000x30"},
        {"11m": (), "30m": ()},
    ),
    # Time begins at 0: what arrived before has a negative time.
    Case("LandstreamNoArrivals", {f'{ARRIVED}{{sensor="msi"}}': "-520000x90"}, {"59m": (), "61m": ('sensor="msi"',)}),
    Case("LandstreamNoArrivals", {f'{ARRIVED}{{sensor="olci"}}': "-260000x90"}, {"59m": (), "61m": ('sensor="olci"',)}),
    Case(
        "LandstreamNoArrivals",
        {f'{ARRIVED}{{sensor="msi"}}': "-500000x90", f'{ARRIVED}{{sensor="olci"}}': "-240000x90"},
        {"61m": (), "90m": ()},
    ),
    Case(
        "LandstreamMapsLate",
        {"landstream_freshness_seconds": "50000x90", "landstream_mapping_backlog_products": "1x90"},
        {"59m": (), "61m": ("",)},
    ),
    Case(
        "LandstreamMapsLate",
        {"landstream_freshness_seconds": "40000x90", "landstream_mapping_backlog_products": "9x90"},
        {"90m": ()},
    ),
    Case(
        "LandstreamMapsLate",
        {"landstream_freshness_seconds": "50000x90", "landstream_mapping_backlog_products": "0x90"},
        {"90m": ()},
    ),
    Case("LandstreamFetchLate", {f'{WAITED}{{lane="forward"}}': "22000x30"}, {"4m": (), "6m": ("",)}),
    Case(
        "LandstreamFetchLate",
        {f'{WAITED}{{lane="forward"}}': "21000x30", f'{WAITED}{{lane="backfill"}}': "900000x30"},
        {"30m": ()},
    ),
    Case("LandstreamFetchFailed", {FETCH_FAILED: "0x10 1x30"}, {"20m": (), "22m": ("",)}),
    Case("LandstreamFetchFailed", {FETCH_FAILED: "0x60"}, {"60m": ()}),
    Case("LandstreamFetchMissing", {f'{FETCH_MISSING}{{state="fetching"}}': "0x10 1x30"}, {"20m": (), "22m": ("",)}),
    Case(
        "LandstreamFetchMissing",
        {f'{FETCH_MISSING}{{state="fetching"}}': "0x60", f'{FETCH_MISSING}{{state="found"}}': "9x60"},
        {"60m": ()},
    ),
    # One recount a day. A backlog that stands, and one that grows; one that is worked off, after late recounts.
    Case(
        "LandstreamFetchStands",
        {f'{FETCH_MISSING}{{state="found"}}': "0x1440 9x1900", f'{FETCH_MISSING}{{state="fetching"}}': "0x3400"},
        {"2870m": (), "3200m": (), "3260m": ("",)},
    ),
    Case("LandstreamFetchStands", {f'{FETCH_MISSING}{{state="found"}}': "9x1440 12x400"}, {"1820m": ("",)}),
    Case(
        "LandstreamFetchStands",
        {f'{FETCH_MISSING}{{state="found"}}': "9x1500 6x1440 2x500", f'{FETCH_MISSING}{{state="deferred"}}': "5x3400"},
        {"1490m": (), "1900m": (), "2990m": (), "3400m": ()},
    ),
    Case("LandstreamFetchVolume", volume(85e9), {"4m": (), "6m": ("",)}),
    Case("LandstreamFetchVolume", volume(75e9), {"30m": ()}),
    Case("LandstreamFetchVolume", {f'{VOLUME}{{what="used"}}': "9e12x30"}, {"30m": ()}),
    Case(
        "LandstreamProviderSilent",
        {f'{ANSWERED}{{provider="cdse"}}': "60x120"},
        {"60m": (), "64m": (), "67m": ("",)},
    ),
    Case("LandstreamProviderSilent", {f'{ANSWERED}{{provider="cdse"}}': "1+60x20 1200x37"}, {"57m": ()}),
    Case(
        "LandstreamWorkersLost",
        {f'{LOST}{{{TILER}, cause="memory"}}': "0+0.12x120"},
        {"120m": (f'{TILER}, cause="memory"',)},
    ),
    Case("LandstreamWorkersLost", {f'{LOST}{{{TILER}, cause="memory"}}': "0+0.07x120"}, {"120m": ()}),
    Case("LandstreamWorkersLost", {f'{LOST}{{{TILER}, cause="crash"}}': "4x30 5 6 7x60"}, {"60m": (), "90m": ()}),
    # 60 jobs an hour. Less than 30 events that are no hints; hints few; a long queue.
    Case("LandstreamEventsLost", events("1.3", "1", "1", 60), {"240m": ("",)}),
    Case("LandstreamEventsLost", events("0.8", "0.5", "1", 60), {"60m": (), "240m": ("",)}),
    Case("LandstreamEventsLost", events("1.7", "1", "1", 60), {"240m": ()}),
    Case("LandstreamEventsLost", events("0.5", "0.25", "1", 60), {"240m": ()}),
    Case("LandstreamEventsLost", events("1.3", "1", "1", 150), {"240m": ()}),
)  # fmt: skip


def judge(folder: Path, rules: tuple[Rule, ...]) -> None:
    """Let promtool look at all cases of the rules; ServerError where one is not as it should be."""
    by_name = {rule.name: rule for rule in rules}
    (folder / "rules.yml").write_text(alerts.groups(rules))
    tests = [case.as_dict(by_name[case.alert]) for case in CASES if case.alert in by_name]
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "test.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    try:
        promtool("test", "rules", folder / "test.yml")
    except MissingToolError as error:
        absent(error)


def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    judge(tmp_path, RULES)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_case_that_fires_and_one_that_is_silent(name: str) -> None:
    cases = [case for case in CASES if case.alert == name]
    assert any(labels for case in cases for labels in case.fires.values())
    assert any(not any(case.fires.values()) for case in cases)
    assert len(set(NAMES)) == len(NAMES)


def mutants() -> Iterator[tuple[str, Rule]]:
    """Rules that are wrong in one place, and where."""
    for rule in RULES:
        yield f"{rule.name} never fires", replace(rule, expr=f"({rule.expr}) unless on () vector(1)")
        yield f"{rule.name} always fires", replace(rule, expr="vector(1)")
        yield f"{rule.name} waits for ever", replace(rule, wait="30d")
        if rule.wait != "0s":
            yield f"{rule.name} does not wait", replace(rule, wait="0s")
        for found in COMPARED.finditer(rule.expr):
            for factor in (2, 0.5):
                number = float(found.group())
                expr = f"{rule.expr[: found.start()]}{number * factor:g}{rule.expr[found.end() :]}"
                if number:
                    yield f"{rule.name} has {number * factor:g} for {number:g}", replace(rule, expr=expr)


@pytest.mark.parametrize("mutant", [pytest.param(rule, id=what) for what, rule in mutants()])
def test_a_wrong_rule_is_found(mutant: Rule, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="FAILED"):
        judge(tmp_path, (mutant,))


def test_prometheus_takes_rules_and_configuration() -> None:
    try:
        promtool("check", "rules", ROOT / alerts.PATH)
        promtool("check", "config", ROOT / prometheus.PATH)
    except MissingToolError as error:
        absent(error)
    assert yaml.safe_load((ROOT / prometheus.PATH).read_text())["rule_files"] == [alerts.PATH.name]


def test_rules_are_the_same_on_kubernetes() -> None:
    resource = yaml.safe_load((ROOT / alerts.OPERATOR).read_text())
    assert resource["kind"] == "PrometheusRule"
    assert resource["spec"] == yaml.safe_load((ROOT / alerts.PATH).read_text())


def test_an_alert_names_stages_that_exist_and_a_section_that_exists() -> None:
    stages = registry.names()
    for rule in RULES:
        assert set(re.findall(r'stage!?="(\w+)"', rule.expr)) <= {*stages}
        path, _, anchor = rule.page.partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, rule.name
        for text in (rule.summary, rule.reason, rule.action):
            assert 10 < len(text) < 250, rule.name
