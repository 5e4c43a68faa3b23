"""What people see: results on stdout, messages and progress on stderr, both plain where no terminal is.

Nothing printed here is read as markup, and no text of a contact or a file moves the cursor.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tactful.elements.contract import Instant

_STYLES = {"good": "green", "bad": "bold red", "warn": "yellow", "name": "cyan", "head": "bold"}
_ENDLESS = 10_000  # columns of what is no terminal: lines stay whole, for grep and the like


def out() -> Console:
    """Where results go."""
    return _console(sys.stdout)


def err() -> Console:
    """Where messages go."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    from rich.console import Console
    from rich.theme import Theme

    width = None if file.isatty() or os.environ.get("COLUMNS") else _ENDLESS
    return Console(file=file, theme=Theme(_STYLES), highlight=False, markup=False, emoji=False, width=width)


def say(*parts: str | tuple[str, str]) -> None:
    """A line of the result: texts, and texts with a style. Where there is no terminal, rich is not even imported."""
    if sys.stdout.isatty():
        from rich.text import Text

        out().print(Text.assemble(*parts))
    else:
        sys.stdout.write("".join(part if isinstance(part, str) else part[0] for part in parts) + "\n")


def note(message: str) -> None:
    """A remark beside the result, on stderr."""
    from rich.text import Text

    err().print(Text(plain(message, lines=True), "dim"))


def warn(message: str) -> None:
    """A warning, on stderr."""
    from rich.text import Text

    err().print(Text.assemble(("warning: ", "warn"), plain(message, lines=True)))


def json_log() -> Any:
    """The log, where stderr is one of JSON lines: in `serve`, where no terminal is. Else None."""
    structlog = sys.modules.get("structlog")  # only `serve` says where its log goes
    if structlog is None or not structlog.is_configured() or sys.stderr.isatty():
        return None
    return structlog.get_logger()


def print_json(value: Any) -> None:
    """A result as JSON, on stdout."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=ascii_only) + "\n")


def plain(text: str, *, lines: bool = False) -> str:
    """Text without what moves a terminal's cursor; `lines` keeps ends of lines."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or (lines and char == "\n") else "·" for char in text)


def table(*columns: str, right: Sequence[str] = (), free: Sequence[str] = ()) -> Table:
    """A table without lines. `right` columns are flushed right; only `free` ones are broken where room is short."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column not in free,
            overflow="fold" if column in free else "ellipsis",
        )
    return made


class Progress:
    """How far something long has come: call it with that. `console` is where a bar is drawn, None where none is."""

    def __init__(self, console: Console | None = None, drawn: Callable[[int], None] = lambda done: None) -> None:
        self.console = console
        self._drawn = drawn

    def __call__(self, done: int) -> None:
        self._drawn(done)


@contextmanager
def progress(what: str, total: int, *, unit: str = "") -> Iterator[Progress]:
    """A bar on stderr while something long goes on, where that is a terminal. With `unit="bytes"`, sizes are shown."""
    console = err()
    if not console.is_terminal:
        yield Progress()
        return
    from rich import progress as rich

    so_far = rich.DownloadColumn() if unit == "bytes" else rich.MofNCompleteColumn()
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), so_far, rich.TimeRemainingColumn(compact=True))
    # Our stdout is no part of the picture: rich would send what is printed there to stderr.
    with rich.Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(what, total=total)
        yield Progress(bar.console, lambda done: bar.update(task, completed=done))


def confirmed(question: str, yes: bool) -> bool:
    """Ask before something that cannot be taken back. Where nobody can answer, only `--yes` goes on."""
    from tactful.engine.cli.trouble import wrong_use

    if yes:
        return True
    if not sys.stdin.isatty():
        raise wrong_use("this wants to be confirmed, and there is no terminal to ask on", f"say --yes. {question}")
    import typer

    return typer.confirm(question, err=True)


# --- Words for numbers and times -----------------------------------------------------------------


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 contact`, `12,304 contacts`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def local(at: Instant | None, zone: tzinfo = UTC, *, beside: Instant | None = None) -> str:
    """A moment for people: `Mon 2 Mar 2026 09:00`. The year is left out where it is that of another moment the
    reader knows, `beside`. Empty for None."""
    if at is None:
        return ""
    from tactful.engine.instants import moment

    when = moment(at, zone)
    same_year = beside is not None and moment(beside, zone).year == when.year
    return f"{when:%a} {when.day} {when:%b} " + ("" if same_year else f"{when:%Y} ") + f"{when:%H:%M}"


def utc(at: Instant | None) -> str | None:
    """A moment for machines: `2026-03-02T08:00:00Z`."""
    if at is None:
        return None
    from tactful.engine.instants import iso

    return iso(at)


def how_long(ms: int) -> str:
    """`48 h`, `3 d 4 h`, `2 min`, `0 s`: the two largest units."""
    ms = abs(ms)
    if ms < 1000:
        return f"{ms} ms" if ms else "0 s"
    seconds, parts = ms // 1000, []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])
