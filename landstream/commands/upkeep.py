"""Keep a store: `prune`, `migrate`, `digest`."""

from __future__ import annotations

from typing import Annotated

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import StoreOption
from landstream.retention import KEEP_DAYS


def prune(
    store: StoreOption,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this nothing is.")] = False,
    keep_days: Annotated[int, typer.Option(min=0, help="Days for which a replaced snapshot stays.")] = KEEP_DAYS,
    landing: Annotated[bool, typer.Option("--landing", help="Also products in landing/ that were taken in.")] = False,
) -> None:
    """Free space: show what nothing needs, or remove it.

    Shown, and with --yes removed, are snapshots of the cube that were replaced --keep-days ago or earlier and that no
    model was trained on, and what only they hold; indexes that newer ones replaced; files that killed runs left behind
    a day ago or earlier. With --landing also what lies in landing/ and is in the store as an item with all its files:
    it cannot be ingested again then.

    A store in a folder must not be in use; one on S3 may be.

    Example: landstream prune --store runs/sibiu --landing --yes
    """
    from contextlib import nullcontext
    from datetime import UTC, datetime, timedelta

    from landstream.prune import prune as free
    from landstream.workspace import WorkspaceError, existing_workspace
    from shared.run.context import Context
    from shared.store import StoreError

    found, area = opened(store)
    try:
        with existing_workspace(store) if yes and not found.remote else nullcontext():
            context = Context.of_store(found, area)
            typer.echo(f"{'':<24}{'objects':>12}{'bytes':>20}")
            keep = timedelta(days=keep_days)
            for freed in free(context, datetime.now(UTC), keep, landing=landing, rehearse=not yes):
                typer.echo(f"{freed.what:<24}{freed.objects:>12,}{freed.size:>20,}")
    except (WorkspaceError, StoreError) as error:
        fail(error)
    if not yes:
        typer.echo("nothing was removed; --yes removes it")


def migrate(store: StoreOption) -> None:
    """Carry an older version's store over to this format.

    Scenes, masks and the cube stay as they are; the next `run` makes labels, training and maps again. It may be
    ended at any time and is then to be run again. Stop all services of a store on S3 before, and use the keys of its
    administrator. Nothing is done where the store is kept in the present format.

    Example: landstream migrate --store runs/sibiu
    """
    from landstream.migrate import migrate as carry_over
    from landstream.workspace import WorkspaceError, existing_workspace
    from shared.store import StoreError

    try:
        with existing_workspace(store) as (held, folder):
            carry_over(held, folder / "work", typer.echo)
    except (WorkspaceError, StoreError) as error:
        fail(error)


def digest(
    store: StoreOption,
    content: Annotated[
        bool, typer.Option("--content", help="Only the cube's values and the maps' pixels, whatever they are called.")
    ] = False,
) -> None:
    """Print what is current, as sorted lines of sha256 and key.

    Two runs over the same products give the same text, whatever happened to them on the way.

    Example: landstream digest --store stores/sibiu > before.txt
    """
    from landstream.digest import content_lines, digest_lines
    from shared.store import ChecksumMismatch

    try:
        for line in (content_lines if content else digest_lines)(*opened(store)):
            typer.echo(line)
    except ChecksumMismatch as error:
        fail(error, 1)
