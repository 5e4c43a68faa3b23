"""One contact's life beside a flow: what `rules/turn.py` means, in one pass from their coming to the end.

The rules are those of the engine, and so is their order. At every instant: timers first, the earliest due before all
others; then schedules and the hourly look at conditions that change with time; then messages that may go; and again
until nothing moves. Then what happens to the contact, one after the other: stop rules act, whoever waits for it goes
on, and it may bring the contact in.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tactful.elements.contract import (
    CONTACT_CHANGED,
    NOTHING,
    AddToDoNotContact,
    Contact,
    Covers,
    Effect,
    Event,
    Instant,
    Message,
    MessageKey,
    ReachGoal,
    RemoveFromDoNotContact,
    SendMessage,
    SetValues,
    UpdateContact,
    Visit,
)
from tactful.elements.options.condition import Condition
from tactful.engine.addresses import destination_of
from tactful.engine.incoming import OPTED_OUT
from tactful.engine.interpreter import LONGEST_WALK, ElementError, updated, zone_of
from tactful.engine.optout import following, noes
from tactful.engine.optout.do_not_contact import resolve
from tactful.engine.rules.entry import Entries, refusal
from tactful.engine.rules.permission import ANY_SENDER
from tactful.engine.rules.turn import MOST_MOVES
from tactful.engine.simulation.answering import asks_the_log, outcome_for
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.mailbox import Mailbox
from tactful.engine.simulation.passage import DO, ENTER, NO, OPT_OUT, Conduct, Deed, Passage, Trace, Waiting
from tactful.engine.simulation.spot import HOUR, NEVER, Answer, Deaf, Sending, Spot

if TYPE_CHECKING:
    from tactful.engine.simulation.outcome import Tally


class Life:
    """A contact, all that is known of them, and what is still to come."""

    __slots__ = (
        "_changed", "_coming", "_conduct", "_entered", "_entries", "_log", "_looked", "_machine", "_member", "_orders",
        "_running", "_trace", "_used", "contact", "known", "mail", "now", "tally", "until", "zone",
    )  # fmt: skip

    def __init__(
        self, machine: Machine, conduct: Conduct, tally: Tally, contact: Contact, until: Instant,
        trace: Trace | None = None,
    ) -> None:  # fmt: skip
        self._machine = machine
        self._conduct = conduct
        self.tally = tally
        self._trace = trace
        self.contact = contact
        self.zone: ZoneInfo = zone_of(contact, machine.flow.settings.time_zone)
        self.mail = Mailbox(machine, contact, self.zone)
        self.now: Instant = 0
        self.until = until
        self.known = 0  # the newest event of theirs
        self._running: list[Passage] = []
        self._coming: list[tuple[Instant, int, Deed]] = []
        self._orders = 0
        self._log: list[Event] = []
        self._entries: Entries | None = None
        self._member = False
        self._entered = False
        self._changed = False
        self._looked = 0
        self._used = 0  # the event of a message that ended a wait last

    # --- what elements ask and cause

    def holds(self, condition: Condition, journey: Passage, event: Event) -> bool:
        """Whether a condition holds for a journey, `event` being looked at."""
        return condition.holds(self.contact, journey.entry, event, journey.values, self.now, self.zone)

    def visit(self, journey: Passage) -> Visit:
        """Where a journey stands, for an element that is asked itself."""
        spot, flow = journey.spot, self._machine.flow
        assert spot is not None
        return Visit(
            flow.id, spot.id, journey.number, journey.step, self.now, journey.arrived_at, self.contact, journey.entry,
            journey.values, journey.messages, flow.settings, self.zone,
        )  # fmt: skip

    def cause(self, effect: Effect, journey: Passage) -> None:
        """Carry out what an element causes."""
        match effect:
            case UpdateContact():
                contact = updated(self.contact, effect)
                if contact is not self.contact:
                    self.contact, self._changed = contact, True
            case SetValues(values):
                journey.values = {**journey.values, **values}
            case ReachGoal(name):
                self.tally.goal(name)
            case AddToDoNotContact():
                assert journey.spot is not None
                for destination, channel, sender in resolve(self.contact, effect, self._machine.flow.settings):
                    self.block(destination, channel, sender, effect.covers, journey.spot.id)
                self.mail.hurry()
            case RemoveFromDoNotContact():
                for destination, channel, sender in resolve(self.contact, effect, self._machine.flow.settings):
                    self.mail.unblock(destination, channel, sender, effect.covers)
            case SendMessage():
                sending = self._machine.sending(effect)
                assert journey.spot is not None
                if sending.sender:
                    self._queue(journey, journey.spot, sending)
                    state = "queued"
                else:
                    self.note_unsendable(journey)
                    state = "failed"
                journey.messages = {**journey.messages, journey.spot.id: Message(journey.step, state, None)}

    def queue(self, journey: Passage, spot: Spot | None) -> None:
        """Put the message of a plain send in the outbox."""
        assert spot is not None
        assert spot.sends is not None
        self._queue(journey, spot, spot.sends)

    def _queue(self, journey: Passage, spot: Spot, sending: Sending) -> None:
        span = sending.valid_for
        expires_at = None if span is None else self._machine.after(span, self.now, self.zone)
        self.mail.waiting.append(Waiting(journey, spot, sending, self.now, expires_at))

    def note_unsendable(self, journey: Passage) -> None:
        """A message failed for want of a sender."""
        if self._trace is not None:
            assert journey.spot is not None
            self._trace.became(self, journey, journey.spot.id, journey.step, "failed")

    def block(self, destination: str, channel: str, sender: str, covers: Covers, source: str) -> None:
        """Put an entry on the Do Not Contact list; counted where it is new."""
        if self.mail.block(destination, channel, sender, covers, source, self.now):
            self.tally.blocked(source)

    def newest_from(self, sender: str) -> MessageKey | None:
        """The newest message of a journey under way that this sender of ours sent; None where there is none."""
        newest: tuple[Instant, int, int] | None = None
        for journey in self._running:
            for element, message in journey.messages.items():
                sends = self._machine.spots[element].sends
                if message.sent_at is not None and (sends is None or sends.sender == sender):
                    found = message.sent_at, journey.number, message.step
                    newest = found if newest is None else max(newest, found)
        return None if newest is None else MessageKey(newest[1], newest[2])

    # --- what was before

    def was_here(self, entries: int, last_at: Instant) -> None:
        """The contact came into the flow so many times before."""
        self._entries = Entries(entries, last_at)

    # --- living

    def plan(self, at: Instant, deed: Deed, order: int | None = None) -> None:
        """Something will happen, not before the next instant. What happens at one instant does so in the order planned,
        or, where one is given for all, in that `order`."""
        if order is None:
            self._orders += 1
            order = self._orders
        heappush(self._coming, (at, order, deed))

    def live(self, came_at: Instant) -> None:
        """Become known at a moment and live until the end; what was planned before happens on the way."""
        self.now = came_at
        if self._machine.segment is not None or self._machine.has_routine:
            self._changed = True
            self._follow_changes()
            self._settle()
        coming, until, running, mail = self._coming, self.until, self._running, self.mail
        routine = self._machine.has_routine
        while True:
            due = self._machine.next_routine(self.now) if routine else NEVER
            for journey in running:
                if journey.due_at < due:
                    due = journey.due_at
            for message in mail.waiting:
                if message.due_at < due:
                    due = message.due_at
            at = coming[0][0] if coming else NEVER
            if due <= at:
                if due > until:
                    return
                self.now = due
                self._settle()
            elif at > until:
                return
            else:
                self.now = at
                self._happens(heappop(coming)[2])
                while coming and coming[0][0] == at:  # told together: messages go afterwards
                    self._fire()
                    self._happens(heappop(coming)[2])
                self._settle()

    def finish(self) -> list[Passage]:
        """The journeys that are still under way."""
        return self._running

    def _settle(self) -> None:
        """Let everything happen that is due now."""
        now = self.now
        while True:
            for journey in self._running:
                if journey.due_at <= now:
                    self._fire()
                    if self._changed:
                        self._follow_changes()
                    break
            if self._machine.has_routine and self._routine():
                continue
            if not self.mail.waiting or not self._deliver():
                return

    def _routine(self) -> bool:
        """Schedules, and once an hour the look at conditions that change with time; whether there was anything."""
        machine, now = self._machine, self.now
        if self._looked == now or machine.next_routine(now - 1) != now:
            return False
        self._looked = now
        if machine.is_scheduled(now):
            audience = machine.audience
            nothing = Event("", now)
            if audience is None or audience.holds(self.contact, nothing, nothing, NOTHING, now, self.zone):
                self.enter(Event("schedule", now))
                self._follow_changes()
        if machine.changes_with_time and now % HOUR == 0:
            self._changed = True
            self._follow_changes()
        return True

    def _happens(self, deed: Deed) -> None:
        name, data, about = deed
        if name is OPT_OUT:
            self._opts_out(about)
        elif name is NO:
            self._says_no(data, about)
        elif name is DO:
            data(self, about)
        elif name is ENTER:
            self.enter(Event("by_hand", self.now, data or NOTHING))
            self._follow_changes()
        else:
            self.happens(name, data, about)

    def _opts_out(self, message: tuple[MessageKey, Sending]) -> None:
        key, sending = message
        to = destination_of(self.contact, sending.channel)
        if to is not None:
            links = self._machine.links
            sender = sending.sender if links.level == "this_sender" else ANY_SENDER
            self.block(to, sending.channel, sender, following.covers_of(sending.purpose, links), following.SOURCE)
            self.mail.hurry()
        self.happens("opted_out", NOTHING, key)

    def _says_no(self, name: str, message: tuple[MessageKey, Sending]) -> None:
        """A bounce or a complaint: as `optout/noes.py` takes them."""
        key, sending = message
        self.happens(name, NOTHING, key)
        to, no = destination_of(self.contact, sending.channel), noes.NOES[name]
        if to is None:
            return
        self.block(to, sending.channel, ANY_SENDER, no.covers, no.source)
        self.mail.hurry()
        if no.persons_own:
            self.happens(OPTED_OUT, {"channel": sending.channel, "sender": sending.sender}, None)

    def happens(self, name: str, data: Mapping[str, Any], message: MessageKey | None) -> None:
        """An event of the contact's own, or of a message."""
        self.known += 1
        machine = self._machine
        if not self._running and (name != machine.begins_on or message is not None):
            return  # nobody hears it, nor will anybody who comes later
        event = Event(name, self.now, data, message, self.known)
        if self._running:
            if machine.listens is None or name in machine.listens:
                self._log.append(event)
            if name in machine.stops_on:
                self._stop_on(event)
            for journey in list(self._running):
                if journey.spot is not None and self._used != event.id:
                    self._offer(journey, event)
        if message is None and name == machine.begins_on:
            where = machine.begins_where
            if where is None or where.holds(self.contact, event, event, NOTHING, self.now, self.zone):
                self.enter(event)
        if self._changed:
            self._follow_changes()

    # --- journeys

    def _fire(self) -> None:
        """Fire what is due, the earliest first."""
        now = self.now
        while True:
            due: Passage | None = None
            for journey in self._running:
                if journey.due_at <= now and (due is None or journey.due_at < due.due_at):
                    due = journey
            if due is None:
                return
            spot = due.spot
            assert spot is not None
            if self._moves(due):
                self._go(due, spot, spot.time_up(self, due))
                if due.since < self.known:
                    due.since = self.known
                self._look_back(due)

    def _moves(self, journey: Passage) -> bool:
        """Whether a journey may move once more at this instant; one that has lost its way is taken out."""
        if journey.moved_at != self.now:
            journey.moved_at, journey.moves = self.now, 0
        journey.moves += 1
        if journey.moves > MOST_MOVES:
            self._take_out(journey, "(failed)")
            return False
        return True

    def _offer(self, journey: Passage, event: Event) -> None:
        spot = journey.spot
        assert spot is not None
        answer = spot.hear(self, journey, event)
        if not isinstance(answer, Deaf):
            self._consume(journey, spot, event, answer)
            self._look_back(journey)

    def _consume(self, journey: Passage, spot: Spot, event: Event, answer: Answer) -> None:
        if not self._moves(journey):
            return
        self._go(journey, spot, answer)
        if event.message is not None and event.id:
            self._used = event.id
            self._log = [each for each in self._log if each.id != event.id]
        if journey.since < event.id:
            journey.since = event.id

    def _look_back(self, journey: Passage) -> None:
        """Let a journey move on what is already known: outcomes of its messages, events of the log."""
        flow = self._machine.flow
        while (spot := journey.spot) is not None:
            if spot.asked:
                answer = outcome_for(spot, flow, self, journey)
                if not isinstance(answer, Deaf):
                    if not self._moves(journey):
                        return
                    self._go(journey, spot, answer)
                    continue
                if not spot.hears_log or not asks_the_log(flow, self, journey):
                    return
            if not spot.hears_log or not self._log or not (journey.messages or journey.since < self.known):
                return
            for event in self._log:
                if event.at < journey.due_at:
                    answer = spot.hear(self, journey, event)
                    if not isinstance(answer, Deaf):
                        self._consume(journey, spot, event, answer)
                        break
            else:
                return

    def _go(self, journey: Passage, spot: Spot, answer: Answer) -> None:
        """Walk on from an answer until the journey stays or ends."""
        tally, trace, now = self.tally, self._trace, self.now
        left, arrived = tally.left, tally.arrived
        for _ in range(LONGEST_WALK):
            if not isinstance(answer, str):
                journey.due_at = NEVER if answer is None else answer
                return
            if trace is not None:
                trace.left(self, journey, spot.id, answer)
            try:
                exit, target = spot.exits[answer]
            except KeyError:
                what = f"left by {answer!r}, which is none of its exits"
                raise ElementError(f"flow {self._machine.flow.id!r}, element {spot.id!r}: {what}") from None
            left[exit] += 1
            if target is None:
                self._end(journey)
                tally.done(now - journey.entered_at)
                return
            spot = target
            arrived[spot.number] += 1
            journey.spot = spot
            journey.step += 1
            journey.arrived_at = now
            answer = spot.enter(self, journey)
        self._end(journey)
        tally.failed += 1

    def _end(self, journey: Passage) -> None:
        journey.spot = None
        journey.due_at = NEVER
        self._running.remove(journey)
        if not self._running:
            self._log.clear()

    def _take_out(self, journey: Passage, how: str) -> None:
        if journey.spot is not None and self._trace is not None:
            self._trace.left(self, journey, journey.spot.id, how)
        if journey.spot is not None:
            self.tally.taken_out(journey.spot.number, how)
        for each in self.mail.withdraw(journey):
            if self._trace is not None:
                self._trace.became(self, journey, each.spot.id, each.step, "withdrawn")
        self._end(journey)

    # --- stop rules, entries, changes of the contact

    def _stop_on(self, event: Event) -> None:
        for journey in list(self._running):
            if event.message is not None and event.message[0] != journey.number and event.name != "opted_out":
                continue
            for rule in self._machine.stops_on[event.name]:
                if rule.where is None or self.holds(rule.where, journey, event):
                    if rule.goal:
                        self.tally.goal(event.name)
                    self._take_out(journey, "(stopped)")
                    break

    def _follow_changes(self) -> None:
        """The contact changed: stop rules, waits for a change, the segment; until it rests."""
        machine = self._machine
        while self._changed:
            self._changed = False
            for journey in list(self._running) if machine.stops_when else ():
                for rule in machine.stops_when:
                    assert rule.when is not None
                    if self.holds(rule.when, journey, journey.entry):
                        if rule.goal:
                            self.tally.goal("stop_when")
                        self._take_out(journey, "(stopped)")
                        break
            if self._running:
                changed = Event(CONTACT_CHANGED, self.now)
                for journey in list(self._running):
                    if journey.spot is not None:
                        self._offer(journey, changed)
            if machine.segment is not None:
                self._look_at_segment(machine.segment)
        self._entered = False

    def _look_at_segment(self, condition: Condition) -> None:
        began = Event("segment", self.now)
        holds = condition.holds(self.contact, began, began, NOTHING, self.now, self.zone)
        if holds and not self._member:
            self._member = True
            if not self._entered:  # once a turn, or it could chase itself
                self._entered = True
                self.enter(began)
        elif not holds:
            self._member = False

    def enter(self, entry: Event) -> None:
        """Bring the contact into the flow, if they may come."""
        machine, now, tally = self._machine, self.now, self.tally
        if refusal(machine.flow.again, self._entries, now, self.zone) is not None:
            tally.refused += 1
            return
        for rule in machine.stops_when:
            assert rule.when is not None
            if rule.when.holds(self.contact, entry, entry, NOTHING, now, self.zone):
                tally.refused += 1
                return
        if not entry.id:
            entry = Event(entry.name, entry.at, entry.data, None, self.known)
        count = 1 if self._entries is None else self._entries.count + 1
        self._entries = Entries(count, now)
        journey = Passage(count, entry, now)
        self._running.append(journey)
        tally.began += 1
        spot = machine.start
        tally.arrived[spot.number] += 1
        journey.spot = spot
        journey.step = 1
        self._go(journey, spot, spot.enter(self, journey))
        self._look_back(journey)
        if journey.due_at <= now:
            self._fire()

    # --- messages

    def _deliver(self) -> bool:
        """Hand over the message that is due first, or hold it, or give it up; whether there was one."""
        mail, now = self.mail, self.now
        message = mail.due(now)
        if message is None:
            return False
        state = mail.verdict(message, now)
        if state is None:
            self.tally.held += 1
            return True
        mail.waiting.remove(message)
        if state == "sent":
            if self._conduct.answers(self, message):
                self.tally.sent(message.spot.number, now)
                if message.sending.purpose == "marketing":
                    mail.had_marketing(now)
            else:
                state = "failed"
        if self._trace is not None:
            self._trace.became(self, message.journey, message.spot.id, message.step, state)
        self._outcome(message, state)
        return True

    def _outcome(self, message: Waiting, state: str) -> None:
        journey, spot = message.journey, message.spot
        if journey.spot is None:
            return
        newest = journey.messages.get(spot.id)
        if newest is None or newest.step <= message.step:
            sent_at = self.now if state == "sent" else None
            journey.messages[spot.id] = Message(message.step, state, sent_at)
        if journey.spot is spot and journey.step == message.step and spot.sends is not None:
            if self._moves(journey):
                self._go(journey, spot, "failed" if state == "expired" else state)
                self._look_back(journey)
        else:
            self._look_back(journey)
        if self._changed:
            self._follow_changes()
