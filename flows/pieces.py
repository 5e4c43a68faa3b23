"""What stands in a source: scalars, lists and mappings, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tactful.flows.scalars import Scalar, resolve
from tactful.flows.text import Source, Spot

Path = Sequence[str | int]
"""Keys and numbers of items, from the outside inwards."""


class Entry:
    """One `key: value` of a mapping. `key` is the key's text; `spot` is where the key stands."""

    __slots__ = ("at", "key", "piece")

    def __init__(self, key: str, at: int, piece: Piece) -> None:
        self.key = key
        self.at = at
        self.piece = piece

    @property
    def spot(self) -> Spot:
        return Spot(self.piece.source, self.at)


class Piece:
    """A value in a source: a scalar, a list or a mapping, and where it stands (`start`, `end`: offsets)."""

    __slots__ = ("end", "size", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.size = 1

    @property
    def spot(self) -> Spot:
        """Where it begins."""
        return Spot(self.source, self.start)

    def plain(self, instead: dict[int, Any] | None = None) -> Any:
        """The value as plain Python data. `instead` gives other data for pieces, by their `id()`."""
        raise NotImplementedError


class ScalarPiece(Piece):
    """A scalar: its `value`, its `text` as read, and its `style`: "" (plain), `'`, `"`, `|` or `>`."""

    __slots__ = ("style", "text", "value")

    def __init__(self, source: Source, start: int, end: int, text: str, style: str) -> None:
        super().__init__(source, start, end)
        self.text = text
        self.style = style
        self.value: Scalar = text if style else resolve(text)

    def plain(self, instead: dict[int, Any] | None = None) -> Any:
        return self.value if instead is None else instead.get(id(self), self.value)

    def spot_at(self, offset: int) -> Spot:
        """Where a character of `text` stands in the source; where that cannot be told, the scalar's beginning."""
        raw = self.source.text[self.start : self.end]
        if not self.style and raw == self.text:
            return Spot(self.source, self.start + offset)
        if self.style in ("'", '"') and raw[1:-1] == self.text:
            return Spot(self.source, self.start + 1 + offset)
        if self.style == "|":
            return self._spot_in_block(offset)
        return self.spot

    def _spot_in_block(self, offset: int) -> Spot:
        number = self.text.count("\n", 0, offset)
        line = self.text.split("\n")[number]
        at = self.start
        for _ in range(number + 1):  # the first line of the source holds only the `|`
            at = self.source.text.find("\n", at) + 1
            if at == 0:
                return self.spot
        end = self.source.text.find("\n", at)
        written = self.source.text[at : end if end >= 0 else None]
        if not written.endswith(line):
            return self.spot
        column = offset - (self.text.rfind("\n", 0, offset) + 1)
        return Spot(self.source, at + len(written) - len(line) + column)


class ListPiece(Piece):
    """A list of pieces."""

    __slots__ = ("items",)

    def __init__(self, source: Source, start: int, end: int) -> None:
        super().__init__(source, start, end)
        self.items: list[Piece] = []

    def plain(self, instead: dict[int, Any] | None = None) -> Any:
        if instead is not None and id(self) in instead:
            return instead[id(self)]
        return [item.plain(instead) for item in self.items]


class MapPiece(Piece):
    """A mapping: `entries` by key, the first where a key stands twice, and the later ones in `repeated`."""

    __slots__ = ("entries", "flow", "repeated")

    def __init__(self, source: Source, start: int, end: int, flow: bool) -> None:
        super().__init__(source, start, end)
        self.flow = flow
        self.entries: dict[str, Entry] = {}
        self.repeated: list[Entry] = []

    def plain(self, instead: dict[int, Any] | None = None) -> Any:
        if instead is not None and id(self) in instead:
            return instead[id(self)]
        return {key: entry.piece.plain(instead) for key, entry in self.entries.items()}

    def get(self, key: str) -> Piece | None:
        """The value of a key, None where it does not stand here."""
        entry = self.entries.get(key)
        return entry.piece if entry is not None else None

    def all_entries(self) -> Iterator[Entry]:
        """Every entry in the order of the file, those whose key stood before included."""
        if not self.repeated:
            return iter(self.entries.values())
        return iter(sorted((*self.entries.values(), *self.repeated), key=lambda entry: entry.at))


def spot_along(piece: Piece | None, spot: Spot, path: Path, *, of_key: bool = False) -> Spot:
    """Where the value at the end of a path stands (or its key); where it is not written, its nearest ancestor.

    `spot` is where the first piece itself is pointed at.
    """
    for step in path:
        inner = step_into(piece, step)
        if inner is None:
            break
        key = piece.entries[str(step)].spot if isinstance(piece, MapPiece) else inner.spot
        spot = key if of_key else value_spot(inner, key)
        piece = inner
    return spot


def step_into(piece: Piece | None, step: str | int) -> Piece | None:
    """The value of a key, or the item of a number; None where there is none."""
    if isinstance(piece, MapPiece):
        return piece.get(str(step))
    if isinstance(piece, ListPiece) and isinstance(step, int) and 0 <= step < len(piece.items):
        return piece.items[step]
    return None


def value_spot(piece: Piece, key: Spot) -> Spot:
    """Where to point for a value: at itself, or at its key where nothing stands there, or a block below it."""
    if isinstance(piece, ScalarPiece):
        return key if piece.start == piece.end else piece.spot
    in_line = piece.source.text[piece.start : piece.start + 1] in ("{", "[")
    return piece.spot if in_line else key
