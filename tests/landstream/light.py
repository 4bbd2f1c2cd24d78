"""Commands of `landstream` in a process that cannot import certain packages: `python light.py JSON`.

The JSON holds `commands`, a list of argument lists, and `without`, the top-level packages that are not to be found.
Printed is JSON: the exit code and the standard error of each command, and the top-level packages that were imported.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import io
import json
import sys


class Absent(importlib.abc.MetaPathFinder):
    """Finds nothing where packages are that shall not be installed, as Python does where they are not."""

    def __init__(self, packages: list[str]) -> None:
        self._packages = set(packages)

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main() -> None:
    asked = json.loads(sys.argv[1])
    sys.meta_path.insert(0, Absent(asked["without"]))
    codes, errors = [], []
    for arguments in asked["commands"]:
        sys.argv = ["landstream", *arguments]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as error:
            from landstream.cli import main as landstream

            try:
                landstream()
                codes.append(0)
            except SystemExit as end:
                codes.append(end.code or 0)
        errors.append(error.getvalue())
    print(json.dumps({"codes": codes, "errors": errors, "loaded": sorted({m.partition(".")[0] for m in sys.modules})}))


main()
