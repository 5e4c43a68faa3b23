"""YAML into plain data, with the position of every path, and every fault in plain words.

PyYAML's C parser gives events only; the rest is done here, for its own composer recurses in C without bound (200 KB
of brackets end the process), keeps the last of two equal keys, and reads YAML 1.1 (`no` is false, `12:30` is 750).
Refused: a second document, tags, merge keys, keys that are not text, aliases that multiply, and what is larger or
deeper than any file written by hand.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from tactful.flows.model import Place
from tactful.flows.pieces import (
    Entry,
    ListPiece,
    MapPiece,
    Path,
    Piece,
    ScalarPiece,
    spot_along,
    step_into,
    value_spot,
)
from tactful.flows.problem import Problem, Severity, problem_at, quoted
from tactful.flows.syntax import explain
from tactful.flows.text import LARGEST, Source, Spot, Unreadable, decode

DEEPEST = 40
"""How many mappings and lists may stand within each other."""

MOST_PIECES = 100_000
"""How many values a file may have, those that aliases repeat counted again."""

_MOST_PROBLEMS = 1_000  # a report shows fewer


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A file that YAML could read. `data` is the whole as plain Python data: None for an empty file."""

    source: Source
    root: Piece

    @property
    def name(self) -> str:
        """The file's name, as it stands in problems."""
        return self.source.name

    @property
    def data(self) -> Any:
        """The whole as dicts (keys are always text), lists, str, int, float, bool and None; new on each call."""
        return self.root.plain()

    def place_of(self, path: Path) -> Place:
        """Where the value of a path begins; of a path not written, its nearest ancestor that is."""
        return self._spot(path, of_key=False).place

    def key_place_of(self, path: Path) -> Place:
        """Where the last key of a path stands (in a list, the item); of a path not written, as `place_of`."""
        return self._spot(path, of_key=True).place

    def problem(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        severity: Severity = "error",
        at: int | None = None,
        of_key: bool = False,
    ) -> Problem:
        """A problem of this file at the value of a path (at its key: `of_key`; `at` an offset within its text)."""
        spot = self._spot(path, of_key=of_key)
        piece = self.piece_at(path)
        if at is not None and isinstance(piece, ScalarPiece):
            spot = piece.spot_at(at)
        return problem_at(spot, code, message, hint, severity)

    def piece_at(self, path: Path) -> Piece | None:
        """The piece at a path, None where nothing is written there."""
        piece: Piece | None = self.root
        for step in path:
            piece = step_into(piece, step)
        return piece

    def _spot(self, path: Path, *, of_key: bool) -> Spot:
        return spot_along(self.root, self.root.spot, path, of_key=of_key)


def read(name: str, raw: bytes | str, largest: int = LARGEST) -> tuple[Document | None, list[Problem]]:
    """Read YAML. A document and problems come together where YAML could read it all, but something is refused.

    Never raises for what stands in the file; takes time in proportion to its size, and well under a second.
    """
    source = decode(name, raw, largest)
    if isinstance(source, Unreadable):
        return None, [problem_at(source.spot, source.code, source.message, source.hint)]
    with collector_resting():
        return _compose(source)


@contextmanager
def collector_resting() -> Iterator[None]:
    """Keeps Python's garbage collector from going through all that was made so far, again and again, while ever more
    is made: half of the time of a large flow. What a load makes is kept, or freed without the collector."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _compose(source: Source) -> tuple[Document | None, list[Problem]]:
    composer = _Composer(source)
    try:
        root = composer.document()
    except _Stop as stop:
        composer.problems.append(stop.problem)
        return None, composer.problems
    except yaml.YAMLError as fault:
        spot, code, message, hint = explain(source, fault)
        composer.problems.append(problem_at(spot, code, message, hint))
        return None, composer.problems
    return Document(source, root), composer.problems


class _Stop(Exception):  # ends the reading at once
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Composer:
    """Turns the parser's events into pieces."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._anchors: dict[str, Piece | None] = {}  # None: still being read
        self._pieces = 0
        self._next: Callable[[], Any] = yaml.CBaseLoader(source.text).get_event

    def document(self) -> Piece:
        if self.source.text.startswith("%") or "\n%" in self.source.text:
            self._refuse_directives()
        self._next()  # the stream begins
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return ScalarPiece(self.source, 0, 0, "", "")
        root = self._piece(self._next(), 0)
        self._next()  # the document ends
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            self._stop(
                event,
                "several-documents",
                "a second document begins here",
                "one file is one document: delete the `---`",
            )
        return root

    def _piece(self, event: Any, depth: int) -> Piece:
        """One value. Recursion is bounded by DEEPEST."""
        kind = type(event)
        start: int = event.start_mark.index
        if kind is yaml.AliasEvent:
            return self._alias(event)
        self._count(event, 1)
        anchor: str | None = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        if event.tag is not None:
            self._tag(event)
        piece: Piece
        if kind is yaml.ScalarEvent:
            style = event.style if event.style and event.style != ":" else ""
            piece = ScalarPiece(self.source, start, event.end_mark.index, self._text(event), style)
        else:
            if depth >= DEEPEST:
                self._stop(event, "too-deep", f"more than {DEEPEST} lists and mappings stand within each other here")
            if kind is yaml.MappingStartEvent:
                piece = self._mapping(event, depth)
            else:
                piece = self._list(event, depth)
        if anchor is not None:
            self._anchors[anchor] = piece
        return piece

    def _list(self, start: Any, depth: int) -> Piece:
        piece = ListPiece(self.source, start.start_mark.index, start.end_mark.index)
        size = 1
        while True:
            event = self._next()
            kind = type(event)
            if kind is yaml.SequenceEndEvent:
                piece.end = event.end_mark.index
                piece.size = size
                return piece
            item = self._piece(event, depth + 1)
            size += item.size
            piece.items.append(item)

    def _mapping(self, start: Any, depth: int) -> Piece:
        piece = MapPiece(self.source, start.start_mark.index, start.end_mark.index, bool(start.flow_style))
        entries, size = piece.entries, 1
        while True:
            event = self._next()
            kind = type(event)
            if kind is yaml.MappingEndEvent:
                piece.end = event.end_mark.index
                piece.size = size
                return piece
            key = self._key(event, depth)
            value = self._piece(self._next(), depth + 1)
            size += value.size
            if key is None:
                continue
            entry = Entry(key, event.start_mark.index, value)
            if key in entries:
                piece.repeated.append(entry)
                if len(self.problems) >= _MOST_PROBLEMS:
                    continue
                first = entries[key].spot.place.line
                self._problem(
                    event,
                    "duplicate-key",
                    f"{quoted(key)} stands here twice",
                    f"the first one is on line {first}",
                )
            else:
                entries[key] = entry

    def _key(self, event: Any, depth: int) -> str | None:
        """The text of a key, None where it is refused."""
        kind = type(event)
        if kind is not yaml.ScalarEvent:
            if kind is not yaml.AliasEvent:
                self._piece(event, depth + 1)
            hint = "text with braces, such as `{{ contact.first_name }}`, wants quotes around it"
            self._problem(event, "bad-key", "a key must be plain text", hint)
            return None
        self._count(event, 1)
        if event.tag is not None:
            self._tag(event)
        text = self._text(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = ScalarPiece(
                self.source, event.start_mark.index, event.end_mark.index, text, event.style or ""
            )
        if text == "<<" and not event.style:
            hint = "write the entries out here, or give one value an alias of its own"
            self._problem(event, "merge-key", "`<<` is not supported: YAML 1.2 has no merging", hint)
            return None
        if not text and not event.style:
            self._problem(event, "bad-key", "a key is missing before this `:`")
            return None
        return text

    def _alias(self, event: Any) -> Piece:
        name = event.anchor
        piece = self._anchors.get(name)
        if piece is None:
            if name in self._anchors:
                self._stop(event, "endless-alias", f"`*{name}` stands within what it repeats")
            hint = "a text that begins with `*` wants quotes around it"
            self._problem(event, "unknown-alias", f"nothing above is marked `&{name}`", hint)
            return ScalarPiece(self.source, event.start_mark.index, event.end_mark.index, "", "")
        self._count(event, piece.size)
        return piece

    def _text(self, event: Any) -> str:
        text: str = event.value
        if "\0" in text:
            message = "an escape in this text is a NUL byte, which not every database can hold"
            self._problem(event, "control-character", message, "delete it")
        return text

    def _tag(self, event: Any) -> None:
        text = self.source.text
        start = event.start_mark.index
        at = text.find("!", start, event.end_mark.index)
        written = text[max(at, start) :].split(maxsplit=1)[0] if at >= 0 else event.tag
        hint = "a text that begins with `!` wants quotes around it"
        self.problems.append(
            problem_at(Spot(self.source, max(at, start)), "tag", f"the tag {quoted(written)} is not supported", hint)
        )

    def _count(self, event: Any, size: int) -> None:
        self._pieces += size
        if self._pieces > MOST_PIECES:
            message = f"the file has more than {MOST_PIECES:,} values"
            if isinstance(event, yaml.AliasEvent):
                message += ", since aliases repeat them"
            self._stop(event, "too-many-values", message)

    def _refuse_directives(self) -> None:
        """Before parsing: thousands of %TAG lines keep the parser busy for seconds."""
        text = self.source.text
        at = 0 if text.startswith("%") else text.index("\n%") + 1
        line = text[at : text.find("\n", at) if "\n" in text[at:] else None]
        if line.split()[:1] == ["%TAG"] or text.count("\n%") > 10:
            spot = Spot(self.source, at)
            raise _Stop(problem_at(spot, "directive", "directives (`%TAG`) are not supported", "delete the line"))

    def _problem(self, event: Any, code: str, message: str, hint: str | None = None) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem_at(Spot(self.source, event.start_mark.index), code, message, hint))

    def _stop(self, event: Any, code: str, message: str, hint: str | None = None) -> None:
        raise _Stop(problem_at(Spot(self.source, event.start_mark.index), code, message, hint))


__all__ = [
    "DEEPEST", "MOST_PIECES", "Document", "Entry", "ListPiece", "MapPiece", "Path", "Piece", "ScalarPiece",
    "collector_resting", "read", "step_into", "value_spot",
]  # fmt: skip
