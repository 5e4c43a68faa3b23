"""What commands that read a file of rows share: which kind of file it is, and how a bad row is named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from tactful.engine.cli.screen import Progress

_KINDS: dict[str, Literal["csv", "jsonl"]] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip


class BadRow(Protocol):
    """A row that is left out: where it begins, why, and what to do."""

    @property
    def line(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str | None: ...


def kind_of_file(file: Path) -> Literal["csv", "jsonl"]:
    """Which kind of file this is, by its ending. Raises Trouble."""
    from tactful.engine.cli.trouble import wrong_use

    if not file.exists():
        raise wrong_use(f"there is no file {file}")
    if file.is_dir():
        raise wrong_use(f"{file} is a folder", "name a .csv or .jsonl file in it")
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise wrong_use(f"{file} is neither .csv nor .jsonl", "give it the ending that says which it is")
    return kind


def name_bad(file: Path, row: BadRow, came: Progress) -> None:
    """Name a row that is left out, above the bar where one is drawn."""
    from rich.text import Text

    from tactful.engine.cli.screen import out, plain

    hint = f" ({row.hint})" if row.hint else ""
    said = Text.assemble((f"{file}:{row.line}", "head"), ": ", (plain(row.reason), "warn"), (plain(hint), "dim"))
    above_the_bar = came.console if sys.stdout.isatty() else None  # a bar that is drawn must know of the line
    (above_the_bar or out()).print(said, soft_wrap=True)
