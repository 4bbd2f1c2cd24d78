"""`python -m tests.landstream.small_disk FOLDER OPTIONS PRODUCT...`: `run` on a disk in memory, mounted on FOLDER.

Before each run the disk is mounted anew with the next option: `size=2m`, `ro`, `rw`. Prints what each ended with;
exit code 77 where nothing may be mounted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import AREAS, ROOT


def mount(folder: Path, option: str) -> None:
    """Mount a disk in memory, or change the one that is there."""
    if folder.is_mount():
        subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)
        return
    result = subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", folder], capture_output=True, text=True)
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.exit(77)


def main(folder: Path, options: list[str], products: list[str]) -> None:
    """Mount, run and look, once per option."""
    found = []
    store = folder / "store"
    command = [sys.executable, "-m", "landstream", "run", "--area", str(AREAS / "small.yaml"), "--store", str(store)]
    try:
        for option in options:
            mount(folder, option)
            result = subprocess.run([*command, "--once", *products], cwd=ROOT, capture_output=True, text=True)
            records = [str(path) for path in store.glob("failures/*/*")]
            found.append({"code": result.returncode, "errors": result.stderr, "records": records})
    finally:
        if folder.is_mount():
            subprocess.run(["umount", folder], check=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:])
