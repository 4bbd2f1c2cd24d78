"""`make run`: simulate a season, stream it through all stages, and print the result.

`python -m landstream.demo FOLDER` keeps products and store below FOLDER; run again, it continues where it stopped.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TextIO

import typer

from landstream.result import result_of
from landstream.workspace import open_bound
from shared.run.context import Context

AREA = Path(__file__).parent.parent / "examples" / "areas" / "demo.yaml"


def landstream(*arguments: object, output: TextIO = sys.stdout) -> None:
    """Run the command line as a user does.

    Args:
        arguments: of the command.
        output: where its standard output goes; its progress shows on standard error.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "landstream", *map(str, arguments)]
    result = subprocess.run(command, stdout=output, check=False)
    if result.returncode:
        raise SystemExit(result.returncode)


def main(folder: Path) -> None:
    """Simulate and stream; `run` ends with the result, and this with the path of the newest map."""
    products, store = folder / "products", folder / "store"
    if not products.is_dir():
        making = folder / "products.part"
        landstream("simulate", "season", "--area", AREA, "--out", making, output=sys.stderr)
        making.rename(products)
    landstream("run", "--area", AREA, "--store", store, "--once", *sorted(products.iterdir()))
    opened, area = open_bound(str(store))
    newest = result_of(opened, Context.of_store(opened, area).reader.snapshot()).map
    if newest is None:
        raise SystemExit("landstream: no map was made; the lines above say why")
    typer.echo(newest.path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
