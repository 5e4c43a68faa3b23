"""The command line: one small file for each group of commands, all of them listed here.

`main` is the console script. Nothing heavy is imported before a command needs it: `tactful --help` answers at once.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from tactful.engine.cli import consent, contacts_import, dnc, review
from tactful.engine.cli.backtest import backtest
from tactful.engine.cli.catalogue import elements, schema
from tactful.engine.cli.check import check
from tactful.engine.cli.demo import demo
from tactful.engine.cli.erase import erase
from tactful.engine.cli.flows import pause, publish, resume, stop
from tactful.engine.cli.frame import (
    CONTACTS,
    DO_NOT_CONTACT,
    LOOK,
    RUN,
    START,
    WRITE,
    Command,
    group,
)
from tactful.engine.cli.inbound import inbound
from tactful.engine.cli.look import journey, journeys, messages
from tactful.engine.cli.migrate import migrate
from tactful.engine.cli.people import enter, event, leave
from tactful.engine.cli.picture import draw
from tactful.engine.cli.preview import preview, send_test
from tactful.engine.cli.scenarios import test
from tactful.engine.cli.serve import halt, resume_sending, serve
from tactful.engine.cli.settle import settle
from tactful.engine.cli.simulate import simulate
from tactful.engine.cli.start import init
from tactful.engine.cli.status import status

__all__ = ["app", "main"]

COMMANDS: tuple[tuple[str, tuple[Callable[..., Any] | typer.Typer, ...]], ...] = (
    (START, (demo, init)),
    (WRITE, (check, test, simulate, backtest, preview, send_test, draw, elements, schema)),
    (RUN, (publish, serve, pause, resume, stop, halt, resume_sending, migrate)),
    (CONTACTS, (contacts_import.app, enter, leave, event, erase)),
    (DO_NOT_CONTACT, (dnc.app, inbound, review.app, consent.app)),
    (LOOK, (status, journeys, journey, messages, settle)),
)
"""All commands by panel. A function's name, with `-` for `_`, is the command; groups are named below."""

_GROUPS = {id(contacts_import.app): "import", id(dnc.app): "dnc", id(review.app): "review", id(consent.app): "consent"}

app = group(
    "Customer-messaging flows that take no for an answer.\n\n"
    "`tactful COMMAND --help` explains a command, with an example."
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tactful {version('tactful')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options without a command."""


for _panel, _commands in COMMANDS:
    for _command in _commands:
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_GROUPS[id(_command)], rich_help_panel=_panel)
        else:
            app.command(_command.__name__.replace("_", "-"), cls=Command, rich_help_panel=_panel)(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command (`sys.argv` without its first, where None), and leave by SystemExit with its exit code."""
    gc.set_threshold(50_000, 20, 50)  # most commands end before there is garbage worth looking for
    for stream in (sys.stdout, sys.stderr):  # a terminal without our letters shows `?` instead of failing
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        try:
            app(arguments, prog_name="tactful")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
