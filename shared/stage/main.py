"""One service alone: do what is due for it in a store, then end. `python -m services.NAME --store DIR`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from shared.area import Area
from shared.observe.logs import configure_logs
from shared.stage import registry
from shared.stage.due import survey
from shared.stage.runner import Runner
from shared.stage.surroundings import Surroundings
from shared.store import FolderStore


def main(name: str) -> None:
    """Run the service `name` over a folder store: everything that is due for it now, once."""
    stage = registry.load(name)
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}", description=f"{stage.name}: do what is due.")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="folder of a store that `run` made")
    root: Path = parser.parse_args().store
    if not (root / "area.json").is_file():
        parser.error(f"{root}: no store here; `landstream run` makes one")
    configure_logs(sys.stderr)
    store = FolderStore(root)
    with store.exclusive():
        area = Area.model_validate(json.loads(store.get("area.json")))
        around = Surroundings.of_folder(store, area)
        runner = Runner(stage, registry.module_of(name), around)
        try:
            for source, _ in survey(stage, around.reader.snapshot(), area, runner.settings, around.units()).due:
                runner.work_on(source)
        finally:
            runner.child.close()
