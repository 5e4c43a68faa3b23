"""The frame all commands hang in: groups, help texts, the options many of them share, exit codes.

Imports nothing but typer, so that `tactful --help` answers at once; what a command needs, it imports itself.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

START, WRITE, RUN = "Start here", "Write flows", "Run"
CONTACTS, DO_NOT_CONTACT, LOOK = "Contacts", "Do Not Contact", "Look"
PANELS = (START, WRITE, RUN, CONTACTS, DO_NOT_CONTACT, LOOK)
"""The groups of commands in `tactful --help`, in their order."""

FINE, PROBLEMS, WRONG_USE = 0, 1, 2
"""Exit codes: all is well; something is wrong with what was looked at or asked for; the command was called wrongly."""

_HEADING = re.compile(r"^(Usage|Options|Arguments|Commands|" + "|".join(PANELS) + "):", re.MULTILINE)


def _write_help(text: str, formatter: Any) -> None:
    """A docstring: paragraphs filled to the width, indented blocks (examples, shapes) as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        formatter.write("\n")
        with formatter.indentation():
            lead = " " * formatter.current_indent
            lines, filled = paragraph.split("\n"), []
            while lines and not lines[0].startswith(" "):
                filled.append(lines.pop(0))
            if filled:
                formatter.write_text(" ".join(filled))
            for line in lines:
                formatter.write(f"{lead}{line}\n")


def _embolden(formatter: Any) -> None:
    text = "".join(formatter.buffer)
    formatter.buffer[:] = [_HEADING.sub(lambda found: typer.style(found[0], bold=True), text)]


class Command(TyperCommand):
    """A command whose docstring is its help."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        _write_help(self.help or "", formatter)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        _embolden(formatter)


class Group(TyperGroup):
    """Commands under their panels. Whatever goes wrong in one ends in a message and an exit code, never a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        groups = [name for name, command in self.commands.items() if isinstance(command, TyperGroup)]
        return [*groups, *(name for name in self.commands if name not in groups)]  # else in the order of the source

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        _write_help(self.help or "", formatter)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        _embolden(formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        commands = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        longest = max(len(name) for name, _ in commands)
        for name, command in commands:
            if not command.hidden:
                said = command.get_short_help_str(formatter.width - 6 - longest)
                panel = str(getattr(command, "rich_help_panel", None) or "Commands")
                named = name.ljust(longest)  # so that the texts of all panels stand in one line
                panels.setdefault(panel, []).append((named, said))
        for panel in (*PANELS, *(name for name in panels if name not in PANELS)):
            if panel in panels:
                with formatter.section(panel):
                    formatter.write_dl(panels[panel])

    def invoke(self, ctx: Any) -> Any:
        if ctx.parent is not None:
            return super().invoke(ctx)  # the outermost group answers for all
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if hasattr(error, "show"):  # typer's own errors of usage: it prints them itself, exit code 2
                raise
            from tactful.engine.cli.trouble import end

            raise typer.Exit(end(error)) from None


def group(about: str, **more: Any) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(
        cls=Group,
        help=about,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        **more,
    )


Project = Annotated[
    Path | None,
    typer.Option(
        "--project", "-p", envvar="TACTFUL_PROJECT", show_envvar=False, metavar="FILE_OR_FOLDER",
        help="The project; without it, the nearest tactful.yaml from here upwards.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
LARGEST = 2**63 - 1
"""What no number of a row is beyond, in any database."""
MOST_ROWS = 1_000_000_000
"""What no --limit is beyond."""
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
FlowName = Annotated[str, typer.Argument(metavar="FLOW", help="A flow's id, or its file.", show_default=False)]
