"""`landstream new-service`: the files of a service that works, to be filled with what it is for."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from landstream.commands.opening import fail
from shared.stage import published, registry
from shared.stage.due import LANDING

NAME = re.compile(r"[a-z][a-z0-9_]{1,29}")
COLLECTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

FILES = {
    "services/{name}/__init__.py": '''"""An item of {consumed} goes in; an item of `{publishes}` comes out."""
''',
    "services/{name}/__main__.py": """from shared.process.command_line import main

main("{name}")
""",
    "services/{name}/stage.py": '''"""The declaration of {name}: one item for each current item of {consumed}."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.stage import Collection, Job, Settings, Source, Stage


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan one job for a current item, all of whose files are fetched."""
    if not catalogue.is_current(item):
        return []
    return [Job(collection="{publishes}", product=item.product, week=item.week, inputs=(Source(item),))]


STAGE = Stage(
    name="{name}",
    version=1,
    consumes=({consumes}),
    publishes=(Collection("{publishes}", "{title}", "One item for each current item of {consumed_plain}."),),
    plan=plan,
    process="services.{name}.process:process",
)
''',
    "services/{name}/process.py": '''"""{title}: the files of one item in, an item out."""

from __future__ import annotations

from shared.stage import NewItem, Settings, Task

TIMES = ("datetime", "start_datetime", "end_datetime")


def process(task: Task[Settings]) -> NewItem:
    """Make an item of the same place and time as the input."""
    item = task.inputs[0].item
    properties = {{name: item.properties[name] for name in TIMES if name in item.properties}}
    return NewItem(item.json["geometry"], item.json["bbox"], properties)
''',
    "tests/services/{name}/test_{name}.py": '''"""What {name} declares."""

from __future__ import annotations

from services.{name}.process import process
from services.{name}.stage import STAGE
from shared.stage import published, registry


def test_it_is_declared() -> None:
    assert STAGE.consumes == ({consumes})
    assert published(STAGE) == ("{publishes}",)
    assert registry.resolve(STAGE.process) is process
''',
}
"""Path -> text; both are formats."""


app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def new_service(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the service, as of a Python module.")],
    consumes: Annotated[list[str], typer.Option(metavar="COLLECTION", help="What it works on; may be repeated.")],
    publishes: Annotated[str, typer.Option(metavar="COLLECTION", help="Where its results go.")],
) -> None:
    """Write the files of a new service into this checkout: its folder, its test, its extra in pyproject.toml.

    What it then does is `services/NAME/stage.py` and `process.py`. `make deploy-files` makes it known everywhere else.

    Example: landstream new-service greenness --consumes cloud-masks --publishes greenness
    """
    root = Path.cwd()
    fault = _fault(root, name, consumes, publishes)
    if fault:
        fail(fault)
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "publishes": publishes,
        "consumes": ", ".join(f'"{collection}"' for collection in consumes) + ("," if len(consumes) == 1 else ""),
        "consumed_plain": " or ".join(consumes),
        "consumed": " or ".join(f"`{collection}`" for collection in consumes),
    }
    for path, text in FILES.items():
        target = root / path.format(**words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.format(**words))
        typer.echo(target.relative_to(root))
    pyproject = root / "pyproject.toml"
    pyproject.write_text(with_extra(pyproject.read_text(), name))
    typer.echo(f"pyproject.toml: the extra {name}, for the libraries of process.py")
    typer.echo("next: fill in stage.py and process.py, then `make deploy-files check test`")


def with_extra(pyproject: str, name: str) -> str:
    """Return the text of pyproject.toml with an empty extra of that name, which `all` names too.

    Args:
        pyproject: the text; its `all` is one line, after all extras of services.
        name: the extra.
    """
    everything = r'^all = \["landstream\[(.*)\]"\]$'
    return re.sub(everything, rf'{name} = []\nall = ["landstream[{name},\1]"]', pyproject, flags=re.MULTILINE)


def _fault(root: Path, name: str, consumes: list[str], publishes: str) -> str | None:
    """Return why no such service can be made, and what to do; None where it can."""
    stages = registry.all_stages()
    owners = {collection: stage.name for stage in stages for collection in published(stage)}
    known = {*owners, *(collection for stage in stages for collection in stage.consumes)} - {LANDING}
    if not (root / "services").is_dir() or not (root / "pyproject.toml").is_file():
        return f"{root}: no checkout of Landstream; go to its root"
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        return f"{name!r} is not a name of a service: give 2 to 30 small letters, digits and `_`, a letter first"
    if (root / "services" / name).exists():
        return f"services/{name} is there already; give another name"
    unknown = [collection for collection in consumes if collection not in known]
    if unknown:
        return f"{unknown[0]!r} is published by no stage; there are {', '.join(sorted(known))}"
    if not COLLECTION.fullmatch(publishes):
        return f"{publishes!r} is not a name of a collection: give small letters and digits, words joined by `-`"
    if publishes in known:
        return f"{publishes!r} is another's collection ({owners.get(publishes, 'no stage')}); give another name"
    return None
