"""`tactful import contacts`: people from a file, and of every bad row its line and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Command, Json, Project, group

if TYPE_CHECKING:
    from tactful.engine.cli.screen import Progress
    from tactful.engine.compose import Engine
    from tactful.engine.contacts import Put
    from tactful.engine.contacts_file import BadRow, ContactFields, Row
    from tactful.engine.project import Project as LoadedProject

app = group("Bring contacts in from a file.")


@app.command("contacts", cls=Command)
def contacts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether all rows are right.")] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Bring contacts in from a CSV or JSON-lines file.

    New ones come in, those that are there are changed. The columns id, email, phone, time_zone and tags are a contact's
    own, every other is an attribute. Without an id, the email or phone serves. An empty cell leaves what is there.
    Every row that cannot be read is named with its line and why; the others come in, and the exit code is 1.

    Example:
      tactful import contacts contacts.csv

    With --json: {"rows", "new", "changed", "same", "bad": [{"line", "reason", "hint"}], "dry_run"}. "rows" are the good
    ones.
    """
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.rows_in import kind_of_file
    from tactful.engine.cli.screen import print_json
    from tactful.engine.contacts import Put

    kind = kind_of_file(file)
    opened = the_project(project)
    with file.open("rb") as source:
        reading = _Reading(file, source, kind, opened, quiet=as_json)
        if dry_run:
            done = Put()
            for _ in reading.batches():
                pass
        else:
            with the_engine(opened, create=True) as engine:
                done = _put(engine, reading)
    if as_json:
        bad = [{"line": each.line, "reason": each.reason, "hint": each.hint} for each in reading.bad]
        print_json({"rows": reading.good, **_numbers(done), "bad": bad, "dry_run": dry_run})
    else:
        _show(reading, done, dry_run)
    raise typer.Exit(PROBLEMS if reading.bad else FINE)


class _Reading:
    """A file being read in batches; bad rows are named as they come."""

    def __init__(self, file: Path, source: BinaryIO, kind: Any, project: LoadedProject, *, quiet: bool) -> None:
        self._file = file
        self._source = source
        self._kind = kind
        self._project = project
        self._quiet = quiet
        self.good = 0
        self.bad: list[BadRow] = []

    def batches(self) -> Iterator[list[ContactFields]]:
        """The good rows, a thousand at a time. Raises BadFile."""
        from tactful.engine.cli.screen import progress
        from tactful.engine.contacts_file import BadRow, read_contacts
        from tactful.engine.host import BATCH

        batch: list[ContactFields] = []
        rows: Iterator[Row | BadRow] = read_contacts(
            self._source, self._kind, self._project.contact, self._project.region
        )
        with progress("reading", self._file.stat().st_size, unit="bytes") as came:
            for row in rows:
                if isinstance(row, BadRow):
                    self._name(row, came)
                    continue
                self.good += 1
                batch.append(row.contact)
                if len(batch) == BATCH:
                    came(self._source.tell())
                    yield batch
                    batch = []
            if batch:
                yield batch

    def _name(self, row: BadRow, came: Progress) -> None:
        self.bad.append(row)
        if self._quiet:
            return
        from tactful.engine.cli.rows_in import name_bad

        name_bad(self._file, row, came)


def _put(engine: Engine, reading: _Reading) -> Put:
    from tactful.engine.clock import SystemClock
    from tactful.engine.contacts import Put, put_contacts

    done = Put()
    for batch in reading.batches():
        done += put_contacts(engine.host, batch, SystemClock().now())
    return done


def _numbers(done: Put) -> dict[str, int]:
    return {"new": done.new, "changed": done.changed, "same": done.same}


def _show(reading: _Reading, done: Put, dry_run: bool) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, out

    said = Text()
    if dry_run:
        said.append(f"{count(reading.good, 'contact')} could be brought in", "good")
    else:
        said.append(count(reading.good, "contact"), "good")
        said.append(f": {done.new:,} new, {done.changed:,} changed, {done.same:,} as they were")
    if reading.bad:
        said.append("; ").append(f"{count(len(reading.bad), 'row')} left out", "bad")
    out().print(said)
