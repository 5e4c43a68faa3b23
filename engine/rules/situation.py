"""What a turn is told and what it says: a contact's situation, the stimuli, and the delta. Pure data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tactful.elements.contract import NOTHING, Contact, Event, Message, MessageKey
from tactful.engine.interpreter import Caused, Journey, Visited
from tactful.engine.rules.entry import Entries
from tactful.flows.model import ByEvent, BySegment, Flow


@dataclass(frozen=True, slots=True)
class LiveFlow:
    """A published flow: the version that new journeys get, and whose stop rules act on all.

    `enters` is false while the flow is paused, finishing or stopped; `moves` is false while paused. `watches`:
    a segment flow notes who joins and parts, also while it lets nobody in.
    """

    flow: Flow
    version: int
    enters: bool = True
    moves: bool = True
    watches: bool = True


@dataclass(frozen=True, slots=True)
class LiveFlows:
    """All published flows, and which of them an event or a change of the contact could start."""

    by_id: Mapping[str, LiveFlow]
    by_event: Mapping[str, tuple[LiveFlow, ...]]
    by_segment: tuple[LiveFlow, ...]

    @classmethod
    def of(cls, flows: Iterable[LiveFlow]) -> LiveFlows:
        """Index live flows by what starts them."""
        by_id = {live.flow.id: live for live in flows}
        by_event: dict[str, list[LiveFlow]] = {}
        by_segment = []
        for live in by_id.values():
            if isinstance(live.flow.entry, ByEvent) and live.enters:
                by_event.setdefault(live.flow.entry.event, []).append(live)
            elif isinstance(live.flow.entry, BySegment) and live.watches:
                by_segment.append(live)
        return cls(by_id, {name: tuple(found) for name, found in by_event.items()}, tuple(by_segment))

    def moves(self, flow: str) -> bool:
        """Whether a flow's journeys move, and its messages go: not while it is paused."""
        live = self.by_id.get(flow)
        return live is None or live.moves


class Running(NamedTuple):
    """An active journey with the version of the flow it runs on, and its newest message of each element.

    `stands`: something happened while its flow was paused, and it was not set going again yet.
    """

    journey: Journey
    flow: Flow
    messages: Mapping[str, Message]
    stands: bool = False


class Situation(NamedTuple):
    """What is known of a contact before the turn.

    `entries` maps flow ids to the contact's entries so far. `members` holds the ids of segment flows
    whose condition held when last looked. `log` holds the events that may still end a wait, oldest
    first; None where it was not loaded. `log_end` is the id of the newest event learnt of anybody.
    """

    contact: Contact
    running: Sequence[Running] = ()
    entries: Mapping[str, Entries] = NOTHING
    members: frozenset[str] = frozenset()
    log: Sequence[Event] | None = None
    log_end: int = 0


# --- Stimuli -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happened:
    """An event was learnt, and stands in the log."""

    event: Event


@dataclass(frozen=True, slots=True)
class TimeCame:
    """Journeys may be due."""


class Outcome(NamedTuple):
    """A message came to a state that its journey may wait for. `why` in words, for failures."""

    key: MessageKey
    element: str
    message: Message
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Enter:
    """Bring the contact into a flow. `entry` is what their journey remembers of how it began."""

    flow: str
    entry: Event


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """The situation's contact has just been changed from outside (an import, an API call)."""


@dataclass(frozen=True, slots=True)
class TakeOut:
    """A person takes the contact out of a flow."""

    flow: str
    why: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Journeys that stood still may move again (their flow was resumed). Whatever happened meanwhile still counts,
    also where time was up before it."""


Stimulus = Happened | TimeCame | Outcome | Enter | ContactChanged | TakeOut | LookAgain


class LogNeeded(Exception):
    """The turn came to a wait that events of the past may answer, and the situation has no log.

    Not an error: load the log and take the turn again.
    """


@dataclass(slots=True)
class Delta:
    """What changed. `journeys` maps ids to their new rows; `began` says which of them are new.

    `deeds` are the messages to queue, with the journey that sends them; `facts` the changes to the
    Do Not Contact list. `withdrawn` names journeys whose waiting messages must not go out any more, `stood` those that
    stand still from now on.
    `used` are ids of messages' events that ended a wait. `contact` is None where unchanged.
    """

    journeys: dict[int, Journey] = field(default_factory=dict)
    began: list[int] = field(default_factory=list)
    visits: list[Visited] = field(default_factory=list)
    deeds: list[tuple[Journey, Caused]] = field(default_factory=list)
    facts: list[tuple[Journey, Caused]] = field(default_factory=list)
    goals: list[tuple[Journey, str]] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    stood: list[int] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    contact: Contact | None = None
    joined: set[str] = field(default_factory=set)
    parted: set[str] = field(default_factory=set)
    refused: list[tuple[str, str]] = field(default_factory=list)
