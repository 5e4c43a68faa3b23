"""The connector that shows messages instead of sending them: on the screen, or as files in a folder."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TextIO

from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused
from tactful.engine.channels.email_message import compose

if TYPE_CHECKING:
    from tactful.elements.contract import MessageKey


class ConsoleConnector:
    """Accepts every message and shows it: printed to `out` (standard output where None), or, given a folder,
    as `1204.3.eml` (email) or `1204.3.txt` there.

    A file appears whole or not at all; the same message sent again takes the place of its file.
    """

    def __init__(self, folder: Path | None = None, out: TextIO | None = None) -> None:
        self._folder = folder
        self._out = out
        self._one_at_a_time = Lock()

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for message in batch:
            yield message.key, self._show(message)

    def close(self) -> None:
        """Nothing to let go of."""

    def _show(self, message: Outgoing) -> Outcome:
        if self._folder is None:
            self._print(as_text(message))
            return Accepted()
        try:
            if message.channel == "email":
                content, ending = compose(message).data, "eml"
            else:
                content, ending = as_text(message).encode("utf-8", "replace"), "txt"
        except ValueError as error:
            return Refused(str(error), final=True)
        try:
            _write(self._folder / f"{message.key}.{ending}", content)
        except OSError as error:
            return Refused(f"cannot write to {self._folder}: {error.strerror}", final=False, down=True)
        return Accepted()

    def _print(self, text: str) -> None:
        out = sys.stdout if self._out is None else self._out
        encoding = out.encoding or "utf-8"  # a terminal without our letters shows `?` instead of stopping the engine
        with self._one_at_a_time:
            out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            out.flush()


def as_text(message: Outgoing) -> str:
    """A message for people to read: who to whom, then its parts; HTML as it is, nothing moves a cursor."""
    lines = [f"--- {message.channel} {message.key}: {message.sender} -> {message.destination}"]
    lines += [f"{name}: {text}" if name == "subject" else text for name, text in message.parts.items()]
    return "".join(c if c == "\n" or c.isprintable() else " " for c in "\n".join(lines)).rstrip() + "\n"


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
