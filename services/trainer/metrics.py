"""What is said of a model's maps of the hold-out: measures, those of each class, and how sure they are."""

from __future__ import annotations

from typing import Any

from services.trainer.bootstrap import BlockConfusions, intervals
from services.trainer.score import measure
from shared.area import Area


def hold_out_metrics(area: Area, scored: BlockConfusions) -> dict[str, Any]:
    """Return `landstream:metrics` of a model's item, without what was trained beside it.

    Args:
        area: names the classes.
        scored: its maps of the tested blocks.
    """
    measures = measure(scored.total)
    per_class = {
        value: {"code": c.code, "name": c.name, **measures["per_class"][value]}
        for value, c in ((str(v), c) for v, c in area.labels.values.items())
    }
    return {
        **measures,
        "per_class": per_class,
        "blocks": len(scored.blocks),
        "interval_95": intervals(scored.blocks),
        "confusion": scored.total.tolist(),
    }
