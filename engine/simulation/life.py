"""One contact's life beside a flow: what `rules/turn.py` means, in one pass from their coming to the end.

The rules are those of the engine, and so is their order. At every instant: timers first, the earliest due before all
others; then schedules and the hourly look at conditions that change with time; then messages that may go; and again
until nothing moves. Then what happens to the contact, one after the other: stop rules act, whoever waits for it goes
on, and it may bring the contact in. How journeys move is said in `walking.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from tactful.elements.contract import NOTHING, Contact, Covers, Event, Instant, MessageKey, Visit
from tactful.elements.options.condition import Condition
from tactful.engine.addresses import destination_of
from tactful.engine.incoming import OPTED_OUT
from tactful.engine.interpreter import zone_of
from tactful.engine.optout import following, noes
from tactful.engine.rules.permission import ANY_SENDER
from tactful.engine.simulation import walking
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.mailbox import Mailbox
from tactful.engine.simulation.passage import DO, NO, OPT_OUT, Conduct, Deed, Passage, Trace, Waiting
from tactful.engine.simulation.spot import HOUR, NEVER, Answer, Sending

if TYPE_CHECKING:
    from tactful.engine.simulation.outcome import Tally


class Life:
    """A contact, all that is known of them, and what is still to come. `agreed` are the channels on which a consent of
    theirs is on record.

    `running` are their journeys that are under way; `log` the events that may still end a wait, `known` the number of
    the newest event, `used` that of the message's event that ended a wait last. `entries` counts how often they came
    in, `last_entry` is when they did last. `changed`: the contact did, and nobody has looked at it yet. `prompt`:
    nothing else happens at this instant that comes before the messages.
    """

    __slots__ = (
        "_coming", "_conduct", "_looked", "_orders", "changed", "contact", "entered", "entries", "known", "last_entry",
        "log", "machine", "mail", "member", "now", "prompt", "running", "tally", "trace", "until", "used", "zone",
    )  # fmt: skip

    def __init__(
        self, machine: Machine, conduct: Conduct, tally: Tally, contact: Contact, until: Instant,
        trace: Trace | None = None, agreed: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.machine = machine
        self._conduct = conduct
        self.tally = tally
        self.trace = trace
        self.contact = contact
        self.zone = machine.zone if contact.time_zone is None else zone_of(contact, machine.flow.settings.time_zone)
        self.mail = Mailbox(machine, contact, self.zone, agreed)
        self.now: Instant = 0
        self.until = until
        self.running: list[Passage] = []
        self.log: list[Event] = []
        self.known = 0
        self.used = 0
        self.entries = 0
        self.last_entry: Instant = 0
        self.member = False  # of the segment
        self.entered = False  # by the segment, in this turn
        self.changed = False
        self.prompt = False
        self._coming: list[tuple[Instant, int, Deed]] = []
        self._orders = 0
        self._looked = 0

    # --- what elements and conduct ask

    def holds(self, condition: Condition, journey: Passage, event: Event) -> bool:
        """Whether a condition holds for a journey, `event` being looked at."""
        return condition.holds(self.contact, journey.entry, event, journey.values, self.now, self.zone)

    def holds_before(self, condition: Condition, event: Event) -> bool:
        """Whether a condition holds for the contact, while there is no journey yet."""
        return condition.holds(self.contact, event, event, NOTHING, self.now, self.zone)

    def visit(self, journey: Passage) -> Visit:
        """Where a journey stands, for an element that is asked itself."""
        spot, flow = journey.spot, self.machine.flow
        assert spot is not None
        return Visit(
            flow.id, spot.id, journey.number, journey.step, self.now, journey.arrived_at, self.contact, journey.entry,
            journey.values, journey.messages, flow.settings, self.zone,
        )  # fmt: skip

    def newest_from(self, sender: str) -> MessageKey | None:
        """The newest message of a journey under way that this sender of ours sent; None where there is none."""
        newest: tuple[Instant, int, int] | None = None
        for journey in self.running:
            for element, message in journey.messages.items():
                sends = self.machine.spots[element].sends
                if message.sent_at is not None and (sends is None or sends.sender == sender):
                    found = message.sent_at, journey.number, message.step
                    newest = found if newest is None else max(newest, found)
        return None if newest is None else MessageKey(newest[1], newest[2])

    def block(self, destination: str, channel: str, sender: str, covers: Covers, source: str) -> None:
        """Put an entry on the Do Not Contact list; counted where it is new."""
        if self.mail.block(destination, channel, sender, covers, source, self.now):
            self.tally.blocked_by[source] += 1

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
        machine, coming, until, running = self.machine, self._coming, self.until, self.running
        waiting, routine, prompt = self.mail.waiting, machine.has_routine, machine.is_prompt
        now = self.now = came_at
        if machine.segment is not None or routine:
            self.changed = True
            walking.follow_changes(self)
        while True:
            timer, due = NEVER, None
            for journey in running:
                if journey.due_at < timer:
                    timer, due = journey.due_at, journey
            if timer > now:
                if self.changed:
                    walking.follow_changes(self)
                    continue
                if (routine and self._routine()) or (waiting and self._deliver()):
                    continue
                first = timer
                if waiting:
                    first = min(first, *(message.due_at for message in waiting))
                if routine:
                    first = min(first, machine.next_routine(now))
                if coming and coming[0][0] < first:
                    if coming[0][0] > until:
                        return
                    now, _, deed = heappop(coming)
                    self.now = now
                    self.prompt = prompt and not (coming and coming[0][0] == now)
                    self._happens(deed)
                    while coming and coming[0][0] == now:  # told together: messages go afterwards
                        walking.fire(self)
                        self._happens(heappop(coming)[2])
                    continue
                if first > until:
                    return
                now = self.now = first
                if timer > now:
                    continue
            assert due is not None
            self.prompt = prompt
            walking.time_is_up(self, due)

    def _routine(self) -> bool:
        """Schedules, and once an hour the look at conditions that change with time; whether there was anything."""
        machine, now = self.machine, self.now
        if self._looked == now or machine.next_routine(now - 1) != now:
            return False
        self._looked = now
        if machine.is_scheduled(now):
            audience = machine.audience
            if audience is None or self.holds_before(audience, Event("", now)):
                walking.enter(self, Event("schedule", now))
                walking.follow_changes(self)
        if machine.changes_with_time and now % HOUR == 0:
            self.changed = True
            walking.follow_changes(self)
        return True

    # --- what happens to them

    def _happens(self, deed: Deed) -> None:
        name, data, about = deed
        if isinstance(name, str):
            self.happens(name, data, about)
            return
        self.prompt = False  # there may be more to come than an event
        if name is OPT_OUT:
            self._opts_out(about)
        elif name is NO:
            self._says_no(data, about)
        elif name is DO:
            data(self, about)
        else:
            walking.enter(self, Event("by_hand", self.now, data or NOTHING))
            walking.follow_changes(self)

    def happens(self, name: str, data: Mapping[str, Any], message: MessageKey | None) -> None:
        """An event of the contact's own, or of a message."""
        self.known += 1
        machine, running = self.machine, self.running
        begins = name == machine.begins_on and message is None
        if not (running or begins):
            return  # nobody hears it, nor will anybody who comes later
        event = Event(name, self.now, data, message, self.known)
        if running:
            self.prompt = self.prompt and not begins
            walking.hear(self, event)
        if begins:
            where = machine.begins_where
            if where is None or self.holds_before(where, event):
                walking.enter(self, event)
        if self.changed:
            walking.follow_changes(self)

    def _opts_out(self, message: tuple[MessageKey, Sending]) -> None:
        key, sending = message
        to = destination_of(self.contact, sending.channel)
        if to is not None:
            links = self.machine.links
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

    # --- messages

    def _deliver(self) -> bool:
        """See to the message that is due first; whether there was one."""
        mail = self.mail
        message = mail.due(self.now)
        if message is None:
            return False
        state = self._hand_over(message)
        if state is not None:
            mail.waiting.remove(message)
            walking.settle(self, message, state)
        return True

    def post(self, message: Waiting) -> Answer:
        """Put a message in the outbox. Where nothing comes before it, it goes at once: then the answer of its send."""
        if self.prompt and len(self.running) == 1 and not self.mail.waiting:
            state = self._hand_over(message)
            if state is not None:
                return walking.became(self, message, state)
        self.mail.waiting.append(message)
        return None

    def _hand_over(self, message: Waiting) -> str | None:
        """Hand a message over, or give it up: what becomes of it; None where it is held."""
        mail, now, tally = self.mail, self.now, self.tally
        state = mail.verdict(message, self.contact, now)
        if state is None:
            tally.held += 1
            return None
        spot = message.spot
        if state == "sent":
            if self._conduct.answers(self, message):
                tally.sent_by[spot.number] += 1
                tally.hours[(now - self.machine.begins) // HOUR] += 1
                if self.machine.policy.limits and message.sending.purpose == "marketing":
                    mail.had_marketing(now)
            else:
                state = "failed"
        if self.trace is not None:
            self.trace.became(self, message.journey, spot.id, message.step, state)
        return state
