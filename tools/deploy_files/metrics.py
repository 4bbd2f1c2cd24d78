"""The metrics that the services expose, for the table in docs/operations.md."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from shared.observe import metrics

HEAD = ("metric", "labels", "meaning")


def declared() -> list[MetricWrapperBase]:
    """Return every metric, in the order of the declarations."""
    return [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]


def samples(metric: MetricWrapperBase) -> tuple[str, ...]:
    """Return the names under which Prometheus finds a metric."""
    (family,) = metric.describe()
    if isinstance(metric, Histogram):
        return tuple(f"{family.name}_{suffix}" for suffix in ("bucket", "sum", "count"))
    return (f"{family.name}_total" if isinstance(metric, Counter) else family.name,)


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield (name, labels, meaning) of every metric."""
    for metric in declared():
        (family,) = metric.describe()
        name = family.name if isinstance(metric, Histogram) else samples(metric)[0]
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        yield f"`{name}`", labels, family.documentation
