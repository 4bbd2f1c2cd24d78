"""The `landstream` command: which commands there are, by theme; each lies in `landstream.commands` or in a group."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from landstream.commands import arrivals, developing, doctor, failures, look, many_machines, orders, run, trace, upkeep
from landstream.commands.opening import tell_error


class LazyGroup(NamedTuple):
    """A group of subcommands whose module is imported when one of them is asked for.

    Attributes:
        app: reference to its Typer app, `module:name`.
        help: its line in `landstream --help`.
    """

    app: str
    help: str


GROUPS = {
    "area": LazyGroup("landstream.areas:app", "Write and check area files."),
    "catalogue": LazyGroup("landstream.arrivals.catalogue:app", "Search catalogues of Sentinel products, and fetch."),
    "cube": LazyGroup("landstream.cube.command:app", "Show what the cube holds, and write it for other programs."),
    "evaluate": LazyGroup("landstream.evaluate.command:app", "Score a model on labels of your own."),
    "export": LazyGroup("landstream.export.command:app", "Write the maps of a week for QGIS and other programs."),
    "model": LazyGroup("landstream.model.command:app", "Show models, and choose the champion."),
    "new-service": LazyGroup("landstream.new_service:app", "Write the files of a new service."),
    "predict": LazyGroup("landstream.predict.command:app", "Map a GeoTIFF of your own with a trained model."),
    "serve": LazyGroup("landstream.serving.command:app", "Serve a store's champion over gRPC on this machine."),
    "simulate": LazyGroup("simulator.commands:app", "Make format-faithful Sentinel and Corine products."),
    "split": LazyGroup("landstream.split.command:app", "Show what models learn from and are tested on."),
}

THEMES: Mapping[str, Sequence[Callable[..., None] | str]] = {
    "Make maps": ("area", "catalogue", run.run, run.deliver, "simulate"),
    "Learn": (orders.train, "model", "evaluate", "split"),
    "Use maps": ("export", "cube", "predict", "serve"),
    "Look": (look.status, look.maps, look.items, look.sweep, trace.trace, arrivals.account, arrivals.freshness),
    "Put right": (
        failures.failures,
        failures.requeue,
        failures.dismiss,
        arrivals.repair,
        orders.withdraw,
        orders.restore,
        orders.reprocess,
    ),
    "Keep a store": (upkeep.prune, upkeep.migrate, upkeep.digest, doctor.doctor),
    "Many machines": (many_machines.provision, many_machines.up),
    "Develop": ("new-service", developing.failpoints),
}
"""Theme -> its commands, in the order in which `--help` shows them; a text names one of `GROUPS`."""


class LazyCommands(TyperGroup):
    """The commands of `landstream`, with those groups that are imported only when they run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order in which `--help` shows them."""
        return [name_of(command) for commands in THEMES.values() for command in commands]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; for a group that is not imported yet, its name and its help."""
        if cmd_name in GROUPS:
            return TyperCommand(cmd_name, help=GROUPS[cmd_name].help)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and remaining arguments of what is to run; a group is imported here."""
        if args and args[0] in GROUPS:
            module, _, name = GROUPS[args[0]].app.partition(":")
            return args[0], typer.main.get_command(getattr(importlib.import_module(module), name)), args[1:]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands of each theme below its name."""
        width = max(map(len, self.list_commands(ctx)))
        for theme, commands in THEMES.items():
            names = list(map(name_of, commands))
            with formatter.section(theme):
                helps = (self.get_command(ctx, n).get_short_help_str(formatter.width - 6 - width) for n in names)
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in zip(names, helps, strict=True)])


def name_of(command: Any) -> str:
    """Return what a command of `THEMES` is called on the command line."""
    return command if isinstance(command, str) else str(command.__name__)


app = typer.Typer(
    name="landstream",
    cls=LazyCommands,
    help="Continuous land-cover maps from arriving Sentinel scenes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # loading what draws boxes takes longer than all the rest of `--help`
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"landstream {version('landstream')} (Python {sys.version.split()[0]})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the versions and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


for _commands in THEMES.values():
    for _command in _commands:
        if not isinstance(_command, str):
            app.command()(_command)


def main() -> None:
    """Run the command line; what a person can put right is one line on standard error and exit code 2.

    That is a store or Kafka that went away or refuses, and a library of an extra that is not installed.
    """
    try:
        app()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or (Path(__file__).parent.parent / missing).is_dir():
            raise  # a module of our own
        typer.echo(f"landstream: {missing} is not installed; install landstream[all], or the extra of this", err=True)
        sys.exit(2)
    except Exception as error:  # these classes are imported only when something was raised
        from shared.bus import BusError
        from shared.store import StoreError

        if not isinstance(error, StoreError | BusError):
            raise
        tell_error(error)
        sys.exit(2)
