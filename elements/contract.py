"""What an element is, and everything it may see, say and cause.

This page is the whole vocabulary between an element and the engine. It holds data and no
behaviour of its own: an element never reads a clock, draws a random number, opens a file or
touches the network. It is told where a contact stands (`Visit`), and answers with what should
happen next (`Leave` or `Stay`). The engine stores and carries out the answer.

To add an element, write one class in one file. The file's name is the word marketers write in
`type:`; the class's fields are its options; its docstring is its manual page. See
`docs/elements.md` for a walk-through, `examples/own-element` for a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Duration
from tactful.elements.options.template import Template

Instant = int
"""A moment: whole milliseconds since 1970-01-01T00:00:00Z. Zones exist only at the edges."""

END = "end"
"""The reserved target that ends a journey. No element may bear this name."""

CONTACT_CHANGED = "contact_changed"
"""The event awaited by elements that watch the contact: their attributes or tags changed, by whatever
hand."""

Purpose = Literal["marketing", "transactional"]
Level = Literal["any_sender", "this_sender"]
Covers = Literal["marketing", "everything"]
Family = Literal["talk", "wait", "decide", "act", "finish"]

NOTHING: Mapping[str, Any] = MappingProxyType({})  # by a factory below: Python 3.11 takes it for mutable


class MessageKey(NamedTuple):
    """Names one message for ever: the journey that sent it and the step it was sent at.

    Written `journey.step` (`"1204.3"`) wherever a person or another system sees it.
    """

    journey: int
    step: int

    def __str__(self) -> str:
        return f"{self.journey}.{self.step}"

    @classmethod
    def parse(cls, text: str) -> MessageKey:
        """Read `journey.step`. Raises ValueError for anything else."""
        journey, dot, step = text.partition(".")
        if not (dot and journey.isascii() and journey.isdigit() and step.isascii() and step.isdigit()):
            raise ValueError(f"{text!r} is not a message: expected `journey.step`, such as `1204.3`")
        return cls(int(journey), int(step))


class Event(NamedTuple):
    """Something that happened to a contact, or to a message sent to them.

    `at` is when it happened (never after the engine learnt of it). `message` is the message it is
    about, None for the contact's own events. `id` is its place in the event log, counting up in
    the order events were learnt; 0 for what is not logged (the outcome of a send).
    """

    name: str
    at: Instant
    data: Mapping[str, Any] = NOTHING
    message: MessageKey | None = None
    id: int = 0


class Contact(NamedTuple):
    """A person as flows see them. `key` is their own id, `number` the engine's short one.

    `attributes` holds JSON values (text, number, true/false, None, list; dates as `2026-12-24` text).
    `email` and `phone` (E.164) are normalised. `time_zone` is an IANA name, or None where unknown.
    """

    number: int
    key: str
    attributes: Mapping[str, Any] = NOTHING
    tags: frozenset[str] = frozenset()
    email: str | None = None
    phone: str | None = None
    time_zone: str | None = None


class Message(NamedTuple):
    """A message of this journey: the newest one its element sent.

    `state` is one of the message states (`docs/messages.md`); `sent_at` is None until it was sent.
    """

    step: int
    state: str
    sent_at: Instant | None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily span, in minutes after midnight of the contact's own day, in which sends are held.

    `start` > `end` runs over midnight (21:00 to 08:00). Equal values are refused on loading.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Settings:
    """A flow's `settings:`. `senders` maps a channel to the sender it uses (`email` -> address)."""

    senders: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    quiet_hours: QuietHours | None = None
    time_zone: str | None = None
    purpose: Purpose = "marketing"


class Visit(NamedTuple):
    """What an element is told: one contact's stand at one element, now.

    `step` numbers the visits of a journey from 1; a message sent here is `MessageKey(journey, step)`.
    `arrived_at` is when this visit began. `entry` is the event that began the journey (its data is
    empty for an entry by hand). `values` are the journey's own, set on the way. `messages` maps an
    element's id to the newest message it sent in this journey.
    """

    flow: str
    element: str
    journey: int
    step: int
    now: Instant
    arrived_at: Instant
    contact: Contact
    entry: Event
    values: Mapping[str, Any]
    messages: Mapping[str, Message]
    settings: Settings
    zone: ZoneInfo

    def holds(self, condition: Condition, event: Event | None = None) -> bool:
        """Whether a condition holds here, `event` being the event looked at (else the entry's)."""
        return condition.holds(self.contact, self.entry, event or self.entry, self.values, self.now, self.zone)


# --- What an element answers ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Put a message in the outbox. Its text is rendered from the element when it is taken to be sent.

    `sender` None means the flow's sender for the channel; `purpose` None means the flow's purpose.
    An answer may hold one at most.
    """

    channel: str
    sender: str | None = None
    purpose: Purpose | None = None
    valid_for: Duration | None = None


@dataclass(frozen=True, slots=True)
class AddToDoNotContact:
    """Put the contact's address on the Do Not Contact list.

    `channel` is a channel or `all`. With `level` this_sender, `sender` None means the flow's sender
    for the channel.
    """

    channel: str
    level: Level = "any_sender"
    sender: str | None = None
    covers: Covers = "marketing"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveFromDoNotContact:
    """Take the contact's address off the list again: the entries of exactly this channel, level and cover."""

    channel: str
    level: Level = "any_sender"
    sender: str | None = None
    covers: Covers = "marketing"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateContact:
    """Set attributes (None removes one), add and remove tags."""

    set: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetValues:
    """Remember values on the journey, readable afterwards as `journey.NAME`."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReachGoal:
    """Count a goal of the flow for this contact."""

    name: str


Effect = SendMessage | AddToDoNotContact | RemoveFromDoNotContact | UpdateContact | SetValues | ReachGoal
"""What an element causes. All but SendMessage are facts: they commit with the step, and the next
element already sees them. SendMessage is a deed: it goes to the outbox, and its outcome comes back
as an event `sent`, `failed` or `suppressed` of the message."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Go out by an exit, which must be one of the element's `ways_out()`."""

    by: str = "done"
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Stay:
    """Wait here: for what the element `awaits`, until a moment, or both. A moment not after `now`
    is due at once; neither a moment nor anything awaited is refused by the engine."""

    until: Instant | None = None
    effects: tuple[Effect, ...] = ()


class Await(NamedTuple):
    """An event that would end the stay.

    With `step`, an event of the message sent at that step of this journey, whenever it came since
    the message was sent; without, an event of the contact's own, since the journey left its last
    wait. `where` must hold on it.
    """

    event: str
    step: int | None = None
    where: Condition | None = None


class Element(BaseModel):
    """One kind of element. Subclass it, name the file as the YAML word, write the manual as docstring.

    Class variables: `exits`, the exits every one of its kind has; `optional_exits`, those that lead
    to `end` where a flow does not name them; `family`, which sets colour and place in pictures;
    `sends`, the channel it sends on, None for all others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)

    exits: ClassVar[tuple[str, ...]] = ("done",)
    optional_exits: ClassVar[tuple[str, ...]] = ()
    family: ClassVar[Family] = "act"
    sends: ClassVar[str | None] = None

    def ways_out(self) -> tuple[str, ...]:
        """Its exits, in the order they are drawn; overridden where the options decide them."""
        return self.exits

    def summary(self) -> str:
        """What it does, for a picture or a table: a few words, no full stop."""
        return ""

    def lets_time_pass(self) -> bool:
        """Whether every visit takes time or an event of the world. A circle needs one such element."""
        return False

    def blocks(self) -> frozenset[str]:
        """Channels (or `all`) on which the contact cannot be written to once this was passed."""
        return frozenset()

    def unblocks(self) -> frozenset[str]:
        """Channels (or `all`) that are open again once this was passed."""
        return frozenset()

    def awaits(self, visit: Visit) -> tuple[Await, ...]:
        """What would end a stay here. Called at any time while a journey stays; must be stable."""
        return ()

    def enter(self, visit: Visit) -> Leave | Stay:
        """A journey arrives."""
        raise NotImplementedError(f"{type(self).__name__} says nothing about arriving")

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        """One of the awaited events came. It is consumed by this."""
        raise NotImplementedError(f"{type(self).__name__} awaited {event.name!r} but does not take it")

    def time_up(self, visit: Visit) -> Leave | Stay:
        """The moment it stayed until has come, and none of the awaited events had."""
        raise NotImplementedError(f"{type(self).__name__} stayed until a moment but does not take it")


class Send(Element):
    """The common part of all sends: a message goes to the outbox, the journey goes on when it was sent.

    A subclass sets `sends` and adds its texts; `parts()` names them.
    """

    exits: ClassVar[tuple[str, ...]] = ("sent", "failed", "suppressed")
    optional_exits: ClassVar[tuple[str, ...]] = ("failed", "suppressed")
    family: ClassVar[Family] = "talk"

    sender: str | None = Field(None, description="Which sender to use; without it, the flow's sender for the channel.")
    purpose: Purpose | None = Field(None, description="`marketing` or `transactional`; without it, the flow's purpose.")
    valid_for: Duration | None = Field(
        None,
        description="How long the message is worth sending; held longer than that, it leaves by `failed`.",
    )

    def parts(self) -> Mapping[str, Template]:
        """The texts of the message by name (`subject`, `html`, `text`), to be rendered when it is sent."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it sends")

    def awaits(self, visit: Visit) -> tuple[Await, ...]:
        return _outcomes(self.exits, visit.step)

    def enter(self, visit: Visit) -> Leave | Stay:
        return self._sending

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        return _leave(event.name)

    @cached_property
    def _sending(self) -> Stay:
        assert self.sends is not None, f"{type(self).__name__} does not name its channel"
        return Stay(effects=(SendMessage(self.sends, self.sender, self.purpose, self.valid_for),))


@lru_cache(maxsize=64)
def _leave(by: str) -> Leave:
    return Leave(by)


@lru_cache(maxsize=1024)
def _outcomes(exits: tuple[str, ...], step: int) -> tuple[Await, ...]:
    return tuple(Await(outcome, step) for outcome in exits)
