"""A flow as the engine knows it: frozen, checked, and free of YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tactful.elements.contract import NOTHING, Element, Settings
from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Duration

Again = Duration | Literal["never", "always"]
"""When a contact who was here before may enter again: never, always (also in parallel), or after a
duration counted from the last entry."""


@dataclass(frozen=True, slots=True)
class ByEvent:
    """Entry: an event of the contact's own brings them in."""

    event: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class BySegment:
    """Entry: a contact comes in when the condition starts to hold for them."""

    holds: Condition


@dataclass(frozen=True, slots=True)
class BySchedule:
    """Entry: at each time of the cron line (in the flow's time zone) all for whom the audience holds."""

    cron: str
    audience: Condition | None = None


@dataclass(frozen=True, slots=True)
class ByHand:
    """Entry: only when somebody says so (`tactful enter`)."""


Entry = ByEvent | BySegment | BySchedule | ByHand


@dataclass(frozen=True, slots=True)
class StopRule:
    """A rule of `stop_when`: by an event (with an optional `where`), or by a condition on the contact (`when`).

    Exactly one of `event` and `when` is set. `goal` also counts the flow's goal, named as the event
    (or `stop_when` for a condition).
    """

    event: str | None = None
    where: Condition | None = None
    when: Condition | None = None
    goal: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a source: line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """An element in its place. `exits` maps every way out to the id of the next node, or to `end`."""

    id: str
    type: str
    element: Element
    exits: Mapping[str, str]
    place: Place


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that loaded. `nodes` keeps the order of the file.

    `sources` holds all texts it was made of (the YAML file first, then the files it names, by the
    name used), so that a stored flow can be loaded again; `fingerprint` is their SHA-256 in hex.
    """

    id: str
    about: str
    entry: Entry
    again: Again
    stop_when: tuple[StopRule, ...]
    settings: Settings
    start: str
    nodes: Mapping[str, Node]
    sources: Mapping[str, str] = field(repr=False)
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """What checks want to know of a sender: its channel, whether replies reach us, and the events it reports
    (None: all that its channel can)."""

    channel: str
    two_way: bool = True
    reports: frozenset[str] | None = None


AttributeType = Literal["text", "number", "boolean", "date", "list"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the project around a flow declares. None: not declared, so nothing is complained of."""

    attributes: Mapping[str, AttributeType] | None = None
    senders: Mapping[str, SenderFacts] | None = None
    transactional: frozenset[str] | None = None
    opt_out_links: bool | None = None


LONE = Surroundings()
"""A flow file with no project beside it."""

__all__ = [
    "LONE", "NOTHING", "Again", "AttributeType", "ByEvent", "ByHand", "BySchedule", "BySegment", "Entry", "Flow",
    "Node", "Place", "SenderFacts", "StopRule", "Surroundings",
]  # fmt: skip
