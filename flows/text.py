"""The text of a file, with lines and columns; and bytes into text, or why not."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, field

from tactful.flows.model import Place

LARGEST = 1_048_576
"""Bytes a file may have. A flow of 5,000 elements takes less than half of it."""

_WIDTH = 110
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

# What YAML's reader refuses, and lone surrogates, which no file can hold.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(eq=False, slots=True)
class Source:
    """A named text. Lines end with a line feed only; offsets count characters from 0."""

    name: str
    text: str
    _starts: list[int] | None = field(default=None, init=False, repr=False)

    def place(self, offset: int) -> Place:
        """Line and column, from 1, of an offset."""
        if self._starts is None:
            self._starts = [0, *(found.end() for found in re.finditer("\n", self.text))]
        line = bisect_right(self._starts, offset)
        return Place(self.name, line, offset - self._starts[line - 1] + 1)

    def excerpt(self, offset: int) -> tuple[str, int]:
        """The line an offset stands on, fit to be shown, and the offset within it."""
        offset = min(max(offset, 0), len(self.text))
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        end = len(self.text) if end < 0 else end
        caret = offset - start
        if end - start <= _WIDTH:
            return _UNPRINTABLE.sub(_shown, self.text[start:end]), caret
        left = max(start, min(offset - _WIDTH // 2, end - _WIDTH))
        right = min(end, left + _WIDTH)
        before, after = "…" if left > start else "", "…" if right < end else ""
        shown = before + _UNPRINTABLE.sub(_shown, self.text[left:right]) + after
        return shown, offset - left + len(before)


@dataclass(frozen=True, slots=True)
class Spot:
    """An offset in a source: what a problem points at."""

    source: Source
    offset: int

    @property
    def place(self) -> Place:
        """The same by line and column."""
        return self.source.place(self.offset)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why bytes are not the text of a file, and where."""

    spot: Spot
    code: str
    message: str
    hint: str | None = None


def decode(name: str, raw: bytes | str, largest: int = LARGEST) -> Source | Unreadable:
    """The text of a file: UTF-8, without byte order mark, its lines ended by a line feed; or why it is none."""
    if len(raw) > largest:
        size = f"{len(raw) / 1_048_576:,.1f} MB"
        # Nothing of it is kept: a file that large need not be looked at to be refused.
        return Unreadable(
            Spot(Source(name, ""), 0),
            "too-large",
            f"the file has {size}; at most {largest / 1_048_576:.0f} MB are read",
        )
    if isinstance(raw, bytes):
        decoded = _decoded(name, raw)
        if isinstance(decoded, Unreadable):
            return decoded
        text = decoded
    else:
        text = raw
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    source = Source(name, text)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        character = ord(forbidden.group())
        what = "a NUL byte" if character == 0 else f"the control character U+{character:04X}"
        if 0xD800 <= character <= 0xDFFF:
            what = f"half a character, U+{character:04X}"
        elif character == 0xFEFF:
            what = "a byte order mark, U+FEFF, in the middle"
        return Unreadable(
            Spot(source, forbidden.start()),
            "control-character",
            f"here is {what}, which a text file cannot hold",
            "delete it; was the file made by a text editor?",
        )
    return source


def _decoded(name: str, raw: bytes) -> str | Unreadable:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return _wrong_encoding(name, encoding)
    if raw[:200].count(0) * 3 >= len(raw[:200]) > 1:
        return _wrong_encoding(name, "UTF-16")
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        # Shown with the byte replaced; everything before it is sound, so the offset is right.
        before = raw[: fault.start].decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        rest = raw[fault.start : fault.start + _WIDTH].decode(errors="replace").partition("\n")[0]
        return Unreadable(
            Spot(Source(name, before + rest), len(before)),
            "encoding",
            f"byte {raw[fault.start]:#04x} is not UTF-8",
            "save the file as UTF-8 (it looks like Windows-1252 or Latin-1)",
        )


def _wrong_encoding(name: str, encoding: str) -> Unreadable:
    return Unreadable(
        Spot(Source(name, ""), 0), "encoding", f"the file is {encoding}, not UTF-8", "save the file as UTF-8"
    )


def _shown(found: re.Match[str]) -> str:
    return " " if found.group() == "\t" else "\ufffd"
