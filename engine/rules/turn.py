"""A contact's turn: everything that follows, for all their journeys, from what happened to them.

`turn` is the whole meaning of the engine. The daemon, the test harness and the simulator differ only
in where a `Situation` comes from and where its `Delta` goes. It is pure: it takes a situation, the
stimuli in their order and the time, and returns what changed.

What happens on one stimulus, in this order:

1. Timers that were due before an event happened fire first: an event never overtakes a timeout.
2. Stop rules and goals act, on the event and on the contact.
3. The event goes to the journeys that await it; every journey that moved looks at the log and at its
   messages again, until nothing moves.
4. The event, or the changed contact, may bring them into flows.

Events are taken in the order learnt, and what is learnt after one is not known yet, though it may stand in
the log already: events told together do what they do one by one.

A flow that is paused leaves its journeys where they are; stop rules still act on them. Those whose timer
comes meanwhile, whose contact something happens to, or who would move on a change of theirs, stand still until they are
told to look again; all others never learn of the pause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tactful.elements.contract import (
    CONTACT_CHANGED,
    NOTHING,
    AddToDoNotContact,
    Await,
    Event,
    Instant,
    Message,
    ReachGoal,
    RemoveFromDoNotContact,
    SendMessage,
    Settings,
    Visit,
)
from tactful.elements.options.condition import Condition
from tactful.engine.interpreter import (
    ACTIVE,
    FAILED,
    REMOVED,
    STOPPED,
    ElementError,
    Journey,
    Step,
    Visited,
    advance,
    awaited,
    start,
    visit_of,
    zone_of,
)
from tactful.engine.rules.entry import Entries, refusal
from tactful.engine.rules.matching import answers, asks_log, first_answer, outcome
from tactful.engine.rules.situation import (
    ContactChanged,
    Delta,
    Enter,
    Happened,
    LiveFlow,
    LiveFlows,
    LogNeeded,
    LookAgain,
    Outcome,
    Running,
    Situation,
    Stimulus,
    TakeOut,
    TimeCame,
)
from tactful.flows.model import ByEvent, BySegment, Flow

MOST_MOVES = 1_000
"""Times one journey may move in one turn; a journey that wants more has lost its way and fails."""


def turn(
    situation: Situation,
    stimuli: Sequence[Stimulus],
    live: LiveFlows,
    next_journey: Callable[[], int],
    now: Instant,
) -> Delta:
    """Everything that follows from the stimuli, taken in their order.

    `next_journey` gives ids for new journeys. Raises `LogNeeded` (see there), and `ElementError`
    where an element broke its contract; nothing is changed then.
    """
    known = situation.log_end
    for stimulus in stimuli:
        if isinstance(stimulus, Happened):
            known = stimulus.event.id - 1
            break
    taken = _Turn(situation, live, next_journey, known, now)
    for stimulus in stimuli:
        taken.take(stimulus)
    return taken.delta


class _Turn:
    """The mutable middle of a turn: used once, then thrown away."""

    __slots__ = (
        "_changed", "_contact", "_entered_by_segment", "_entries", "_known", "_late_counts", "_live", "_log",
        "_members", "_moves", "_next_journey", "_now", "_running", "delta",
    )  # fmt: skip

    def __init__(
        self, situation: Situation, live: LiveFlows, next_journey: Callable[[], int], known: int, now: Instant
    ) -> None:
        self.delta = Delta()
        self._live = live
        self._next_journey = next_journey
        self._now = now
        self._contact = situation.contact
        self._running = {each.journey.id: each for each in situation.running}
        self._entries = situation.entries
        self._members = situation.members
        self._log = situation.log
        self._known = known  # the newest event that counts yet
        self._late_counts = False
        self._moves: dict[int, int] = {}
        self._changed = False
        self._entered_by_segment: set[str] = set()

    def take(self, stimulus: Stimulus) -> None:
        match stimulus:
            case Happened(event):
                self._happened(event)
            case TimeCame():
                self._fire(self._now)
            case Outcome():
                self._outcome(stimulus)
            case Enter(flow, entry):
                self._enter(self._live.by_id[flow], entry)
            case ContactChanged():
                self._fire(self._now)
                self._changed = True
            case TakeOut(flow, why):
                for running in list(self._running.values()):
                    if running.flow.id == flow:
                        self._take_out(running.journey, REMOVED, why)
            case LookAgain():
                self._look_again()
        self._follow_changes()

    def _look_again(self) -> None:
        self._late_counts = True
        for id in list(self._running):
            self._settle(id)
        self._late_counts = False
        self._changed = True  # they may have missed a change of the contact
        self._follow_changes()
        self._fire(self._now)

    # --- events and time

    def _happened(self, event: Event) -> None:
        self._known = event.id - 1
        self._fire(event.at)
        self._stop_on(event)
        self._known = event.id
        for id in list(self._running):
            self._offer(id, event)
        if event.message is None:
            for live in self._live.by_event.get(event.name, ()):
                entry = live.flow.entry
                assert isinstance(entry, ByEvent)
                if entry.where is None or self._holds(entry.where, event, live.flow):
                    self._enter(live, event)

    def _fire(self, until: Instant) -> None:
        """Fire what is due, the earliest first."""
        while (id := self._due(until)) is not None:
            running = self._running[id]
            visit = self._move(running, self._stand(running), None, None)
            self._mark(id, self._known)
            self._settle(id, visit)

    def _due(self, until: Instant) -> int | None:
        """The journey that was due longest ago, the eldest of them; None where none is."""
        first: tuple[Instant, int] | None = None
        for id, each in self._running.items():
            due_at = each.journey.due_at
            if due_at is None or due_at > until or not self._may_move(each):
                continue
            if first is None or (due_at, id) < first:
                first = due_at, id
        return None if first is None else first[1]

    def _offer(self, id: int, event: Event) -> None:
        running = self._running.get(id)
        if running is None or event.id in self.delta.used:
            return
        # What stands in the log is looked at again when the flow goes on; of a change it is known now what it would do.
        if event.name != CONTACT_CHANGED and not self._may_move(running):
            return
        visit = self._stand(running)
        for each in self._awaits(running, visit):
            if answers(each, event, visit, running.journey.since):
                if self._may_move(running):
                    self._settle(id, self._consume(running, visit, event))
                return

    def _outcome(self, said: Outcome) -> None:
        running = self._running.get(said.key.journey)
        if running is None:
            return
        newest = running.messages.get(said.element)
        if newest is None or newest.step <= said.message.step:
            messages = {**running.messages, said.element: said.message}
            self._running[said.key.journey] = Running(running.journey, running.flow, messages, running.stands)
        self._settle(said.key.journey, why=said.why)

    def _settle(self, id: int, visit: Visit | None = None, why: str | None = None) -> None:
        """Let a journey move on what is already known: outcomes of its messages, events of the log. `visit` is where
        it stands, for whoever knows."""
        while (running := self._running.get(id)) is not None and self._may_move(running):
            if visit is None:
                visit = self._stand(running)
            awaits = self._awaits(running, visit)
            if not awaits:
                return
            said = outcome(awaits, running.messages.values(), visit)
            if said is not None:
                visit = self._move(running, visit, said, why)
                why = None
                continue
            if not asks_log(awaits) or not self._past_counts(running):
                return
            if self._log is None:
                raise LogNeeded
            due_at = None if self._late_counts else running.journey.due_at
            used, since = self.delta.used, running.journey.since
            event = first_answer(awaits, self._log, used, visit, since, self._known, due_at)
            if event is None:
                return
            visit = self._consume(running, visit, event)

    def _stand(self, running: Running) -> Visit:
        return visit_of(running.flow, running.journey, self._contact, running.messages, self._now)

    def _past_counts(self, running: Running) -> bool:
        """Whether the log may hold an answer: not for own events where nothing was learnt since."""
        return bool(running.messages) or running.journey.since < self._known

    def _awaits(self, running: Running, visit: Visit) -> tuple[Await, ...]:
        """What would end the stay; nothing where the element cannot say, and the journey has failed for it."""
        try:
            return awaited(running.flow, visit)
        except ElementError as error:
            self._take_out(running.journey, FAILED, str(error))
            return ()

    def _consume(self, running: Running, visit: Visit, event: Event) -> Visit | None:
        stands = self._move(running, visit, event, None)
        if event.message is not None and event.id:
            self.delta.used.add(event.id)
        self._mark(running.journey.id, event.id)
        return stands

    # --- moving one journey

    def _move(self, running: Running, visit: Visit, event: Event | None, why: str | None) -> Visit | None:
        """Where it stands then, if that is known."""
        journey = running.journey
        moves = self._moves[journey.id] = self._moves.get(journey.id, 0) + 1
        if moves > MOST_MOVES:
            self._take_out(journey, FAILED, f"moved {MOST_MOVES} times at once without coming to rest")
            return None
        try:
            step = advance(running.flow, journey, visit, event, why)
        except ElementError as error:
            self._take_out(journey, FAILED, str(error))
            return None
        return self._keep(step, running.flow)

    def _mark(self, id: int, behind: int) -> None:
        """The journey left a wait or pause: own events up to here are behind it."""
        running = self._running.get(id)
        if running is not None and running.journey.since < behind:
            journey = running.journey._replace(since=behind)
            self._running[id] = running._replace(journey=journey)
            self.delta.journeys[id] = journey

    def _keep(self, step: Step, flow: Flow) -> Visit | None:
        """Where the journey stands then, if that is known."""
        journey, visit = step.journey, step.visit
        messages = visit.messages
        self.delta.journeys[journey.id] = journey
        self.delta.visits.extend(step.visits)
        if visit.contact is not self._contact:
            self._contact = self.delta.contact = visit.contact
            self._changed = True
        for caused in step.effects:
            match caused.effect:
                case SendMessage():
                    self.delta.deeds.append((journey, caused))
                    state = "queued" if sender_of(caused.effect, self._settings(flow)) else "failed"
                    messages = {**messages, caused.element: Message(caused.step, state, None)}
                case AddToDoNotContact() | RemoveFromDoNotContact():
                    self.delta.facts.append((journey, caused))
                case ReachGoal(name):
                    self.delta.goals.append((journey, name))
        if journey.state == ACTIVE:
            self._running[journey.id] = Running(journey, flow, messages)
        else:
            self._running.pop(journey.id, None)
            if journey.state == FAILED:
                self.delta.withdrawn.append(journey.id)
        return visit if messages is visit.messages else None

    def _take_out(self, journey: Journey, state: str, why: str) -> None:
        self.delta.journeys[journey.id] = journey._replace(
            state=state, element=None, due_at=None, ended_at=self._now, why=why
        )
        if journey.element is not None:
            exit = {STOPPED: "(stopped)", REMOVED: "(taken out)", FAILED: "(failed)"}[state]
            self.delta.visits.append(
                Visited(journey.id, journey.step, journey.element, exit, journey.arrived_at, self._now, None, why,
                        journey.contact)
            )  # fmt: skip
        self.delta.withdrawn.append(journey.id)
        self._running.pop(journey.id, None)

    # --- stop rules, entries, changes of the contact

    def _stop_on(self, event: Event) -> None:
        for running in list(self._running.values()):
            if event.message is not None and event.message.journey != running.journey.id and event.name != "opted_out":
                continue
            live = self._live.by_id.get(running.flow.id)
            rules = (live.flow if live else running.flow).stop_when
            for rule in rules:
                if rule.event != event.name:
                    continue
                visit = self._stand(running)
                if rule.where is None or visit.holds(rule.where, event):
                    if rule.goal:
                        self.delta.goals.append((running.journey, event.name))
                    self._take_out(running.journey, STOPPED, f"stop_when: {event.name} happened")
                    break

    def _stop_on_contact(self) -> None:
        for running in list(self._running.values()):
            live = self._live.by_id.get(running.flow.id)
            for rule in (live.flow if live else running.flow).stop_when:
                if rule.when is None:
                    continue
                visit = self._stand(running)
                if visit.holds(rule.when):
                    if rule.goal:
                        self.delta.goals.append((running.journey, "stop_when"))
                    self._take_out(running.journey, STOPPED, f"stop_when: {rule.when} holds")
                    break

    def _follow_changes(self) -> None:
        """The contact changed, by whatever hand: stop rules, waits for a change, segments; until it rests."""
        while self._changed:
            self._changed = False
            self._stop_on_contact()
            changed = Event(CONTACT_CHANGED, self._now)
            for id in list(self._running):
                self._offer(id, changed)
            for live in self._live.by_segment:
                self._look_at_segment(live)

    def _look_at_segment(self, live: LiveFlow) -> None:
        assert isinstance(live.flow.entry, BySegment)
        flow, began = live.flow.id, Event("segment", self._now)
        holds = self._holds(live.flow.entry.holds, began, live.flow)
        if holds and flow not in self._members:
            self._members |= {flow}
            self.delta.joined.add(flow)
            self.delta.parted.discard(flow)
            if flow not in self._entered_by_segment:  # once a turn, or two flows could chase each other
                self._entered_by_segment.add(flow)
                self._enter(live, began)
        elif not holds and flow in self._members:
            self._members -= {flow}
            self.delta.parted.add(flow)
            self.delta.joined.discard(flow)

    def _enter(self, live: LiveFlow, entry: Event) -> None:
        flow = live.flow
        zone = zone_of(self._contact, flow.settings.time_zone)
        entries = self._entries.get(flow.id)
        no = refusal(flow.again, entries, self._now, zone) if live.enters else "is not open for entries"
        if no is None:
            no = self._stopped_at_once(flow, entry)
        if no is not None:
            self.delta.refused.append((flow.id, no))
            return
        if not entry.id:  # its place in the log: what was learnt before it is none of the journey's business
            entry = entry._replace(id=self._known)
        count = (entries.count if entries else 0) + 1
        self._entries = {**self._entries, flow.id: Entries(count, self._now)}
        journey = Journey(self._next_journey(), flow.id, live.version, self._contact.number, count, entry,
                          self._now, since=entry.id)  # fmt: skip
        self.delta.began.append(journey.id)
        try:
            self._keep(start(flow, journey, self._contact, self._now), flow)
        except ElementError as error:
            self._take_out(journey, FAILED, str(error))
            return
        # Its entry is the newest event that counts, and what it sent waits to go out: nothing is known yet that could
        # move it on. But where nobody named a sender, the send has failed already.
        running = self._running.get(journey.id)
        if running is not None and "failed" in [message.state for message in running.messages.values()]:
            self._settle(journey.id)
        self._fire(self._now)

    def _stopped_at_once(self, flow: Flow, entry: Event) -> str | None:
        """Which stop rule on the contact holds already: there is no point in coming in."""
        for rule in flow.stop_when:
            if rule.when is not None and self._holds(rule.when, entry, flow):
                return f"stop_when: {rule.when} holds"
        return None

    def _holds(self, condition: Condition, event: Event, flow: Flow) -> bool:
        zone = zone_of(self._contact, flow.settings.time_zone)
        return condition.holds(self._contact, event, event, NOTHING, self._now, zone)

    def _may_move(self, running: Running) -> bool:
        """Asked where something happened that may move it. If its flow is paused, it stands still from then on."""
        if running.stands:
            return False
        if self._live.moves(running.flow.id):
            return True
        self._running[running.journey.id] = running._replace(stands=True)
        self.delta.stood.append(running.journey.id)
        return False

    def _settings(self, flow: Flow) -> Settings:
        live = self._live.by_id.get(flow.id)
        return live.flow.settings if live else flow.settings


def sender_of(message: SendMessage, settings: Settings) -> str:
    """The sender a message goes by: its own, else the flow's for the channel; empty where nobody named one."""
    return message.sender or settings.senders.get(message.channel, "")
