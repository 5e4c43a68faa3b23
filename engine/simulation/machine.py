"""A flow made ready to be walked a million times.

Every element becomes a `Spot` with functions that know its options. They say what the element itself would, in the
shortest form: the name of an exit, or the moment until which a journey stays. What has no function of its own here (a
project's own element, say) is asked itself, through a `Visit`. A test plays random flows here and on the real engine,
and holds the two to the same visits, messages and entries of the Do Not Contact list.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tactful.elements.add_to_do_not_contact import AddToDoNotContact as AddElement
from tactful.elements.branch import Branch
from tactful.elements.contract import (
    END,
    Element,
    Event,
    Instant,
    Leave,
    Level,
    Message,
    Purpose,
    Send,
    SendMessage,
    Stay,
)
from tactful.elements.goal import Goal
from tactful.elements.options.duration import SWING, Duration
from tactful.elements.options.paths import Words
from tactful.elements.options.wall_time import MILLISECOND, wall_of
from tactful.elements.pause import Pause
from tactful.elements.remove_from_do_not_contact import RemoveFromDoNotContact as RemoveElement
from tactful.elements.split import Split
from tactful.elements.update_contact import UpdateContact as UpdateElement
from tactful.elements.wait_for_change import WaitForChange
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply
from tactful.engine.interpreter import ElementError, awaited
from tactful.engine.lifecycle import next_entry
from tactful.engine.rules.matching import answers, asks_log, outcome
from tactful.engine.rules.permission import Limit
from tactful.engine.rules.turn import sender_of
from tactful.flows.model import ByEvent, BySchedule, BySegment, Flow, Node, StopRule

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life, Passage

MINUTE, QUARTER, HOUR, DAY = 60_000, 900_000, 3_600_000, 86_400_000
NEVER = 1 << 62
"""Later than anything."""

WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what a wall shows has no zone

KINDS = ("bounced", "delivered", "opened", "clicked", "replied", "opted_out", "complained")
"""What can happen with a message, in the order it is counted in."""

Answer = str | int | None
"""Leave by an exit (its name), stay until a moment, or stay without one."""


class Deaf:
    """The one who heard something that was not what they waited for."""


DEAF: Final = Deaf()

Enter = Callable[["Life", "Passage"], Answer]
Hear = Callable[["Life", "Passage", Event], "Answer | Deaf"]


class Spot:
    """An element in its place, ready to be walked.

    `number` counts spots in the order of the file; `exits` maps each way out to its number among all ways out of the
    flow and the spot it leads to (None: the end). `enter`, `time_up` and `hear` are the element's answers; `hear` says
    `DEAF` where the event is not what was awaited. `hears_log`: events of before the stay may end it. `sends` is the
    message it sends, None where the element is to be asked itself or sends nothing.
    """

    __slots__ = ("asked", "enter", "exits", "hear", "hears_log", "id", "node", "number", "sends", "time_up")

    def __init__(self, node: Node, number: int) -> None:
        self.id = node.id
        self.node = node
        self.number = number
        self.exits: dict[str, tuple[int, Spot | None]] = {}
        self.enter: Enter = _never
        self.time_up: Enter = _never
        self.hear: Hear = _hears_nothing
        self.hears_log = False
        self.asked = False
        self.sends: Sending | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What a send puts in the outbox. `sender` is empty where nobody named one: the message has failed then."""

    channel: str
    sender: str
    purpose: Purpose
    valid_for: Duration | None


class Machine:
    """A flow, ready to be walked, and what of the project bears on it.

    `listens` are the events that anything of it could take notice of; None: any event, for an own element says only
    at run time what it awaits. Without `enters`, a schedule or a segment brings nobody in: somebody else does.
    """

    def __init__(
        self,
        flow: Flow,
        begins: Instant,
        until: Instant,
        limits: Sequence[Limit] = (),
        transactional: frozenset[str] = frozenset(),
        link_level: Level = "any_sender",
        *,
        enters: bool = True,
    ) -> None:
        self.flow = flow
        self.begins = begins
        self.until = until
        self.link_level = link_level
        self.limits = tuple(limits)
        self.fewest = min(
            (limit.messages for limit in limits), default=NEVER
        )  # with fewer sent, no limit says anything
        self.transactional = flow.id in transactional
        self.spots = {id: Spot(node, number) for number, (id, node) in enumerate(flow.nodes.items())}
        self.exits: list[tuple[str, str]] = []
        for spot in self.spots.values():
            for exit, target in spot.node.exits.items():
                spot.exits[exit] = len(self.exits), None if target == END else self.spots[target]
                self.exits.append((spot.id, exit))
            self._make_ready(spot)
        self.start = self.spots[flow.start]
        self.stops_on: dict[str, list[StopRule]] = {}
        for rule in flow.stop_when:
            if rule.event is not None:
                self.stops_on.setdefault(rule.event, []).append(rule)
        self.stops_when = [rule for rule in flow.stop_when if rule.when is not None]
        self.begins_on = flow.entry.event if isinstance(flow.entry, ByEvent) else None
        self.begins_where = flow.entry.where if isinstance(flow.entry, ByEvent) else None
        self.segment = flow.entry.holds if enters and isinstance(flow.entry, BySegment) else None
        conditions = [rule.when for rule in self.stops_when if rule.when is not None]
        conditions += [] if self.segment is None else [self.segment]
        self.changes_with_time = any(condition.uses_time for condition in conditions)
        self.listens = self._listens()
        self.audience = flow.entry.audience if isinstance(flow.entry, BySchedule) else None
        self._schedule = frozenset(_schedule(flow, begins, until) if enters else ())
        hours = range((begins // HOUR + 1) * HOUR, until + 1, HOUR) if self.changes_with_time else ()
        self._routine = sorted({*self._schedule, *hours})
        self.has_routine = bool(self._routine)
        self._offsets: dict[tuple[str, int], int] = {}

    def next_routine(self, after: Instant) -> Instant:
        """When the schedule, or the look at conditions that change with time, is due next; far off where never."""
        at = bisect_right(self._routine, after)
        return self._routine[at] if at < len(self._routine) else NEVER

    def is_scheduled(self, now: Instant) -> bool:
        """Whether the flow's schedule brings people in at this moment."""
        return now in self._schedule

    def is_awake(self, now: Instant, zone: ZoneInfo) -> bool:
        """Whether it certainly is outside of the flow's quiet hours. Zones change their clocks at quarters of hours."""
        quiet = self.flow.settings.quiet_hours
        assert quiet is not None
        minute = (now + self._offset(now, zone)) // MINUTE % 1440
        if quiet.start < quiet.end:
            return not quiet.start <= minute < quiet.end
        return quiet.end <= minute < quiet.start

    def after(self, duration: Duration, instant: Instant, zone: ZoneInfo) -> Instant:
        """As `Duration.after`. Where the offset from UTC is the same at the start and around the end, days have 24
        hours."""
        if not duration.days:
            return instant + duration.ms
        landed = instant + duration.days * DAY
        offset = self._offset(instant, zone)
        if (
            offset == self._offset(landed, zone)
            and offset == self._offset(landed - SWING, zone)
            and offset == self._offset(landed + SWING, zone)
        ):
            return landed + duration.ms
        return duration.after(instant, zone)

    def _offset(self, now: Instant, zone: ZoneInfo) -> int:
        """How many ms the clocks of a zone are ahead of UTC; looked up once for each quarter of an hour."""
        at = zone.key, now // QUARTER
        offset = self._offsets.get(at)
        if offset is None:
            if len(self._offsets) > 100_000:
                self._offsets.clear()
            begins = now // QUARTER * QUARTER
            offset = self._offsets[at] = (wall_of(begins, zone) - WALL_EPOCH) // MILLISECOND - begins
        return offset

    def sending(self, message: SendMessage) -> Sending:
        """A message as the engine would queue it."""
        settings = self.flow.settings
        purpose = message.purpose or settings.purpose
        if purpose == "transactional" and not self.transactional:
            purpose = "marketing"
        return Sending(message.channel, sender_of(message, settings), purpose, message.valid_for)

    def _listens(self) -> frozenset[str] | None:
        names = set(self.stops_on)
        if isinstance(self.flow.entry, ByEvent):
            names.add(self.flow.entry.event)
        for spot in self.spots.values():
            if spot.asked and spot.hears_log:
                return None
            if isinstance(spot.node.element, WaitForEvent):
                names.add(spot.node.element.event)
            elif isinstance(spot.node.element, WaitForReply):
                names.add("replied")
        return frozenset(names)

    def _make_ready(self, spot: Spot) -> None:
        element = spot.node.element
        kind = type(element)
        if isinstance(element, Send) and _is_plain_send(kind):
            assert element.sends is not None
            spot.sends = self.sending(SendMessage(element.sends, element.sender, element.purpose, element.valid_for))
            spot.enter = _sends if spot.sends.sender else _cannot_send
        elif kind in _READY:
            _READY[kind](spot, element, self)
        else:
            _ask(spot, self.flow)
            spot.hears_log = kind is not WaitForChange


def _schedule(flow: Flow, begins: Instant, until: Instant) -> Iterator[Instant]:
    if isinstance(flow.entry, BySchedule):
        at = next_entry(flow, begins)
        while at is not None and at <= until:
            yield at
            at = next_entry(flow, at)


def _is_plain_send(kind: type[Element]) -> bool:
    return kind.enter is Send.enter and kind.awaits is Send.awaits and kind.resume is Send.resume


def _never(life: Life, journey: Passage) -> Answer:
    raise AssertionError("nobody stays here until a moment")


def _hears_nothing(life: Life, journey: Passage, event: Event) -> Answer | Deaf:
    return DEAF


# --- The elements --------------------------------------------------------------------------------


def _sends(life: Life, journey: Passage) -> Answer:
    life.queue(journey, journey.spot)
    return None


def _cannot_send(life: Life, journey: Passage) -> Answer:
    life.note_unsendable(journey)
    return "failed"


def _pause(spot: Spot, element: Pause, machine: Machine) -> None:
    spot.time_up = lambda life, journey: "done"
    span = element.for_
    if span is not None:
        spot.enter = lambda life, journey: machine.after(span, life.now, life.zone)
    else:
        until, time = element.until, element.time
        assert until is not None
        passed = "no_date" if until.attribute else "done"

        def enter(life: Life, journey: Passage) -> Answer:
            moment = until.next(life.now, life.zone, life.contact, time)
            if moment is None:
                return passed
            return moment if moment > life.now else "done"

        spot.enter = enter


def _newest(messages: Mapping[str, Message], refs: Sequence[str]) -> Message | None:
    """The message sent last, of those these sends sent; None where none was sent."""
    newest: Message | None = None
    for ref in refs:
        message = messages.get(ref)
        if message is None or message.sent_at is None:
            continue
        if newest is None or (message.sent_at, message.step) > (newest.sent_at or 0, newest.step):
            newest = message
    return newest


def _waits(spot: Spot, element: WaitForEvent | WaitForReply, machine: Machine) -> None:
    """The common part of waits: from when and until when."""
    refs, within = element.message, element.within
    spot.time_up = lambda life, journey: "timed_out"
    spot.hears_log = True

    def until(life: Life, begins: Instant) -> Answer:
        return None if within == "forever" else machine.after(within, begins, life.zone)

    if refs is None:
        spot.enter = lambda life, journey: until(life, life.now)
        return

    def enter(life: Life, journey: Passage) -> Answer:
        sent = _newest(journey.messages, refs)
        if sent is None or sent.sent_at is None:
            return "not_sent"
        return until(life, sent.sent_at)

    spot.enter = enter


def _is_awaited(element: WaitForEvent | WaitForReply, name: str) -> Callable[[Passage, Event], bool]:
    """Whether an event is the one awaited, but for a `where`: as `matching.answers` has it."""
    refs = element.message

    def of_message(journey: Passage, event: Event) -> bool:
        if event.name != name or event.message is None or event.message[0] != journey.number:
            return False
        sent = _newest(journey.messages, refs or ())
        return sent is not None and sent.step == event.message[1]

    def of_contact(journey: Passage, event: Event) -> bool:
        if event.name != name or 0 < event.id <= journey.since:
            return False
        return event.message is None or event.message[0] == journey.number

    return of_contact if refs is None else of_message


def _wait_for_event(spot: Spot, element: WaitForEvent, machine: Machine) -> None:
    _waits(spot, element, machine)
    awaits, where = _is_awaited(element, element.event), element.where

    def hear(life: Life, journey: Passage, event: Event) -> Answer | Deaf:
        if not awaits(journey, event) or not (where is None or life.holds(where, journey, event)):
            return DEAF
        return "happened"

    spot.hear = hear


def _wait_for_reply(spot: Spot, element: WaitForReply, machine: Machine) -> None:
    _waits(spot, element, machine)
    awaits = _is_awaited(element, "replied")
    paths = tuple(element.paths.items())
    said: dict[tuple[str, str], bool] = {}  # what people write comes from a short list, and matching takes its time

    def says(name: str, words: Words, text: str) -> bool:
        key = name, text
        found = said.get(key)
        if found is None:
            found = words.said_in(text) is not None
            if len(said) < 10_000:
                said[key] = found
        return found

    def hear(life: Life, journey: Passage, event: Event) -> Answer | Deaf:
        if not awaits(journey, event):
            return DEAF
        text = event.data.get("text")
        reply = text if isinstance(text, str) else ""
        taken = "otherwise"
        for name, answer in paths:
            if says(name, answer, reply) if isinstance(answer, Words) else life.holds(answer, journey, event):
                taken = name
                break
        journey.values = {**journey.values, "reply": reply}
        return taken

    spot.hear = hear


def _branch(spot: Spot, element: Branch, machine: Machine) -> None:
    paths = tuple(element.paths.items())

    def enter(life: Life, journey: Passage) -> Answer:
        for name, condition in paths:
            if life.holds(condition, journey, journey.entry):
                return name
        return "otherwise"

    spot.enter = enter


def _split(spot: Spot, element: Split, machine: Machine) -> None:
    flow, id = machine.flow.id, spot.id
    spot.enter = lambda life, journey: element.path_of(flow, id, life.contact.key).by


def _acts(spot: Spot, element: Element, machine: Machine) -> None:
    """What these cause is always the same: they look at nothing."""
    answer = element.enter(_NOBODYS)
    assert isinstance(answer, Leave)
    effects, exit = answer.effects, answer.by

    def enter(life: Life, journey: Passage) -> Answer:
        for effect in effects:
            life.cause(effect, journey)
        return exit

    spot.enter = enter


_NOBODYS: Any = None
_READY: dict[type[Element], Callable[[Spot, Any, Machine], None]] = {
    Pause: _pause,
    WaitForEvent: _wait_for_event,
    WaitForReply: _wait_for_reply,
    Branch: _branch,
    Split: _split,
    UpdateElement: _acts,
    AddElement: _acts,
    RemoveElement: _acts,
    Goal: _acts,
}


# --- Any other element ---------------------------------------------------------------------------


def _ask(spot: Spot, flow: Flow) -> None:
    """Ask the element itself, as the interpreter does."""
    element = spot.node.element
    spot.asked = True
    spot.hears_log = True

    def taken(life: Life, journey: Passage, answer: Leave | Stay) -> Answer:
        if not isinstance(answer, Leave | Stay):
            raise _broken(spot, flow, f"answered {answer!r}, which is neither `Leave` nor `Stay`")
        for effect in answer.effects:
            life.cause(effect, journey)
        if isinstance(answer, Leave):
            return answer.by
        if answer.until is None and not awaited(flow, life.visit(journey)):
            raise _broken(spot, flow, "stays, but neither until a moment nor for an event")
        return answer.until

    def enter(life: Life, journey: Passage) -> Answer:
        return taken(life, journey, element.enter(life.visit(journey)))

    def time_up(life: Life, journey: Passage) -> Answer:
        return taken(life, journey, element.time_up(life.visit(journey)))

    def hear(life: Life, journey: Passage, event: Event) -> Answer | Deaf:
        visit = life.visit(journey)
        if not any(answers(each, event, visit, journey.since) for each in awaited(flow, visit)):
            return DEAF
        return taken(life, journey, element.resume(visit, event))

    spot.enter, spot.time_up, spot.hear = enter, time_up, hear


def outcome_for(spot: Spot, flow: Flow, life: Life, journey: Passage) -> Answer | Deaf:
    """For an element that is asked itself: its answer to the outcome of a message it waits for, if there is one."""
    visit = life.visit(journey)
    said = outcome(awaited(flow, visit), journey.messages.values(), visit)
    if said is None:
        return DEAF
    answer = spot.node.element.resume(visit, said)
    for effect in answer.effects:
        life.cause(effect, journey)
    return answer.by if isinstance(answer, Leave) else answer.until


def asks_the_log(flow: Flow, life: Life, journey: Passage) -> bool:
    """For an element that is asked itself: whether it waits for what may have happened before."""
    return asks_log(awaited(flow, life.visit(journey)))


def _broken(spot: Spot, flow: Flow, what: str) -> ElementError:
    return ElementError(f"flow {flow.id!r}, element {spot.id!r} ({spot.node.type}): {what}")
