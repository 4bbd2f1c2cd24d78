"""The pictures of the pages in `docs/`, made from stores: `python -m tools.pictures DEMO [REAL]`.

DEMO is the store of `make run` (runs/demo/store). REAL is a store of the real scene west of Berlin, as README makes it.
Needs Chromium, for the model card: Debian's package `chromium`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path
from typing import Final

from PIL import Image
from rich.console import Console
from rich.text import Text

from landstream.result import Result, result_of
from landstream.workspace import open_bound
from shared.run.context import Context
from tests.landstream.terminal import on_terminal

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs" / "pictures"
QUICKLOOK, CARD, TERMINAL, REAL = "quicklook.png", "card.png", "terminal.svg", "brandenburg.png"
WIDTH_PX: Final = 1200
COLOURS: Final = 128
"""Of a picture's palette: maps have few, and a page loads the faster."""
CARD_SIZE: Final = "1100,1700"
COLUMNS: Final = 146
COMMANDS: Final = (("status",), ("maps", "--latest"))


def main(demo: Path, real: Path | None) -> None:
    """Make the pictures."""
    PICTURES.mkdir(exist_ok=True)
    result = result_of_store(demo)
    assert result.map is not None, f"{demo}: no map"
    assert result.model is not None, f"{demo}: no model"
    shrink(Path(result.map.quicklook), PICTURES / QUICKLOOK)
    photograph(Path(result.model.card), PICTURES / CARD)
    (PICTURES / TERMINAL).write_text(terminal(demo), encoding="utf-8")
    if real is not None:
        newest = result_of_store(real).map
        assert newest is not None, f"{real}: no map"
        shrink(Path(newest.quicklook), PICTURES / REAL)


def result_of_store(store: Path) -> Result:
    """What a store has come to."""
    opened, area = open_bound(str(store))
    return result_of(opened, Context.of_store(opened, area).reader.snapshot())


def shrink(source: Path, target: Path) -> None:
    """Write a picture as a page needs it: no wider than the page, few colours."""
    with Image.open(source) as picture:
        small = picture.convert("RGB")
        small.thumbnail((WIDTH_PX, 10 * WIDTH_PX))
        small.quantize(COLOURS).save(target, optimize=True)


def photograph(page: Path, target: Path) -> None:
    """Show a page in a browser without a window, and keep what it shows."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("pictures: Chromium is not on the PATH; install it (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", f"--user-data-dir={folder}/user"]
        command = [browser, *options, f"--window-size={CARD_SIZE}", f"--screenshot={shot}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        shrink(shot, target)


def terminal(store: Path) -> str:
    """What a person sees on a terminal, as SVG; the store is called as README calls it."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    for command in COMMANDS:
        console.print(Text(f"$ landstream {' '.join(command)} --store stores/demo", style="bold"))
        lines = on_terminal(*command, "--store", store, columns=COLUMNS + len(str(store.resolve())))
        said = "\n".join(lines).replace(str(store.resolve()), "stores/demo")
        console.print(Text.from_ansi(said.rstrip()), soft_wrap=False)
        console.print()
    # The fonts that Rich names lie on a server; a page in a repository has the reader's own.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="landstream"), flags=re.DOTALL)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
