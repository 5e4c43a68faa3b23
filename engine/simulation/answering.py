"""What elements answer, in the shortest form.

Every element there is has a function here that knows its options and says what the element itself would: the name of
an exit, or the moment until which a journey stays. What has no function (a project's own element, say) is asked itself,
through a `Visit`. A test plays random flows here and on the real engine, and holds the two to the same visits, messages
and entries of the Do Not Contact list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tactful.elements.add_to_do_not_contact import AddToDoNotContact as AddElement
from tactful.elements.branch import Branch
from tactful.elements.contract import Element, Event, Instant, Leave, Message, Send, SendMessage, Stay
from tactful.elements.goal import Goal
from tactful.elements.options.paths import Words
from tactful.elements.pause import Pause
from tactful.elements.remove_from_do_not_contact import RemoveFromDoNotContact as RemoveElement
from tactful.elements.split import Split
from tactful.elements.update_contact import UpdateContact as UpdateElement
from tactful.elements.wait_for_change import WaitForChange
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply
from tactful.engine.interpreter import ElementError, awaited
from tactful.engine.rules.matching import answers, asks_log, outcome
from tactful.engine.simulation.causing import cause, note_unsendable
from tactful.engine.simulation.passage import Passage, Waiting
from tactful.engine.simulation.spot import DEAF, Answer, Deaf, Enter, Sending, Spot
from tactful.flows.model import Flow

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life
    from tactful.engine.simulation.machine import Machine


def make_ready(spot: Spot, machine: Machine) -> None:
    """Give a spot of a flow the answers of its element."""
    element = spot.node.element
    kind = type(element)
    if isinstance(element, Send) and _is_plain_send(kind):
        assert element.sends is not None
        message = SendMessage(element.sends, element.sender, element.purpose, element.valid_for)
        spot.sends = machine.sending(message)
        spot.enter = _sends(spot, spot.sends, machine) if spot.sends.sender else _cannot_send(spot)
    elif kind in _READY:
        _READY[kind](spot, element, machine)
    else:
        _ask(spot, machine.flow)
        spot.hears_log = kind is not WaitForChange


def changes_contacts(spot: Spot) -> bool:
    """Whether a journey that passes may change its contact."""
    return spot.asked or isinstance(spot.node.element, UpdateElement)


def _is_plain_send(kind: type[Element]) -> bool:
    return kind.enter is Send.enter and kind.awaits is Send.awaits and kind.resume is Send.resume


# --- The elements --------------------------------------------------------------------------------


def _sends(spot: Spot, sending: Sending, machine: Machine) -> Enter:
    expires = None if sending.valid_for is None else machine.later(sending.valid_for)

    def enter(life: Life, journey: Passage) -> Answer:
        now = life.now
        expires_at = None if expires is None else expires(now, life.zone)
        return life.post(Waiting(journey, spot, sending, now, expires_at))

    return enter


def _cannot_send(spot: Spot) -> Enter:
    def enter(life: Life, journey: Passage) -> Answer:
        note_unsendable(life, journey, spot)
        return "failed"

    return enter


def _pause(spot: Spot, element: Pause, machine: Machine) -> None:
    spot.time_up = lambda life, journey: "done"
    span = element.for_
    if span is not None:
        ends = machine.later(span)
        spot.enter = lambda life, journey: ends(life.now, life.zone)
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


def _newest_of(refs: Sequence[str]) -> Callable[[Mapping[str, Message]], Message | None]:
    """From a journey's messages, the one sent last, of those these sends sent; None where none was sent."""
    if len(refs) == 1:
        (ref,) = refs

        def only(messages: Mapping[str, Message]) -> Message | None:
            message = messages.get(ref)
            return None if message is None or message.sent_at is None else message

        return only

    def newest(messages: Mapping[str, Message]) -> Message | None:
        newest: Message | None = None
        for ref in refs:
            message = messages.get(ref)
            if message is None or message.sent_at is None:
                continue
            if newest is None or (message.sent_at, message.step) > (newest.sent_at or 0, newest.step):
                newest = message
        return newest

    return newest


def _waits(spot: Spot, element: WaitForEvent | WaitForReply, machine: Machine) -> None:
    """The common part of waits: from when and until when."""
    ends = _never if element.within == "forever" else machine.later(element.within)
    spot.time_up = lambda life, journey: "timed_out"
    spot.hears_log = True
    if element.message is None:
        spot.enter = lambda life, journey: ends(life.now, life.zone)
        return
    newest = _newest_of(element.message)

    def enter(life: Life, journey: Passage) -> Answer:
        sent = newest(journey.messages)
        if sent is None or sent.sent_at is None:
            return "not_sent"
        return ends(sent.sent_at, life.zone)

    spot.enter = enter


def _never(begins: Instant, zone: ZoneInfo) -> Answer:
    return None


def _is_awaited(element: WaitForEvent | WaitForReply, name: str) -> Callable[[Passage, Event], bool]:
    """Whether an event is the one awaited, but for a `where`: as `matching.answers` has it."""
    newest = _newest_of(element.message or ())

    def of_message(journey: Passage, event: Event) -> bool:
        if event.name != name or event.message is None or event.message[0] != journey.number:
            return False
        sent = newest(journey.messages)
        return sent is not None and sent.step == event.message[1]

    def of_contact(journey: Passage, event: Event) -> bool:
        if event.name != name or 0 < event.id <= journey.since:
            return False
        return event.message is None or event.message[0] == journey.number

    return of_contact if element.message is None else of_message


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
            cause(life, journey, spot, effect)
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
            cause(life, journey, spot, effect)
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
        cause(life, journey, spot, effect)
    return answer.by if isinstance(answer, Leave) else answer.until


def asks_the_log(flow: Flow, life: Life, journey: Passage) -> bool:
    """For an element that is asked itself: whether it waits for what may have happened before."""
    return asks_log(awaited(flow, life.visit(journey)))


def _broken(spot: Spot, flow: Flow, what: str) -> ElementError:
    return ElementError(f"flow {flow.id!r}, element {spot.id!r} ({spot.node.type}): {what}")
