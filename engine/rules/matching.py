"""What a staying journey awaits, held against what happened.

A message's own events count since the message was sent, whenever the wait began, and only for the
journey that sent it. The contact's own events count since the journey left its last wait or pause.
One event satisfies one wait once: a message's event is marked used in the log, and for own events
the journey's `since` moves past it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from tactful.elements.contract import CONTACT_CHANGED, Await, Event, Instant, Message, Visit

OUTCOMES = frozenset({"sent", "failed", "suppressed"})
"""How a send can end. An outcome is no event of the log; it is read off the message."""

STATE_OUTCOME: Mapping[str, str] = {
    "sent": "sent",
    "delivered": "sent",
    "failed": "failed",
    "expired": "failed",
    "suppressed": "suppressed",
}
"""Message state to the outcome it means for the journey. Other states are not an outcome yet."""


_NOT_IN_LOG = OUTCOMES | {CONTACT_CHANGED}


def asks_log(awaits: Iterable[Await]) -> bool:
    """Whether events learnt before could answer. Outcomes and changes of the contact are not in the log."""
    for each in awaits:  # noqa: SIM110 -- a generator is dear to make for so little
        if each.event not in _NOT_IN_LOG:
            return True
    return False


def answers(each: Await, event: Event, visit: Visit, since: int) -> bool:
    """Whether this event is what is awaited. `since` is the journey's place in the log."""
    if each.event != event.name:
        return False
    if each.step is not None:
        if event.message is None or event.message != (visit.journey, each.step):
            return False
    elif event.message is not None:
        if event.message.journey != visit.journey or 0 < event.id <= since:
            return False
    elif 0 < event.id <= since:
        return False
    return each.where is None or visit.holds(each.where, event)


def first_answer(
    awaits: Sequence[Await],
    log: Iterable[Event],
    used: Container[int],
    visit: Visit,
    since: int,
    known: int,
    due_at: Instant | None,
) -> Event | None:
    """The first event of the log, in the order learnt, that ends the stay: of those up to the id `known`, and of
    before `due_at` where that is given."""
    for event in log:
        if event.id > known:
            return None
        if event.id in used or (due_at is not None and event.at >= due_at):
            continue
        for each in awaits:
            if answers(each, event, visit, since):
                return event
    return None


def outcome(awaits: Sequence[Await], messages: Iterable[Message], visit: Visit) -> Event | None:
    """The outcome of an awaited message, where it has one already."""
    for message in messages:
        name = STATE_OUTCOME.get(message.state)
        if name is None:
            continue
        for each in awaits:
            if each.event == name and each.step == message.step:
                return Event(name, visit.now)
    return None
