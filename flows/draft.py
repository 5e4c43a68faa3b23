"""A flow on its way to be one: what could be read of it, with the place of everything, for the checks to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from tactful.elements.contract import Element, Settings
from tactful.flows.model import Again, ByEvent, ByHand, BySchedule, BySegment, StopRule, Surroundings
from tactful.flows.pieces import Entry, MapPiece, Piece, ScalarPiece, spot_along, step_into
from tactful.flows.problem import Report
from tactful.flows.text import Source, Spot

NOT_SENT = "not_sent"
"""The exit of a wait whose message was not sent. It may be left out where that cannot happen."""

Path = tuple[str | int, ...]
Kind = type[Element]


@dataclass(eq=False, slots=True)
class DraftNode:
    """An element as written. `element` is None where its type or its options are at fault, `kind` where its type is.

    `exits` lead to ids that exist, or to `end`: what is left open or misspelt leads to `end`, or to what was most
    likely meant, so that one mistake is not told as three. `named` are the exits that the flow names.
    """

    id: str
    type: str
    written: Entry
    piece: MapPiece | None
    element: Element | None
    kind: Kind | None = None
    exits: dict[str, str] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    @property
    def spot(self) -> Spot:
        """Its name, where a fault of the whole is told."""
        return self.written.spot

    def spot_of(self, path: Path) -> Spot:
        """Where an option's value stands; the element's name where it is not written."""
        return spot_along(self.piece, self.spot, path)

    def spot_within(self, path: Path, offset: int) -> Spot:
        """Where a character of an option's text stands."""
        piece: Piece | None = self.piece
        for step in path:
            piece = step_into(piece, step)
        return piece.spot_at(offset) if isinstance(piece, ScalarPiece) else self.spot_of(path)

    def options(self) -> Iterator[tuple[Path, Any]]:
        """Every option value that holds no others, with its path as it is written."""
        if self.element is not None:
            yield from option_values(self.element)


def option_values(element: Element) -> Iterator[tuple[Path, Any]]:
    """Every option value of an element that holds no others, with its path as it is written."""
    return _values(element, ())


def _values(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from _values(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(inner, (*path, key))
    elif isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        for number, inner in enumerate(value):
            yield from _values(inner, (*path, number))
    elif value is not None:
        yield path, value


@dataclass(eq=False, slots=True)
class Draft:
    """All that could be read of a flow. `nodes` by id in the order of the file; `repeated` those whose id stood before.

    What is None is missing or at fault, and was reported; checks that need it are left out.
    """

    root: MapPiece
    report: Report
    around: Surroundings
    channels: frozenset[str]
    id: str | None = None
    entry: ByEvent | BySegment | BySchedule | ByHand | None = None
    again: Again | None = None
    stop_rules: list[tuple[StopRule, MapPiece]] = field(default_factory=list)
    settings: Settings | None = None
    start: str | None = None
    nodes: dict[str, DraftNode] = field(default_factory=dict)
    repeated: list[DraftNode] = field(default_factory=list)
    texts: dict[str, Source] = field(default_factory=dict)

    def all_nodes(self) -> Iterator[DraftNode]:
        """Every element, also those whose id stood before."""
        yield from self.nodes.values()
        yield from self.repeated

    def piece_at(self, *path: str | int) -> Piece | None:
        """The piece at a path from the top of the file, None where nothing is written there."""
        piece: Piece | None = self.root
        for step in path:
            piece = step_into(piece, step)
        return piece

    def spot_of(self, *path: str | int) -> Spot:
        """Where the value of a path from the top stands, or its nearest ancestor that is written."""
        return spot_along(self.root, self.root.spot, path)
