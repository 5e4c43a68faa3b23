"""A file of rows, CSV or JSON lines, as records: values by name, each with the line it begins on. Pure.

However broken a file is, each row stands for itself: one that cannot be taken apart becomes a `Faulty`, and
reading goes on with the next line. A quote opened and never closed costs its own row, not all the rest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NoReturn

from tactful.elements.options.mistake import meant

LONGEST_ROW = 1_048_576
"""Bytes a row may have, and so the most that is held of a file without line ends."""

MOST_LINES = 1_000
"""Lines one CSV row may go over: text in a cell may have ends of lines in it."""

MOST_COLUMNS = 1_000

_EXPORT = 'save it as UTF-8; in Excel, "CSV UTF-8 (comma delimited)"'


class Faulty(Exception):
    """Why a row is left out, and where there is one, what to do."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class BadFile(ValueError):
    """Nothing can be read from this file; the message says why."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


Record = Mapping[str, Any] | Faulty
Name = Callable[[str], str]
"""Gives a column's name from its written one. Raises Faulty for one that cannot be."""

Headless = Callable[[list[str]], list[str] | None]
"""Gives the columns' written names where the first line is a row already; None where it names the columns."""


def csv_records(
    source: BinaryIO,
    name: Name,
    needs: Sequence[str] = ("id", "email", "phone"),
    headless: Headless = lambda first: None,
) -> Iterator[tuple[int, Record]]:
    """The rows of a CSV file, parted by `,`, `;` or tabs, as its header has it; all values are text.

    One of the columns in `needs` must be there; a message speaks of the first three. A column whose name is refused is
    left out and reported once, on the header's line. Rows without any value are skipped. Undecodable bytes come as half
    characters (`surrogateescape`). Raises BadFile.
    """
    lines = _Lines(source)
    columns: list[str | None] = []
    written, delimiter = _header(lines)
    bare = headless(written)
    if bare is not None:
        written = bare
        lines.give_back(whole=True)
    at = lines.number
    for place, cell in enumerate(written, 1):
        try:
            if not cell.strip():
                raise Faulty(f"column {place} has no name and is left out")
            columns.append(name(cell))
        except Faulty as faulty:
            columns.append(None)
            yield at, faulty
    _check(columns, written, needs)

    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _RowTooLong:
            yield line, _TOO_LONG
            continue
        except (csv.Error, _RowWithoutEnd) as error:
            lines.give_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            yield line, _unreadable(error)
            continue
        if not any(cells):
            continue
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            yield (
                line,
                Faulty(
                    f"the row has {len(cells)} cells, the header {len(columns)}",
                    "quote cells that hold a separator",
                ),
            )
            continue
        yield line, {column: cell for column, cell in zip(columns, cells, strict=False) if column is not None}


def json_records(source: BinaryIO, name: Name) -> Iterator[tuple[int, Record]]:
    """The rows of a file with one JSON object a line; blank lines are skipped. Raises BadFile."""
    lines = _Lines(source)
    while True:
        at = lines.begin()
        try:
            line = next(lines)
        except StopIteration:
            return
        except _RowTooLong:
            yield at, _TOO_LONG
            continue
        if line.strip():
            yield at, _json_record(line, name)


def _json_record(line: str, name: Name) -> Record:
    try:
        found = json.loads(line, object_pairs_hook=_each_once, parse_constant=_no_number)
        if not isinstance(found, dict):
            raise Faulty("a row must be a JSON object", 'such as {"email": "ana@example.com"}')
        return named(found, name)
    except Faulty as faulty:
        return faulty
    except json.JSONDecodeError as error:
        return Faulty(f"this is not JSON: {error.msg.lower()} at character {error.pos + 1}")
    except RecursionError:
        return Faulty("this JSON is nested too deeply")
    except ValueError:  # a number of thousands of digits
        return Faulty("a number in it is too long")


def named(found: Mapping[str, Any], name: Name) -> Mapping[str, Any]:
    """A row of JSON by the names its columns have here. Raises Faulty."""
    record = {name(key): value for key, value in found.items()}
    if len(record) < len(found):
        raise Faulty("two of its names mean the same")
    if len(record) > MOST_COLUMNS:
        raise Faulty(f"the row has more than {MOST_COLUMNS:,} names")
    return record


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Faulty("a name stands in it twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise Faulty(f"{text} is not a number")


# --- The header of a CSV file --------------------------------------------------------------------


def _header(lines: _Lines) -> tuple[list[str], str]:
    """The names as written, and what parts them. Raises BadFile."""
    told: str | None = None
    for line in _header_lines(lines):
        if line.lower().startswith("sep=") and len(line.strip()) == 5:  # Excel's own first line
            told = line.strip()[4]
            continue
        if not line.strip():
            continue
        try:
            by_delimiter = {
                d: next(csv.reader([line], delimiter=d, strict=True)) for d in ((told,) if told else ",;\t")
            }
        except csv.Error:
            raise BadFile("the quotes in the header do not match") from None
        delimiter = max(by_delimiter, key=lambda d: len(by_delimiter[d]))
        return by_delimiter[delimiter], delimiter
    raise BadFile("the file is empty", "the first line names the columns, such as `email,first_name`")


def _header_lines(lines: _Lines) -> Iterator[str]:
    lines.begin()
    try:
        for line in lines:
            if "\r" in line.rstrip("\r\n"):
                raise BadFile("the lines end in CR alone", "save the file with the line ends of Windows or Unix")
            if "\0" in line or any("\ud800" <= c <= "\udfff" for c in line):
                raise BadFile("the file is not UTF-8", _EXPORT)
            yield line
            lines.begin()
    except _RowTooLong:
        raise BadFile(f"the header is longer than {LONGEST_ROW:,} bytes", "is this a CSV file?") from None


def _check(columns: list[str | None], written: list[str], needs: Sequence[str]) -> None:
    if len(columns) > MOST_COLUMNS:
        raise BadFile(f"the file has more than {MOST_COLUMNS:,} columns")
    named = [column for column in columns if column is not None]
    for column in named:
        if named.count(column) > 1:
            raise BadFile(f"two columns are called `{column}`")
    if not set(needs).intersection(named):
        near = ((cell.strip(), meant(cell.strip(), needs[:3])) for cell in written)
        hint = next((f"in place of `{cell}`, {guess}" for cell, guess in near if cell and guess), None)
        missing = "there is no column `{}`, `{}` or `{}`".format(*needs[:3])
        raise BadFile(missing, hint or "the first line names the columns")


# --- Lines ---------------------------------------------------------------------------------------


class _RowTooLong(Exception):
    """A row's first line is longer than any row may be. It was skipped."""


class _RowWithoutEnd(Exception):
    """A row does not end within reason: a quote was opened and never closed."""


_TOO_LONG = Faulty(f"the row is longer than {LONGEST_ROW:,} bytes")


def _unreadable(error: Exception) -> Faulty:
    if "field larger" in str(error):
        return Faulty("a value is far too long, or a quote is never closed")
    if "new-line" in str(error):
        return Faulty("a line ends in CR alone", "save the file with the line ends of Windows or Unix")
    return Faulty("the quotes do not match", 'a quote within a cell is written twice: "Ana ""the boss"" K."')


class _Lines:
    """The lines of a file as text, counted. All taken since `begin` but the first can be given back."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._ahead: list[str | None] = []  # last first; None is a line longer than may be, and skipped
        self._taken: list[str] = []
        self._length = 0
        self._at_start = True
        self.number = 0

    def begin(self) -> int:
        """A row begins with the next line; its number, from 1."""
        self._taken.clear()
        self._length = 0
        return self.number + 1

    def give_back(self, *, whole: bool = False) -> None:
        """Unread all lines of the row but the first; with `whole`, that too."""
        again = self._taken[0 if whole else 1 :]
        del self._taken[0 if whole else 1 :]
        self._ahead.extend(reversed(again))
        self.number -= len(again)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else self._read()
        if self._taken and (line is None or len(self._taken) >= MOST_LINES or self._length + len(line) > LONGEST_ROW):
            self._ahead.append(line)
            raise _RowWithoutEnd
        self.number += 1
        if line is None:
            raise _RowTooLong
        self._taken.append(line)
        self._length += len(line)
        return line

    def _read(self) -> str | None:
        raw = self._source.readline(LONGEST_ROW + 1)
        if self._at_start:
            self._at_start = False
            raw = _without_mark(raw)
        elif not raw:
            raise StopIteration
        if len(raw) > LONGEST_ROW and not raw.endswith(b"\n"):
            while (rest := self._source.readline(LONGEST_ROW)) and not rest.endswith(b"\n"):
                pass
            return None
        return raw.decode("utf-8", "surrogateescape")


def _without_mark(raw: bytes) -> bytes:
    """The first line without a byte order mark. Raises BadFile for what is certainly no UTF-8 text."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw[:100].count(0) * 3 >= len(raw[:100]) > 1:
        raise BadFile("the file is UTF-16, not UTF-8", _EXPORT)
    if raw.startswith(b"PK\x03\x04"):
        raise BadFile("this is a spreadsheet or an archive, not text", "export it as CSV")
    return raw.removeprefix(b"\xef\xbb\xbf")
