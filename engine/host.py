"""Load, turn, save: contacts' turns carried out on the store, in batches.

A batch is one transaction. It reads what it needs of its contacts, asks `turn` what follows, and
writes that; so an event is learnt, journeys moved, facts done and messages queued together or not at
all. `now` is always an argument.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from tactful.elements.contract import (
    NOTHING,
    Contact,
    Element,
    Event,
    Instant,
    Message,
    MessageKey,
    Settings,
)
from tactful.engine.flowbook import Flowbook, UnknownFlow
from tactful.engine.incoming import REPLIED, Incoming, Told, newest_of, whose, written
from tactful.engine.interpreter import REMOVED
from tactful.engine.optout import noes
from tactful.engine.optout.do_not_contact import DoNotContactList
from tactful.engine.optout.opting import look_again
from tactful.engine.rules.receipts import SENT, received_state
from tactful.engine.rules.situation import (
    Delta,
    Enter,
    Happened,
    LogNeeded,
    Outcome,
    Running,
    Situation,
    Stimulus,
    TakeOut,
    TimeCame,
)
from tactful.engine.rules.turn import turn
from tactful.engine.store import numbering, reading, rows
from tactful.engine.store.database import Store
from tactful.engine.store.holding import hold_due, hold_named
from tactful.engine.store.statements import EVENT, JOURNEY
from tactful.engine.store.tally import tally_of
from tactful.engine.store.writing import Writer

BATCH = 1_000
"""Contacts in one transaction: beyond this nothing gets cheaper, and others wait longer."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of an entry: the journey that began, or why none did."""

    contact: str
    journey: int | None
    why: str | None = None


_LEARNT = Told("learnt")
_NOBODY_READ: Mapping[int, Contact] = MappingProxyType({})  # no contact was read before
_TIME_CAME: Sequence[Stimulus] = (TimeCame(),)
_NO_FLOWS: frozenset[str] = frozenset()


class Host:
    """The engine on a store. Any number of threads may call it; transactions keep them apart."""

    def __init__(
        self,
        store: Store,
        catalogue: Mapping[str, type[Element]],
        do_not_contact: DoNotContactList,
        transactional: frozenset[str] = frozenset(),
    ) -> None:
        self.store = store
        self.do_not_contact = do_not_contact
        self.catalogue = catalogue
        self.transactional = transactional
        self.flows = Flowbook(catalogue)

    @contextmanager
    def transaction(self, *, shared: bool = False) -> Iterator[Connection]:
        """A write transaction (see `Store.write`), with the flows as they are in it: they change in none that is
        shared."""
        with self.store.write(shared=shared) as tx:
            self.flows.refresh(tx)
            yield tx

    # --- what happens

    def tell(self, events: Sequence[Incoming], now: Instant) -> list[Told]:
        """Learn events, in their order; one answer each. When this returns they are committed."""
        told: list[Told] = []
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            with self.transaction(shared=True) as tx:
                if any(map(noes.may_be_one, batch)):
                    noes.hold_whom_concern(tx, batch)
                became = self.learn(tx, batch, now)
                learnt = [each for each, told_so in zip(batch, became, strict=True) if told_so.state == "learnt"]
                noes.follow(self, tx, learnt, now)
            told.extend(became)
        return told

    def learn(self, tx: Connection, events: Sequence[Incoming], now: Instant) -> list[Told]:
        """Learn a batch of events in an open transaction. What they mean for the Do Not Contact list is the
        caller's affair, as it is for whoever changes the list and tells of it."""
        texts = [written(each) for each in events]
        fit = [each for each, (_, why) in zip(events, texts, strict=True) if why is None]
        journeys = {each.message.journey for each in fit if each.message is not None}
        those = hold_named(tx, {each.contact for each in fit if each.contact is not None}, journeys)
        known = {contact.key: contact for contact in those.values()}
        messages = reading.stands(tx, journeys)
        answered = self._answered(tx, known, fit)
        seen = reading.keys_seen(tx, {each.key for each in fit if each.key is not None})
        ids = numbering.next_ids(tx, EVENT.c.id, len(fit))
        told: list[Told] = []
        new: list[tuple[Any, ...]] = []
        received: list[tuple[Any, ...]] = []
        arrived: list[tuple[str, str]] = []
        stimuli: dict[int, list[Stimulus]] = defaultdict(list)
        for each, (data, why) in zip(events, texts, strict=True):
            if each.key is not None and each.key in seen:
                told.append(Told("known"))
                continue
            contact = None
            if why is None:
                contact, why = whose(each, known, messages)
            if contact is None:
                told.append(Told("refused", why))
                continue
            if each.key is not None:
                seen.add(each.key)
            at = now if each.at is None else min(each.at, now)
            message = each.message
            if message is None and each.name == REPLIED:
                message = newest_of(answered.get(contact, ()), each.data.get("sender"))
            if message is not None and message in messages and (state := received_state(each.name, messages[message])):
                stand = messages[message]
                received.append((state, stand.taken_at, *message, contact))
                arrived.append((stand.sender, state))
                if stand.state != SENT:
                    sent = Message(message.step, state, stand.taken_at)
                    stimuli[contact].append(Outcome(message, stand.element, sent))
                messages[message] = replace(stand, state=state)
            id = next(ids)
            stimuli[contact].append(Happened(Event(each.name, at, each.data or NOTHING, message, id)))
            new.append((id, contact, each.name, at, now, data, *(message or (None, None)), 0, each.key))
            told.append(_LEARNT)
        tally = tally_of(tx)
        tally.events += len(new)
        tally.messages.update(arrived)
        self.store.statements.add_events.run(tx, new)
        self.store.statements.receive_messages.run(tx, received)
        self.take_turns(tx, stimuli, now, those)
        return told

    def _answered(
        self, tx: Connection, known: Mapping[str, Contact], events: Sequence[Incoming]
    ) -> dict[int, list[tuple[str, MessageKey]]]:
        """What the contacts with a reply to no message in particular may have answered (see `REPLIED`)."""
        numbers = {
            known[each.contact].number
            for each in events
            if each.name == REPLIED and each.message is None and each.contact is not None and each.contact in known
        }
        return reading.sent_by_active(tx, list(numbers)) if numbers else {}

    # --- time

    def tick(self, now: Instant, most: int = BATCH) -> int:
        """Fire timers that are due, the longest due first; for how many contacts. Call until it says 0."""
        with self.transaction(shared=True) as tx:
            due = hold_due(tx, now, most)
            if due:
                self.take_turns(tx, dict.fromkeys(due, _TIME_CAME), now, due)
            return len(due)

    # --- entries and exits

    def enter(
        self, flow: str, contacts: Sequence[str], now: Instant, data: Mapping[str, Any] | None = None
    ) -> list[Entered]:
        """Bring contacts (by their own ids) into a flow by hand. Raises UnknownFlow."""
        once = list(dict.fromkeys(contacts))
        answers: dict[str, Entered] = {}
        for start in range(0, len(once), BATCH):
            with self.transaction(shared=True) as tx:
                if flow not in self.flows.live.by_id:
                    raise UnknownFlow(flow)
                keys = once[start : start + BATCH]
                those = hold_named(tx, keys)
                known = {contact.key: contact for contact in those.values()}
                entry: list[Stimulus] = [Enter(flow, Event("by_hand", now, data or NOTHING))]
                deltas: dict[int, Delta] = {}
                self.take_turns(tx, dict.fromkeys(those, entry), now, those, deltas)
                answers.update((key, _entered(flow, key, known.get(key), deltas)) for key in keys)
        # The first time a contact is named has the answer.
        return [answers.pop(key) if key in answers else Entered(key, None, "is named twice") for key in contacts]

    def take_out(self, flow: str, contacts: Sequence[str], now: Instant, why: str = "taken out by hand") -> int:
        """Take contacts out of a flow, with their waiting messages; how many journeys that ended."""
        ended = 0
        for start in range(0, len(contacts), BATCH):
            with self.transaction(shared=True) as tx:
                those = hold_named(tx, contacts[start : start + BATCH])
                out: list[Stimulus] = [TakeOut(flow, why)]
                deltas: dict[int, Delta] = {}
                self.take_turns(tx, dict.fromkeys(those, out), now, those, deltas)
                ended += sum(
                    journey.state == REMOVED for delta in deltas.values() for journey in delta.journeys.values()
                )
        return ended

    # --- turns

    def take_turns(
        self,
        tx: Connection,
        stimuli: Mapping[int, Sequence[Stimulus]],
        now: Instant,
        known: Mapping[int, Contact] = _NOBODY_READ,
        deltas: dict[int, Delta] | None = None,
    ) -> None:
        """Take the turns of contacts (by number) in an open transaction, which holds them where it is shared, and write
        what follows. `known` are those who were read in it already, as they still are. What changed is put into
        `deltas` for whoever gives them; else it is kept no longer than it must be, since a whole batch takes more time
        to look after than most of it took to find out."""
        if not stimuli:
            return
        writer = Writer(self.flows.number, self._settings, self.transactional, now)
        tally = tally_of(tx)
        # One contact after the other, from what was read to what is to be written: it is all still at hand then.
        for contact, delta in self._turns(tx, stimuli, now, known):
            writer.add(contact, delta)
            tally.turns += 1
            if deltas is not None:
                deltas[contact.number] = delta
        writer.write(tx, self.store.statements)
        tally.visits += writer.visits
        changed = self.do_not_contact.change(tx, writer.changes, now) if writer.changes else ()
        look_again(self, tx, [change.entry.destination for change in changed])

    def _settings(self, flow: str) -> Settings:
        return self.flows.live.by_id[flow].flow.settings

    def _turns(
        self, tx: Connection, stimuli: Mapping[int, Sequence[Stimulus]], now: Instant, known: Mapping[int, Contact]
    ) -> Iterator[tuple[Contact, Delta]]:
        next_journey = numbering.counter(tx, JOURNEY.c.id, len(stimuli))
        live = self.flows.live
        ask_log: dict[int, Situation] = {}
        for situation in self._situations(tx, stimuli, known):
            contact = situation.contact
            try:
                delta = turn(situation, stimuli[contact.number], live, next_journey, now)
            except LogNeeded:
                ask_log[contact.number] = situation
                continue
            yield contact, delta
        for number, log in _logs(tx, {number: each.running for number, each in ask_log.items()}).items():
            situation = ask_log[number]._replace(log=log)
            yield situation.contact, turn(situation, stimuli[number], live, next_journey, now)

    def _situations(
        self, tx: Connection, stimuli: Mapping[int, Sequence[Stimulus]], known: Mapping[int, Contact]
    ) -> Iterator[Situation]:
        numbers = list(stimuli)
        unread = [number for number in numbers if number not in known]
        contacts = {**known, **reading.contacts(tx, unread)} if unread else known
        name, version = self.flows.name, self.flows.version
        journeys = reading.active_journeys(tx, numbers)
        messages = reading.messages(tx, [row[0] for row in journeys]) if journeys else {}
        running: dict[int, list[Running]] = defaultdict(list)
        for row in journeys:
            journey = rows.read_journey(row, name[row[2]])
            stands = row[reading.STOOD_STILL] is not None
            sent = messages.get(journey.id, NOTHING)
            running[journey.contact].append(Running(journey, version(tx, journey.version), sent, stands))
        segments = [self.flows.number[live.flow.id] for live in self.flows.live.by_segment]
        members = reading.members(tx, numbers) if segments else {}
        entries = reading.entries(tx, numbers, sorted({*segments, *self._enterable(stimuli)}))
        log_end = numbering.newest(tx, EVENT.c.id)
        # After a send comes a wait, most often: what may have answered it already is read for all at once.
        log = _logs(tx, {number: running.get(number, ()) for number in _after_sends(stimuli)})
        for number in numbers:
            contact = contacts.get(number)
            if contact is None:
                continue
            yield Situation(
                contact,
                running.get(number, ()),
                {name[flow]: each for flow, each in entries[number].items()} if number in entries else NOTHING,
                frozenset([name[flow] for flow in members[number]]) if number in members else _NO_FLOWS,
                log.get(number),
                log_end,
            )

    def _enterable(self, stimuli: Mapping[int, Sequence[Stimulus]]) -> set[int]:
        """Numbers of the flows that these stimuli may bring somebody into."""
        flows: set[str] = set()
        events: set[str] = set()
        for of_one in stimuli.values():
            for each in of_one:
                if isinstance(each, Happened):
                    events.add(each.event.name)
                elif isinstance(each, Enter):
                    flows.add(each.flow)
        for name in events:
            flows.update(live.flow.id for live in self.flows.live.by_event.get(name, ()))
        return {self.flows.number[flow] for flow in flows}


def _after_sends(stimuli: Mapping[int, Sequence[Stimulus]]) -> Iterator[int]:
    """The contacts to whom a send came to its end."""
    for number, of_one in stimuli.items():
        for each in of_one:
            if isinstance(each, Outcome):
                yield number
                break


def _logs(tx: Connection, running: Mapping[int, Sequence[Running]]) -> dict[int, Sequence[Event]]:
    """The log for the turns of contacts, whose running journeys are given."""
    if not running:
        return {}
    log = reading.log(tx, [(number, *_behind(journeys)) for number, journeys in running.items()])
    return {number: log.get(number, ()) for number in running}


def _behind(running: Sequence[Running]) -> tuple[int, int]:
    """The ids behind which events of messages, and a contact's own, may still end a wait of these journeys. (One that
    begins in the turn itself begins behind all others.)"""
    if not running:
        return 0, 0
    return min([each.journey.entry.id for each in running]), min([each.journey.since for each in running])


def _entered(flow: str, key: str, contact: Contact | None, deltas: Mapping[int, Delta]) -> Entered:
    if contact is None:
        return Entered(key, None, f"there is no contact {key!r}")
    delta = deltas[contact.number]
    for journey in delta.began:
        if delta.journeys[journey].flow == flow:
            return Entered(key, journey)
    return Entered(key, None, dict(delta.refused)[flow])
