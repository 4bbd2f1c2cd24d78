"""The tables of the pages: services in README.md; users, settings, metrics and alerts in docs/operations.md."""

import ast
from collections.abc import Iterable
from pathlib import Path

from landstream.provision.grants import grants
from shared.stage import Stage, published, registry
from tools.deploy_files import metrics, settings
from tools.deploy_files.alerts import RULES
from tools.deploy_files.blocks import fill
from tools.deploy_files.project import ROOT, Files

README = Path("README.md")
OPERATIONS = Path("docs/operations.md")


def files() -> Files:
    """Return both pages."""
    services = table(("service", "consumes", "publishes", "what it does"), map(row_of_stage, registry.all_stages()))
    users = table(
        ("user", "writes", "deletes"),
        ((f"`{g.user}`", quoted(g.writes), quoted(g.deletes)) for g in grants()),
    )
    alerts = table(
        ("alert", "severity", "fires", "do"), ((f"`{r.name}`", r.severity, r.reason, r.action) for r in RULES)
    )
    operations = (ROOT / OPERATIONS).read_text()
    for name, content in {
        "users": users,
        "settings": table(settings.HEAD, settings.rows()),
        "metrics": table(metrics.HEAD, metrics.rows()),
        "alerts": alerts,
    }.items():
        operations = fill(operations, name, content)
    return {README: fill((ROOT / README).read_text(), "services", services), OPERATIONS: operations}


def row_of_stage(stage: Stage) -> tuple[str, ...]:
    """Return the row of a stage; what it does is the first sentence of its package."""
    package = ast.get_docstring(ast.parse((ROOT / "services" / stage.name / "__init__.py").read_text())) or ""
    return f"`{stage.name}`", quoted(stage.consumes), quoted(published(stage)), package.split("\n")[0].rstrip(".")


def quoted(names: Iterable[str]) -> str:
    """Return the names as code; `nothing` where there are none."""
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of Markdown, which empty lines frame: comments do not end a paragraph."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + "\n"
