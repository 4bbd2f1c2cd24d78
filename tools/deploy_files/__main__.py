"""`python -m tools.deploy_files [--check]`: write what differs, or name it and exit with 1."""

import sys
from pathlib import Path

from tools.deploy_files import alerts, compose, dashboard, manifests, prometheus, tables, users
from tools.deploy_files.project import MADE, ROOT, Files

MODULES = (compose, prometheus, alerts, dashboard, users, manifests, tables)


def wanted() -> Files:
    """Return every generated file, as it should be."""
    return {path: text for module in MODULES for path, text in module.files().items()}


def differing(files: Files) -> list[Path]:
    """Return those that are not as they should be, and generated ones whose service is gone."""
    changed = [path for path, text in files.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    made = (path for path in (ROOT / manifests.FOLDER).glob("*.yaml") if path.read_text().startswith(MADE))
    gone = [path.relative_to(ROOT) for path in made if path.relative_to(ROOT) not in files]
    return sorted({*changed, *gone})


def main(check: bool) -> int:
    """Write what differs, or only name it; return 1 if something differs that was only named."""
    files = wanted()
    changed = differing(files)
    for path in changed:
        if check:
            print(f"{path}: is not what the services declare; run `make deploy-files`", file=sys.stderr)
        elif path in files:
            (ROOT / path).write_text(files[path])
            print(f"{path}: written")
        else:
            (ROOT / path).unlink()
            print(f"{path}: removed")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
