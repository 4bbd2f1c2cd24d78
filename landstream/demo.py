"""`make run`: simulate a season, stream it through all stages, and print where the map is.

`python -m landstream.demo FOLDER` keeps products and store below FOLDER; run again, it continues where it stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer

from shared.items.item import Item
from shared.items.stac import asset_key

AREA = Path(__file__).parent.parent / "examples" / "areas" / "demo.yaml"


def landstream(*arguments: object, capture: bool = False) -> str:
    """Run the command line as a user does; its progress shows.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "landstream", *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE if capture else sys.stderr, text=True, check=False)
    if result.returncode:
        raise SystemExit(result.returncode)
    return result.stdout or ""


def items(collection: str, store: Path) -> list[Item]:
    """Return the current items of a collection."""
    found = [json.loads(line) for line in landstream("items", collection, "--store", store, capture=True).splitlines()]
    return [Item(json_, Path(_self(json_)).parent.name) for json_ in found]


def _self(item: dict[str, Any]) -> str:
    return next(str(link["href"]) for link in item["links"] if link["rel"] == "self")


def main(folder: Path) -> None:
    """Simulate, stream, and show the map that sees most."""
    products, store = folder / "products", folder / "store"
    if not products.is_dir():
        making = folder / "products.part"
        landstream("simulate", "season", "--area", AREA, "--out", making)
        making.rename(products)
    landstream("run", "--area", AREA, "--store", store, "--once", *sorted(products.iterdir()))
    (model,) = items("models", store)
    best = max(items("land-cover-maps", store), key=lambda m: (m.properties["landstream:observed_percent"], m.week))
    metrics = model.properties["landstream:metrics"]
    typer.echo(f"model card  {(store / asset_key(model, 'card')).resolve()}")
    for name in ("accuracy", "miou", "f1_macro", "majority_accuracy"):
        typer.echo(f"{name:<18}{metrics[name]:.3f}")
    typer.echo(f"{'random forest miou':<18} {metrics['forest']['miou']:.3f}")
    typer.echo(f"picture     {(store / asset_key(best, 'quicklook')).resolve()}")
    typer.echo((store / asset_key(best, "land_cover")).resolve())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
