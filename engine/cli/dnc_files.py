"""`tactful dnc import` and `tactful dnc export`: the Do Not Contact list from a file, and into one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Json, Project

if TYPE_CHECKING:
    from tactful.engine.compose import Engine
    from tactful.engine.optout.exporting import Format
    from tactful.engine.optout.importing import Brought
    from tactful.engine.optout.list_file import BadRow, Row
    from tactful.engine.project import Project as LoadedProject

_SOME = 5


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would come to.")] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Put the addresses of a file on the Do Not Contact list.

    It adds entries; it never takes one off or changes one. Columns: `destination`, `email` or `phone` (and what other
    systems call them; one column alone needs no header), and `channel`, `sender`, `covers`, `source`, `reason`, `since`
    where there are any: our own export, or Infobip's list. An address is an email, a phone number or a whole email
    domain. Rows that say somebody may be written to are passed over. Every row that cannot be read is named; the others
    are taken, and the exit code is then 1. Import a file that broke off again: it goes on where it was.

    Example:
      tactful dnc import opted-out.csv --dry-run

    With --json: {"new", "there": on the list already, "bad": [{"line", "reason", "hint"}],
    "passed_over": {how it says yes: rows}, "unknown_senders": {sender: entries}, "dry_run"}.
    """
    from tactful.engine.cli.opening import the_project
    from tactful.engine.cli.rows_in import kind_of_file
    from tactful.engine.cli.screen import print_json

    kind = kind_of_file(file)
    opened = the_project(project)
    with file.open("rb") as source:
        reading = _Reading(file, source, kind, opened, quiet=as_json)
        done = _tried(opened, reading) if dry_run else _brought(opened, reading, file)
    if as_json:
        bad = [{"line": each.line, "reason": each.reason, "hint": each.hint} for each in reading.bad]
        print_json({
            "new": done.new, "there": done.there, "bad": bad, "passed_over": dict(reading.passed_over),
            "unknown_senders": dict(reading.unknown_senders), "dry_run": dry_run,
        })  # fmt: skip
    else:
        _show(reading, done, dry_run)
    raise typer.Exit(PROBLEMS if reading.bad else FINE)


class _Reading:
    """A file being read in batches; bad rows are named as they come."""

    def __init__(
        self, file: Path, source: BinaryIO, kind: Literal["csv", "jsonl"], project: LoadedProject, *, quiet: bool
    ) -> None:
        self._file = file
        self._source = source
        self._kind: Literal["csv", "jsonl"] = kind
        self._region = project.region
        self._senders = project.senders
        self._quiet = quiet
        self.bad: list[BadRow] = []
        self.passed_over: Counter[str] = Counter()
        self.unknown_senders: Counter[str] = Counter()

    def batches(self) -> Iterator[list[Row]]:
        """The entries, a thousand at a time. Raises BadFile."""
        from tactful.engine.cli.rows_in import name_bad
        from tactful.engine.cli.screen import progress
        from tactful.engine.host import BATCH
        from tactful.engine.optout.list_file import BadRow, PassedOver, read_list

        known = self._senders or {}
        batch: list[Row] = []
        with progress("reading", self._file.stat().st_size, unit="bytes") as came:
            for row in read_list(self._source, self._kind, self._region, known):
                if isinstance(row, BadRow):
                    self.bad.append(row)
                    if not self._quiet:
                        name_bad(self._file, row, came)
                elif isinstance(row, PassedOver):
                    self.passed_over[row.says] += 1
                else:
                    if row.entry.sender and row.entry.sender not in known and self._senders is not None:
                        self.unknown_senders[row.entry.sender] += 1
                    batch.append(row)
                    if len(batch) >= BATCH:
                        came(self._source.tell())
                        yield batch
                        batch = []
            if batch:
                yield batch


def _brought(project: LoadedProject, reading: _Reading, file: Path) -> Brought:
    from tactful.engine.cli.opening import the_engine
    from tactful.engine.clock import SystemClock
    from tactful.engine.optout.importing import Brought, bring

    clock, done = SystemClock(), Brought()
    with the_engine(project, create=True, flows=False) as engine:
        for batch in reading.batches():
            done += bring(engine, batch, file.name, clock.now())
    return done


def _tried(project: LoadedProject, reading: _Reading) -> Brought:
    from tactful.engine.cli.opening import database_file, the_engine
    from tactful.engine.optout.importing import Brought, Trial

    def tried(engine: Engine | None) -> Brought:
        trial = Trial(engine)
        return sum((trial.bring(batch) for batch in reading.batches()), Brought())

    database = database_file(project)
    if database is not None and not database.exists():
        return tried(None)
    with the_engine(project, flows=False) as engine:
        return tried(engine)


def _show(reading: _Reading, done: Brought, dry_run: bool) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, note, out, plain, warn

    said = Text()
    said.append(count(done.new, "new entry", "new entries"), "good")
    said.append(" would be put on the list" if dry_run else " put on the list")
    said.append(f"; {done.there:,} on it already")
    if reading.bad:
        said.append("; ").append(f"{count(len(reading.bad), 'row')} left out", "bad")
    out().print(said)
    for says, number in reading.passed_over.most_common():
        rows = f"{count(number, 'row says', 'rows say')} that they may be written to ({plain(says)})"
        note(f"{rows}: not acted on, a file takes nobody off the list")
    if strange := reading.unknown_senders:
        some = ", ".join(plain(sender) for sender, _ in strange.most_common(_SOME))
        more = f" and {len(strange) - _SOME} more" if len(strange) > _SOME else ""
        entries = count(strange.total(), "entry is", "entries are")
        warn(f"{entries} for senders that the project does not name, and stop nobody else: {some}{more}")


# --- Export --------------------------------------------------------------------------------------


def export(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; without it, stdout.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl, or infobip: the columns of its list, as CSV.")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Only entries for this channel, or `all`.")] = None,
    project: Project = None,
) -> None:
    """Write the Do Not Contact list into a file.

    Whole, and in a fixed order; `tactful dnc import` reads it again. In CSV, a cell that a spreadsheet would take for a
    formula gets a ' before it, which the import takes away. Infobip's list has no entries for marketing only: there
    they cover everything. What it cannot know (push, erased addresses) is left out, and counted.

    Example:
      tactful dnc export do-not-contact.csv
    """
    from tactful.elements.options.channel import CHANNELS
    from tactful.engine.cli.opening import one_of, the_engine, the_project
    from tactful.engine.cli.screen import count, note
    from tactful.engine.optout.do_not_contact import whole_list
    from tactful.engine.optout.exporting import Writing

    if channel is not None:
        one_of(channel, [*CHANNELS, "all"], "--channel")
    writing = Writing(_format(form, file))
    with the_engine(the_project(project), flows=False) as engine, engine.store.read() as tx:
        lines = writing.lines(whole_list(tx, channel=channel))
        if file is None:
            for line in lines:
                sys.stdout.write(line)
        else:
            _write(file, lines)
    if file is not None:
        note(f"{count(writing.count, 'entry', 'entries')} in {file}")
    if writing.left_out:
        note(f"{count(writing.left_out, 'entry', 'entries')} left out, which Infobip's list cannot hold")


def _format(form: str | None, file: Path | None) -> Format:
    from tactful.engine.cli.opening import one_of
    from tactful.engine.optout.exporting import FORMATS

    if form is None:
        return "jsonl" if file is not None and file.suffix.lower() in (".jsonl", ".ndjson") else "csv"
    one_of(form, FORMATS, "--format")
    return next(each for each in FORMATS if each == form)


def _write(file: Path, lines: Iterator[str]) -> None:
    """The file is there whole, or as it was before."""
    import os

    from tactful.engine.cli.trouble import wrong_use

    if file.is_dir():
        raise wrong_use(f"{file} is a folder", "name a file in it")
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as target:
            target.writelines(lines)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
