"""The Do Not Contact list as the lines of a file. Pure.

`csv` and `jsonl` are our own: what they say imports again to the same list. `infobip` are the columns and words of
Infobip's list, which knows less: an entry that covers marketing only covers everything there.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and a reason is text that strangers may
have written. Such a cell gets a `'` before it, which spreadsheets hide and the import takes away again. What can be
nothing but a phone number or a domain stays as it is, so that other systems can read it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from tactful.engine.instants import iso
from tactful.engine.keyring import is_erased
from tactful.engine.optout.list_file import INFOBIP, OWN
from tactful.engine.rules.permission import ALL_CHANNELS, Block

Format = Literal["csv", "jsonl", "infobip"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "infobip")

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_HARMLESS = re.compile(r"\+[0-9]+|@[a-z0-9.-]+")


class Writing:
    """Writes a list in one format. `count` entries were written so far; `left_out` could not be said in it."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._last: tuple[str, ...] = ()
        self.count = 0
        self.left_out = 0

    def lines(self, entries: Iterable[tuple[Block, str | None]]) -> Iterator[str]:
        """The file's text, a line or a row at a time."""
        if self._form == "jsonl":
            for block, reason in entries:
                self.count += 1
                yield json.dumps(_own(block, reason), ensure_ascii=False) + "\n"
            return
        yield _csv_line(OWN if self._form == "csv" else INFOBIP)
        for block, reason in entries:
            row = self._row(block, reason)
            if row is not None:
                self.count += 1
                yield _csv_line(row)

    def _row(self, block: Block, reason: str | None) -> Iterable[str | None] | None:
        if self._form == "csv":
            return [_cell(value) for value in _own(block, reason).values()]
        row = _infobips(block)
        if row is None:
            self.left_out += 1
            return None
        if row[:4] == self._last:  # once for marketing, once for everything: they have only the latter
            return None
        self._last = row[:4]
        to, sender, channel, _, source, added = row
        return [_cell(each) for each in (to, sender, source, channel, "", added)]


def _own(block: Block, reason: str | None) -> dict[str, Any]:
    values = (
        block.destination, block.channel, block.sender or None, block.covers, block.source, reason, iso(block.since)
    )  # fmt: skip
    return dict(zip(OWN, values, strict=True))


def _infobips(block: Block) -> tuple[str, ...] | None:
    """Destination, sender, channel, account, source and date as Infobip has them; None for what it cannot know."""
    to = block.destination
    if is_erased(to) or block.channel == "push" or ("@" not in to and not to.startswith("+")):
        return None
    channel = "" if block.channel == ALL_CHANNELS else block.channel.upper()
    to = to[1:] if _HARMLESS.fullmatch(to) else to
    return to, block.sender.removeprefix("+"), channel, "", _source(block.source), iso(block.since)


def _source(source: str) -> str:
    """Infobip's word for where an entry comes from."""
    if source.startswith(("keyword ", "an answer")):
        return "MO"
    if source.startswith("opt-out link"):
        return "URL_OPT_OUT"
    return "CAMPAIGN" if source.startswith("flow ") else "CUSTOM"


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    return f"'{value}" if _FORMULA.match(value) and not _HARMLESS.fullmatch(value) else value


def _csv_line(cells: Iterable[str | None]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(list(cells))
    return line.getvalue()
