"""Makes the keys of the store's root and of each user in docker/secrets/: `make secrets`; needs nothing installed.

A key that is there is kept, so a running stack keeps working. The files are readable by all, for a container sees them
with the host's mode under another user; the folder around them is closed to other users of the host.
"""

import secrets
from pathlib import Path
from string import ascii_lowercase, digits

FOLDER = Path(__file__).parents[1] / "docker" / "secrets"
USERS = (
    # generated: begin users
    "ingest",
    "cloudmask",
    "rasterize",
    "reprojection",
    "tiler",
    "trainer",
    "inference",
    "fetch",
    "model-sync",
    "sweeper",
    "deliver",
    "operator",
    "prune",
    # generated: end users
)


def write_once(path: Path, text: str) -> None:
    """Write a file as a whole, unless it is there."""
    if not path.exists():
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text)
        partial.chmod(0o644)
        partial.rename(path)


def credentials(key: str, secret: str) -> str:
    """Return a file of credentials as AWS's clients read it."""
    return f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"


def access_key(user: str) -> str:
    """Return a new access key: short, as versitygw has little room for a policy that names them all."""
    return user[0] + "".join(secrets.choice(ascii_lowercase + digits) for _ in range(5))


def make_secrets(folder: Path) -> None:
    """Make what is missing."""
    users = folder / "users"
    users.mkdir(parents=True, exist_ok=True)
    users.chmod(0o755)
    folder.chmod(0o700)
    write_once(folder / "root_user", f"root{secrets.token_hex(8)}")
    write_once(folder / "root_password", secrets.token_hex(20))
    root = [(folder / name).read_text() for name in ("root_user", "root_password")]
    write_once(folder / "root", credentials(*root))
    for user in USERS:
        write_once(users / user, credentials(access_key(user), secrets.token_hex(20)))


if __name__ == "__main__":
    make_secrets(FOLDER)
