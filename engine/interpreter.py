"""One journey, one step of the way: the meaning of a flow, and nothing else.

`start` and `advance` take a flow, a journey and what is known, and say where the journey stands
afterwards, what it visited and what it caused. Both are pure: the same arguments always give the
same `Step`. They read no clock, no database, no network; ids and times are arguments.

The rules, which hold for every element:

1. A journey stands at one element, or it has ended.
2. `enter` is asked on arriving; then the journey leaves by an exit at once, or it stays.
3. While it stays, `resume` is asked for an awaited event, `time_up` when its moment has come. Each
   answer again leaves or stays.
4. Facts (all effects but a send) are seen by the next element of the same walk.
5. An exit the element did not declare, a stay that nothing can end, two sends in one visit, a value that
   cannot be kept: refused with `ElementError`, whoever wrote the element.
6. A walk that never waits ends after `LONGEST_WALK` elements, and the journey with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVarTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tactful.elements.contract import (
    END,
    NOTHING,
    AddToDoNotContact,
    Await,
    Contact,
    Effect,
    Event,
    Instant,
    Leave,
    Message,
    ReachGoal,
    RemoveFromDoNotContact,
    Send,
    SendMessage,
    SetValues,
    Stay,
    UpdateContact,
    Visit,
)
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.duration import Duration
from tactful.flows.model import Flow, Node

Seen = TypeVarTuple("Seen")

LONGEST_WALK = 1_000
"""Elements a journey may pass in one walk without waiting."""

LATEST = 253_402_300_799_999
"""The last moment anything may wait for: the end of the year 9999, beyond which there are no dates."""

LONGEST_NAME = 320
"""Characters of a goal's or a sender's name, or of an event's own id, at most. They stand in keys of the database, and
with all that is in it a key of PostgreSQL's has 2,704 bytes at most."""

# The states of a journey. Only an active one moves.
ACTIVE = "active"
DONE = "done"  # it came to an end of the flow
STOPPED = "stopped"  # a rule of `stop_when` took it out
REMOVED = "removed"  # a person took it out
FAILED = "failed"  # it could not go on; `why` says what happened


class ElementError(Exception):
    """An element broke the contract; the message names the flow, the element and what it did."""


class Journey(NamedTuple):
    """All that survives a restart.

    `contact` is the contact's number; `entry_number` counts their entries into this flow from 1.
    `element` is None once ended. `step` numbers the visits from 1. `due_at` is when the stay ends by
    itself, None for never. `since` is the id of the last event of the log that is behind it: own
    events count for a wait only after that. `entry` is the event that began it.
    """

    id: int
    flow: str
    version: int
    contact: int
    entry_number: int
    entry: Event
    entered_at: Instant
    since: int
    state: str = ACTIVE
    element: str | None = None
    step: int = 0
    arrived_at: Instant = 0
    due_at: Instant | None = None
    values: Mapping[str, Any] = NOTHING
    ended_at: Instant | None = None
    why: str | None = None


class Visited(NamedTuple):
    """An element a journey left: by which exit, when, and for which event of the log, if for one. It is a row of the
    table of visits as it stands."""

    journey: int
    step: int
    element: str
    exit: str
    arrived_at: Instant
    left_at: Instant
    event: int | None
    why: str | None
    contact: int


class Caused(NamedTuple):
    """An effect, with the step and the element that caused it."""

    step: int
    element: str
    effect: Effect


class Step(NamedTuple):
    """What one stimulus did to one journey. `visit` is where it came to, as its element sees it; the contact in it has
    all facts applied."""

    journey: Journey
    visit: Visit
    effects: Sequence[Caused]
    visits: Sequence[Visited]


def start(flow: Flow, journey: Journey, contact: Contact, now: Instant) -> Step:
    """A new journey (`step` 0, at no element) arrives at the flow's first element."""
    visit = Visit(
        flow.id, flow.start, journey.id, 1, now, now, contact, journey.entry, journey.values, {},
        flow.settings, zone_of(contact, flow.settings.time_zone),
    )  # fmt: skip
    node = flow.nodes[flow.start]
    return _walk(flow, journey, visit, node, _answer(node, flow, node.element.enter, visit), None, None)


def advance(flow: Flow, journey: Journey, visit: Visit, event: Event | None, why: str | None = None) -> Step:
    """A staying journey takes an awaited event, or (event None) its moment has come.

    `visit` is where it stands, as `visit_of` says it. `why` is noted on the visit it leaves, for the reader of the
    trace.
    """
    node = flow.nodes[visit.element]
    if event is None:
        return _walk(flow, journey, visit, node, _answer(node, flow, node.element.time_up, visit), None, why)
    answer = _answer(node, flow, node.element.resume, visit, event)
    return _walk(flow, journey, visit, node, answer, event.id or None, why)


def visit_of(flow: Flow, journey: Journey, contact: Contact, messages: Mapping[str, Message], now: Instant) -> Visit:
    """Where a staying journey stands, as its element sees it."""
    assert journey.element is not None, "a journey that ended stands nowhere"
    return Visit(
        flow.id, journey.element, journey.id, journey.step, now, journey.arrived_at, contact, journey.entry,
        journey.values, messages, flow.settings, zone_of(contact, flow.settings.time_zone),
    )  # fmt: skip


def awaited(flow: Flow, visit: Visit) -> tuple[Await, ...]:
    """What would end the stay of a journey that stands there. Raises ElementError."""
    node = flow.nodes[visit.element]
    try:
        found: object = node.element.awaits(visit)
    except Exception as error:
        raise _raised(node, flow, error) from error
    if not isinstance(found, tuple):
        raise _broken(node, flow, f"awaits {found!r}, which is no tuple of `Await`")
    for each in found:
        if not isinstance(each, Await):
            raise _broken(node, flow, f"awaits {found!r}, which is no tuple of `Await`")
    return found


def zone_of(contact: Contact, fallback: str | None) -> ZoneInfo:
    """The contact's own zone, else the flow's, else UTC. A name that is no zone (any more) counts as none."""
    return _zone(contact.time_zone) or _zone(fallback) or _UTC


def known_zone_of(contact: Contact, fallback: str | None) -> ZoneInfo | None:
    """The same, but None where neither is known."""
    return _zone(contact.time_zone) or _zone(fallback)


_UTC = ZoneInfo("UTC")


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, malformed, or the name of a folder
        return None


def _walk(
    flow: Flow, journey: Journey, visit: Visit, node: Node, answer: Leave | Stay, event: int | None, why: str | None
) -> Step:
    """Follow the answers of elements, from this one on, until one stays or the journey ends."""
    effects: list[Caused] = []
    visits: list[Visited] = []
    for _ in range(LONGEST_WALK):
        if answer.effects:
            visit = _applied(flow, node, visit, answer.effects, effects)
        if isinstance(answer, Stay):
            _may_stay(flow, node, visit, answer)
            return Step(_moved(journey, visit, ACTIVE, node.id, answer.until, None, None), visit, effects, visits)
        exit = answer.by
        target = node.exits.get(exit)
        if target is None:
            raise _broken(node, flow, f"left by {exit!r}, which is none of its exits")
        now, step = visit.now, visit.step
        who = visit.contact.number
        visits.append(Visited(visit.journey, step, node.id, exit, visit.arrived_at, now, event, why, who))
        if target == END:
            return Step(_moved(journey, visit, DONE, None, None, now, None), visit, effects, visits)
        # Written out, not `_replace`, which takes three times as long; so are the visits and journeys above.
        visit = Visit(
            visit.flow, target, visit.journey, step + 1, now, now, visit.contact, visit.entry, visit.values,
            visit.messages, visit.settings, visit.zone,
        )  # fmt: skip
        node = flow.nodes[target]
        event = why = None
        answer = _answer(node, flow, node.element.enter, visit)
    why = f"passed {LONGEST_WALK} elements without waiting"
    return Step(_moved(journey, visit, FAILED, None, None, visit.now, why), visit, effects, visits)


def _moved(
    journey: Journey,
    visit: Visit,
    state: str,
    element: str | None,
    due_at: Instant | None,
    ended_at: Instant | None,
    why: str | None,
) -> Journey:
    return Journey(
        journey.id, journey.flow, journey.version, journey.contact, journey.entry_number, journey.entry,
        journey.entered_at, journey.since, state, element, visit.step, visit.arrived_at, due_at, visit.values,
        ended_at, why,
    )  # fmt: skip


def _applied(flow: Flow, node: Node, visit: Visit, effects: Iterable[Effect], caused: list[Caused]) -> Visit:
    """The visit with the facts of an answer; all its effects, but values that were set, are added to `caused`."""
    before = visit.messages.get(node.id)
    sent = before is not None and before.step == visit.step
    for effect in effects:
        wrong = _wrong_with(effect)
        if wrong is not None:
            raise _broken(node, flow, wrong)
        match effect:
            case UpdateContact():
                visit = visit._replace(contact=updated(visit.contact, effect))
            case SetValues(values):
                visit = visit._replace(values={**visit.values, **values})
                continue
            case SendMessage():
                # A message is named by its journey and step, and rendered from its element: so one a visit, by a send.
                if not isinstance(node.element, Send):
                    raise _broken(node, flow, "sent a message, but is no `Send`")
                if sent:
                    raise _broken(node, flow, "sent a second message in one visit; one is the most")
                sent = True
        caused.append(Caused(visit.step, node.id, effect))
    return visit


def _may_stay(flow: Flow, node: Node, visit: Visit, answer: Stay) -> None:
    if answer.until is None and not awaited(flow, visit):
        raise _broken(node, flow, "stays, but neither until a moment nor for an event")
    if not _is_instant(answer.until):
        raise _broken(node, flow, f"stays until {answer.until!r}, which is no instant")


def _answer(node: Node, flow: Flow, question: Callable[[*Seen], Leave | Stay], *seen: *Seen) -> Leave | Stay:
    """Ask an element. It may be anybody's code, so whatever it raises becomes an `ElementError` that names it."""
    try:
        answer: object = question(*seen)
    except Exception as error:
        raise _raised(node, flow, error) from error
    if not isinstance(answer, (Leave, Stay)):
        raise _broken(node, flow, f"answered {answer!r}, which is neither `Leave` nor `Stay`")
    effects: object = answer.effects
    if not isinstance(effects, tuple):
        raise _broken(node, flow, f"caused {effects!r}, which is no tuple of effects")
    if isinstance(answer, Leave) and not isinstance(answer.by, str):
        raise _broken(node, flow, f"left by {answer.by!r}, which is none of its exits")
    return answer


def _wrong_with(effect: object) -> str | None:
    """What is wrong with an effect, None where nothing is: nothing may come out of an element that cannot be kept,
    or it would stop all who are carried out together with it."""
    try:
        right = _can_be_kept(effect)
    except (TypeError, AttributeError):  # no list where a list should be, and the like
        right = False
    if right is None:
        return f"caused {effect!r}, which is no effect"
    return None if right else f"caused {effect!r}, which holds what cannot be kept"


def _can_be_kept(effect: object) -> bool | None:
    """None for what is no effect at all."""
    match effect:
        case SendMessage(channel, sender, purpose, valid_for):
            return (
                channel in CHANNELS
                and (sender is None or _is_name(sender))
                and purpose in (None, "marketing", "transactional")
                and (valid_for is None or isinstance(valid_for, Duration))
            )
        case AddToDoNotContact() | RemoveFromDoNotContact():
            return (
                (effect.channel in CHANNELS or effect.channel == "all")
                and effect.level in ("any_sender", "this_sender")
                and effect.covers in ("marketing", "everything")
                and (effect.sender is None or _is_name(effect.sender))
                and (effect.reason is None or _is_text(effect.reason))
            )
        case UpdateContact(set, add_tags, remove_tags):
            return _is_json({**set}) and all(_is_text(tag) for tag in (*add_tags, *remove_tags))
        case SetValues(values):
            return _is_json({**values})
        case ReachGoal(name):
            return _is_name(name)
    return None


def _is_instant(value: object) -> bool:
    return value is None or (isinstance(value, int) and abs(value) <= LATEST)


def _is_name(value: object) -> bool:
    """Text that a key can hold as well."""
    return isinstance(value, str) and len(value) <= LONGEST_NAME and _is_text(value)


def _is_text(value: object) -> bool:
    """Text that every database can hold: NUL and half a surrogate pair are none."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_json(value: object) -> bool:
    match value:
        case str():
            return _is_text(value)
        case None | bool() | int() | float():
            return True
        case list() | tuple():
            return all(_is_json(each) for each in value)
        case Mapping():
            return all(_is_text(name) and _is_json(each) for name, each in value.items())
    return False


def _raised(node: Node, flow: Flow, error: Exception) -> ElementError:
    return _broken(node, flow, f"raised {type(error).__name__}: {error}")


def _broken(node: Node, flow: Flow, what: str) -> ElementError:
    what = what.encode("utf-8", "backslashreplace").decode().replace("\0", r"\0")  # it is kept, whatever it quotes
    return ElementError(f"flow {flow.id!r}, element {node.id!r} ({node.type}): {what}")


def updated(contact: Contact, change: UpdateContact) -> Contact:
    """The contact with a change made; the same object where the change changes nothing."""
    attributes = dict(contact.attributes)
    for name, value in change.set.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
    tags = (contact.tags | frozenset(change.add_tags)) - frozenset(change.remove_tags)
    if attributes == contact.attributes and tags == contact.tags:
        return contact
    return contact._replace(attributes=attributes, tags=tags)
