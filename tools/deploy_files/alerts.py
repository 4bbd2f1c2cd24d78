"""The alert rules, for Prometheus in compose and for the Prometheus Operator on Kubernetes.

Each asks for a person: what mends itself within its time is no alert. A threshold says where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import yaml

from shared.process.service import ALIVE_S
from tools.deploy_files.project import MADE, Files

PATH: Final = Path("docker/alerts.yml")
OPERATOR: Final = Path("k8s/monitoring/alerts.yaml")
HEAD: Final = f"{MADE} from tools/deploy_files/alerts.py.\n"
GROUP: Final = "landstream"

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        name: of the alert.
        expr: PromQL; what it returns is alerted.
        wait: how long it has to hold, as Prometheus writes durations.
        severity: `critical` where the stream stands still or is blind, `warning` where a person should look today.
        summary: one line, with Prometheus's templates.
        reason: when it fires, and where the threshold comes from.
        action: what to do.
        page: the page and section that says more, as a link from the root of the repository.
    """

    name: str
    expr: str
    wait: str
    severity: Literal["critical", "warning"]
    summary: str
    reason: str
    action: str
    page: str

    def as_dict(self) -> dict[str, object]:
        """Return the rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": f"{self.reason} {self.action}",
                "runbook": self.page,
            },
        }


WAITS: Final = "docs/runbook.md#something-waits-for-long"
MISSING: Final = "docs/runbook.md#why-is-this-scene-missing"
WELL: Final = "docs/operations.md#is-all-well"

RULES: Final = (
    Rule(
        name="LandstreamServiceDown",
        expr='up{job=~"landstream|serving"} == 0',
        wait="5m",
        severity="critical",
        summary="{{ $labels.service }} does not answer",
        reason="No answer for 5 minutes; a restart takes two at most.",
        action="Its log says why it ended, or what it waits for; what was under way is done again by itself.",
        page=WELL,
    ),
    Rule(
        name="LandstreamLoopHangs",
        expr=f"time() - landstream_last_tick_timestamp_seconds > {ALIVE_S:.0f}",
        wait="1m",
        severity="critical",
        summary="{{ $labels.stage }} has been silent for {{ $value | humanizeDuration }}",
        reason=f"The loop has not ticked for {ALIVE_S / 60:.0f} minutes, after which `/healthz` too calls it hung.",
        action="Keep its log, restart it: Kubernetes has tried that already, compose has not.",
        page=WELL,
    ),
    Rule(
        name="LandstreamNoSweep",
        expr="absent(rate(landstream_sweep_duration_seconds_count[15m]) > 0)",
        wait="5m",
        severity="critical",
        summary="no round of the sweep has ended for 20 minutes",
        reason="No round for 20 minutes; they are seconds apart. Without them lost events stay lost; nothing trains.",
        action="Look whether the sweeper runs, whether it is scraped, and at its `/readyz`.",
        page=WELL,
    ),
    Rule(
        name="LandstreamSweepSlow",
        expr=(
            "sum(rate(landstream_sweep_duration_seconds_sum[30m]))"
            " / sum(rate(landstream_sweep_duration_seconds_count[30m])) > 60"
        ),
        wait="30m",
        severity="warning",
        summary="a round of the sweep takes {{ $value | humanizeDuration }}",
        reason=(
            "Above a minute for an hour. A round looks at weeks for 30 s at most, however many there are; more than "
            "that is a slow store or a slow bus."
        ),
        action="Look at the store's own latencies, and at the network between it and the sweeper.",
        page=WAITS,
    ),
    Rule(
        name="LandstreamJobsFailed",
        expr="landstream_failed_jobs > 0",
        wait="10m",
        severity="warning",
        summary="{{ $value }} failure records of {{ $labels.stage }} stand",
        reason="A record has stood for ten minutes, which leaves time for whoever is dealing with it.",
        action="`landstream failures` says what failed and what to do; then `landstream requeue ID`, or `dismiss ID`.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamJobDueLong",
        expr=(
            f'landstream_oldest_due_job_age_seconds{{stage!="trainer"}} > {2 * HOUR_S}'
            f' or landstream_oldest_due_job_age_seconds{{stage="trainer"}} > {12 * HOUR_S}'
        ),
        wait="10m",
        severity="warning",
        summary="a job of {{ $labels.stage }} has been due for {{ $value | humanizeDuration }}",
        reason=(
            "Due for 2 hours: twice what an incomplete delivery may wait (`patience_s`), and the sweep has hinted it "
            "a dozen times. Training: 12 hours, as one may take several."
        ),
        action="If the stage does jobs, add replicas; if it does none, its log and its `/readyz` say why.",
        page=WAITS,
    ),
    Rule(
        name="LandstreamNoArrivals",
        expr=(
            f'time() - landstream_last_arrival_timestamp_seconds{{sensor="msi"}} > {6 * DAY_S}'
            f' or time() - landstream_last_arrival_timestamp_seconds{{sensor="olci"}} > {3 * DAY_S}'
        ),
        wait="1h",
        severity="warning",
        summary="no scene of {{ $labels.sensor }} has arrived for {{ $value | humanizeDuration }}",
        reason=(
            "None for 6 days of Sentinel-2, for 3 of OLCI: they pass every place within 5 and within 2, and a day more "
            "is for late deliveries. An area whose years are over expects none: silence this alert there."
        ),
        action="Look at what delivers into `landing/`, then `landstream trace WEEK` for what came and was refused.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamMapsLate",
        expr=f"landstream_freshness_seconds > {12 * HOUR_S} and on (sensor) landstream_mapping_backlog_products > 0",
        wait="1h",
        severity="warning",
        summary="half of the last scenes took more than {{ $value | humanizeDuration }} to their first map",
        reason=(
            "The median of the last 100 scenes is above 12 hours, a morning's pass is not mapped on its day, and "
            "products wait. Scenes from before the first training raise the median too, but then nothing waits."
        ),
        action="`landstream status` tells which stage is behind: give it replicas, or see why it stands.",
        page=WAITS,
    ),
    Rule(
        name="LandstreamFetchLate",
        expr=f'max(landstream_fetch_oldest_seconds{{lane="forward"}}) > {6 * HOUR_S}',
        wait="5m",
        severity="warning",
        summary="a product that was sensed just now has waited {{ $value | humanizeDuration }} to be fetched",
        reason="Above 6 hours: of a place a morning's passes bring a few products, each fetched within minutes.",
        action="`landstream account` says what each waits for: an archive, the volume, the provider, free space.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamFetchFailed",
        expr="max(landstream_fetch_failed_products) > 0",
        wait="10m",
        severity="warning",
        summary="{{ $value }} failures of fetching stand: of products, searches or credentials",
        reason=(
            "A product was tried several times, and is not tried any more by itself; a search, or credentials, were "
            "refused for ten minutes."
        ),
        action="`landstream failures` says which, why and what to do; `landstream repair` tries products again.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamFetchMissing",
        expr='max(landstream_fetch_missing_products{state="fetching"}) > 0',
        wait="10m",
        severity="warning",
        summary="{{ $value }} products that the catalogue named a day ago were tried, and did not come",
        reason=(
            "Two recounts, of two days, named them, and no try ended well; those that wait their turn, or for an "
            "archive, are not among them."
        ),
        action="`landstream account` says what each waits for: the provider, the volume, free space.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamFetchStands",
        expr=(
            'max(landstream_fetch_missing_products{state="found"})'
            ' >= (max(landstream_fetch_missing_products{state="found"} offset 1d) > 0)'
        ),
        wait="6h",
        severity="warning",
        summary="{{ $value }} products that the catalogue named wait, and they have not become fewer in a day",
        reason=(
            "Two recounts named them, and of a backlog that is worked off each recount names fewer: volume or free "
            "space is lacking. Six hours are for a recount that takes its time."
        ),
        action="`landstream account` says what they wait for: raise `monthly_gb`, or give the work folder more room.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamFetchVolume",
        expr=(
            'max(landstream_fetch_volume_bytes{what="used"}) / max(landstream_fetch_volume_bytes{what="limit"}) > 0.8'
        ),
        wait="5m",
        severity="warning",
        summary="{{ $value | humanizePercentage }} of the monthly volume is used up",
        reason="Above 80 % of the area's `monthly_gb`, counted over 30 days; at 100 % fetching waits.",
        action="Raise `monthly_gb`, if the provider allows that, or narrow `source:`, such as by `max_cloud_percent`.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamProviderSilent",
        expr=f"time() - max(landstream_fetch_answered_timestamp_seconds) > {HOUR_S}",
        wait="5m",
        severity="warning",
        summary="the provider has answered no search for {{ $value | humanizeDuration }}",
        reason="No search was answered for an hour; there are a dozen in one. It goes on by itself when it answers.",
        action="`landstream failures` says how it answers. Look at its status page, and at `source:` and credentials.",
        page=MISSING,
    ),
    Rule(
        name="LandstreamWorkersLost",
        expr="sum by (stage, cause) (increase(landstream_workers_lost_total[1h])) > 5",
        wait="0s",
        severity="warning",
        summary="{{ $labels.stage }} lost {{ $value | humanize }} workers in an hour ({{ $labels.cause }})",
        reason=(
            "More than 5 in an hour. A job is attempted three times and then ends in a failure record; this is more "
            "than one such job."
        ),
        action="Its log names the products. `memory`: is the machine, or the pod, smaller than the runbook says?",
        page="docs/runbook.md#how-large-a-machine",
    ),
    Rule(
        name="LandstreamEventsLost",
        expr=(
            "max(sum by (stage) (increase(landstream_events_total[1h]))) - sum(increase(landstream_hints_total[1h]))"
            ' < 0.5 * sum(increase(landstream_jobs_total{outcome="done"}[1h]))'
            " and sum(increase(landstream_hints_total[1h])) > 20 and sum(landstream_due_jobs) < 100"
        ),
        wait="30m",
        severity="warning",
        summary="the store's events do not arrive: work is done by hints of the sweep",
        reason=(
            "For half an hour the events on the topic, less the hints of the sweep, were fewer than half of the jobs "
            "done, each of which gives one of the store. A long queue is hinted anyway, and is not judged."
        ),
        action="All is still mapped, but later. `landstream provision` proves the way of events and says what to mend.",
        page=WELL,
    ),
)


def files() -> Files:
    """Return the rules for both."""
    operator = f"""\
{HEAD}apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: landstream
spec:
{_indented(groups(RULES), 2)}"""
    return {PATH: HEAD + groups(RULES), OPERATOR: operator}


def groups(rules: tuple[Rule, ...]) -> str:
    """Return a file of rules as Prometheus reads it."""
    shown = (yaml.safe_dump([rule.as_dict()], sort_keys=False, width=10_000, allow_unicode=True) for rule in rules)
    return f"groups:\n  - name: {GROUP}\n    rules:\n" + "".join(_indented(text, 6) for text in shown)


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())
