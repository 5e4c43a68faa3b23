"""How journeys move beside a life: timers, what ends a wait, stop rules, entries, changes of the contact.

What elements answer they have from their spot (`answering.py`); what follows from the answer is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tactful.elements.contract import CONTACT_CHANGED, Event, Message
from tactful.elements.options.condition import Condition
from tactful.engine.interpreter import LONGEST_WALK, ElementError
from tactful.engine.rules.entry import Entries, refusal
from tactful.engine.rules.turn import MOST_MOVES
from tactful.engine.simulation.answering import asks_the_log, outcome_for
from tactful.engine.simulation.passage import Passage, Waiting
from tactful.engine.simulation.spot import MINUTE, NEVER, Answer, Deaf, Spot

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life


def fire(life: Life) -> None:
    """Fire what is due, the earliest first."""
    now = life.now
    while True:
        due: Passage | None = None
        for journey in life.running:
            if journey.due_at <= now and (due is None or journey.due_at < due.due_at):
                due = journey
        if due is None:
            return
        time_is_up(life, due)


def time_is_up(life: Life, journey: Passage) -> None:
    """Fire the timer of a journey."""
    spot = journey.spot
    assert spot is not None
    if may_move(life, journey):
        time_up = spot.time_up
        go(life, journey, spot, time_up(life, journey))
        if journey.since < life.known:
            journey.since = life.known
        if life.log or life.machine.asks:
            look_back(life, journey)


def hear(life: Life, event: Event) -> None:
    """Something happened while journeys are under way: stop rules act, and whoever waits for it goes on."""
    machine, name = life.machine, event.name
    if machine.listens is None or name in machine.listens:
        life.log.append(event)
    if name in machine.stops_on:
        _stop_on(life, event)
    for journey in tuple(life.running):
        if journey.spot is not None and life.used != event.id:
            _offer(life, journey, event)


def go(life: Life, journey: Passage, spot: Spot, answer: Answer) -> None:
    """Walk on from an answer until the journey stays or ends."""
    left, now = life.tally.left, life.now
    for _ in range(LONGEST_WALK):
        if not isinstance(answer, str):
            journey.due_at = NEVER if answer is None else answer
            return
        if life.trace is not None:
            life.trace.left(life, journey, spot.id, answer)
        try:
            exit, target = spot.exits[answer]
        except KeyError:
            what = f"left by {answer!r}, which is none of its exits"
            raise ElementError(f"flow {life.machine.flow.id!r}, element {spot.id!r}: {what}") from None
        left[exit] += 1
        if target is None:
            _end(life, journey)
            life.tally.took[(now - journey.entered_at) // MINUTE] += 1
            return
        journey.spot = spot = target
        journey.step += 1
        journey.arrived_at = now
        enter = spot.enter  # looked up first: called like a method, it would take longer
        answer = enter(life, journey)
    _end(life, journey)
    life.tally.failed += 1


def settle(life: Life, message: Waiting, state: str) -> None:
    """It is known what became of a message: whoever waits for that goes on."""
    journey, spot = message.journey, message.spot
    if journey.spot is None:
        return
    if journey.spot is spot and journey.step == message.step and spot.sends is not None:
        if may_move(life, journey):
            go(life, journey, spot, became(life, message, state))
    else:
        became(life, message, state)
    if life.log or life.machine.asks:
        look_back(life, journey)
    if life.changed:
        follow_changes(life)


def became(life: Life, message: Waiting, state: str) -> str:
    """Let a journey know what became of its message; the exit that its send is left by."""
    messages, id, step = message.journey.messages, message.spot.id, message.step
    if id not in messages or messages[id].step <= step:
        messages[id] = Message(step, state, life.now if state == "sent" else None)
    return "failed" if state == "expired" else state


def look_back(life: Life, journey: Passage) -> None:
    """Let a journey move on what is already known: outcomes of its messages, events of the log."""
    flow = life.machine.flow
    while (spot := journey.spot) is not None:
        if spot.asked:
            answer = outcome_for(spot, flow, life, journey)
            if not isinstance(answer, Deaf):
                if not may_move(life, journey):
                    return
                go(life, journey, spot, answer)
                continue
            if not spot.hears_log or not asks_the_log(flow, life, journey):
                return
        if not spot.hears_log or not life.log or not (journey.messages or journey.since < life.known):
            return
        for event in life.log:
            if event.at < journey.due_at:
                answer = spot.hear(life, journey, event)
                if not isinstance(answer, Deaf):
                    _consume(life, journey, spot, event, answer)
                    break
        else:
            return


def may_move(life: Life, journey: Passage) -> bool:
    """Whether a journey may move once more at this instant; one that has lost its way is taken out."""
    if journey.moved_at != life.now:
        journey.moved_at, journey.moves = life.now, 1
        return True
    journey.moves += 1
    if journey.moves <= MOST_MOVES:
        return True
    _take_out(life, journey, "(failed)")
    return False


def _offer(life: Life, journey: Passage, event: Event) -> None:
    spot = journey.spot
    assert spot is not None
    answer = spot.hear(life, journey, event)
    if not isinstance(answer, Deaf):
        _consume(life, journey, spot, event, answer)
        look_back(life, journey)


def _consume(life: Life, journey: Passage, spot: Spot, event: Event, answer: Answer) -> None:
    if not may_move(life, journey):
        return
    go(life, journey, spot, answer)
    if event.message is not None and event.id:
        life.used = event.id
        life.log[:] = [each for each in life.log if each.id != event.id]
    if journey.since < event.id:
        journey.since = event.id


def _end(life: Life, journey: Passage) -> None:
    journey.spot = None
    journey.due_at = NEVER
    life.running.remove(journey)
    if not life.running:
        life.log.clear()


def _take_out(life: Life, journey: Passage, how: str) -> None:
    if journey.spot is not None:
        if life.trace is not None:
            life.trace.left(life, journey, journey.spot.id, how)
        life.tally.taken_out(journey.spot.number, how)
    for each in life.mail.withdraw(journey):
        if life.trace is not None:
            life.trace.became(life, journey, each.spot.id, each.step, "withdrawn")
    _end(life, journey)


# --- Stop rules, entries, changes of the contact -------------------------------------------------


def _stop_on(life: Life, event: Event) -> None:
    for journey in tuple(life.running):
        if event.message is not None and event.message[0] != journey.number and event.name != "opted_out":
            continue
        for rule in life.machine.stops_on[event.name]:
            if rule.where is None or life.holds(rule.where, journey, event):
                if rule.goal:
                    life.tally.goals[event.name] += 1
                _take_out(life, journey, "(stopped)")
                break


def follow_changes(life: Life) -> None:
    """The contact changed: stop rules, waits for a change, the segment; until it rests."""
    machine = life.machine
    while life.changed:
        life.changed = False
        for journey in tuple(life.running) if machine.stops_when else ():
            for rule in machine.stops_when:
                assert rule.when is not None
                if life.holds(rule.when, journey, journey.entry):
                    if rule.goal:
                        life.tally.goals["stop_when"] += 1
                    _take_out(life, journey, "(stopped)")
                    break
        if life.running:
            changed = Event(CONTACT_CHANGED, life.now)
            for journey in tuple(life.running):
                if journey.spot is not None:
                    _offer(life, journey, changed)
        if machine.segment is not None:
            _look_at_segment(life, machine.segment)
    life.entered = False


def _look_at_segment(life: Life, condition: Condition) -> None:
    began = Event("segment", life.now)
    holds = life.holds_before(condition, began)
    if holds and not life.member:
        life.member = True
        if not life.entered:  # once a turn, or it could chase itself
            life.entered = True
            enter(life, began)
    elif not holds:
        life.member = False


def enter(life: Life, entry: Event) -> None:
    """Bring the contact into the flow, if they may come."""
    machine, now, tally = life.machine, life.now, life.tally
    if life.entries and refusal(machine.flow.again, Entries(life.entries, life.last_entry), now, life.zone) is not None:
        tally.refused += 1
        return
    for rule in machine.stops_when:
        assert rule.when is not None
        if life.holds_before(rule.when, entry):
            tally.refused += 1
            return
    if not entry.id:  # its place in the log: what was learnt before it is none of the journey's business
        entry = Event(entry.name, entry.at, entry.data, None, life.known)
    life.entries += 1
    life.last_entry = now
    spot = machine.start
    journey = Passage(life.entries, entry, now, spot)
    life.running.append(journey)
    tally.began += 1
    go(life, journey, spot, spot.enter(life, journey))
    if life.log or machine.asks:
        look_back(life, journey)
    if journey.due_at <= now:
        fire(life)
