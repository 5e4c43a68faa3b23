"""The outbox: messages taken to be sent, and what became of them.

The states of a message:

    queued ──► sending ──► sent ──► delivered      held: queued, but not before a time, or its flow is paused
      │ ▲         │  └──► failed                   unknown: handed over, and nobody knows the outcome
      ▼ │         ▼                                suppressed, expired, withdrawn: never handed over
     held      unknown                             failed also: nobody to send it by; suppressed also: the
                                                   provider's own list forbids it

An `unknown` message, and one that is `sending`, becomes sent (delivered) by a receipt that comes for it.

`take` is where the promise is kept: in one transaction it reads the Do Not Contact list, asks
`permission`, and marks what may go as `sending`. A block that commits before is seen; one that commits
after finds the message already on its way. Nothing that was not taken is ever sent, and a retry is taken
anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
)  # fmt: skip

from tactful.elements.contract import Contact, Event, Instant, Message, MessageKey, Purpose, Settings
from tactful.elements.contract import Send as SendElement
from tactful.engine.addresses import address_of
from tactful.engine.gate import Gate
from tactful.engine.host import BATCH, Host
from tactful.engine.interpreter import ACTIVE
from tactful.engine.optout.noes import No, put_on_list
from tactful.engine.optout.opting import hold_concerned
from tactful.engine.rules import receipts
from tactful.engine.rules.permission import NO_POLICY, Expire, Hold, Policy, Send, Suppress, Verdict
from tactful.engine.rules.situation import Outcome, Stimulus
from tactful.engine.store import reading, rows
from tactful.engine.store.holding import hold_list
from tactful.engine.store.statements import CONTACT, JOURNEY, MESSAGE, UNSETTLED, Query, among, as_list
from tactful.engine.store.tally import Observer, tally_of
from tactful.engine.switches import HALTED
from tactful.engine.workers import NOBODY, alive, bury, is_anybody_dead, may_work
from tactful.flows.model import Flow

SENDING = "sending"
SENT, DELIVERED = receipts.SENT, receipts.DELIVERED
FAILED = "failed"
UNKNOWN = "unknown"
QUEUED = "queued"
HELD = "held"
SUPPRESSED = "suppressed"
EXPIRED = "expired"
WITHDRAWN = "withdrawn"

MOST_REPEATS = 2
"""How often a message of unknown outcome is sent again, at most, by itself. A server that takes a text and answers too
late does so every time."""

STANDING = "its flow is paused"
"""Why a message is held that waits for no time: it goes on with its journey."""


class Taken(NamedTuple):
    """A message that may go out now, with all that rendering it needs. It is marked `sending`."""

    key: MessageKey
    flow: str
    element: SendElement
    channel: str
    sender: str
    address: str
    contact: Contact
    entry: Event
    values: Mapping[str, Any]
    settings: Settings
    purpose: Purpose
    tries: int
    unknowns: int


@dataclass(frozen=True, slots=True)
class Took:
    """What a take came to: the messages that may go, and how many were looked at (the others are held,
    suppressed or expired now)."""

    messages: Sequence[Taken] = ()
    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a taken message: `state` is sent, failed, suppressed, unknown, or queued to try again at `due_at`.

    `unknown` says that it may have gone out all the same; it is counted, whatever is done about it. `no` is what the
    answer means for the Do Not Contact list, where it means something.
    """

    key: MessageKey
    state: str
    why: str | None = None
    provider_id: str | None = None
    due_at: Instant | None = None
    unknown: bool = False
    no: No | None = None


class _Due(NamedTuple):
    """A message that is due, as it stands, and what rendering it needs of its journey."""

    journey: int
    step: int
    contact: int
    element: str
    channel: str
    sender: str
    purpose: Purpose
    due_at: Instant
    expires_at: Instant | None
    tries: int
    unknowns: int
    version: int
    entry: str
    values: str | None


class _InHand(NamedTuple):
    """A message that was taken, as it stands now, and its journey."""

    journey: int
    step: int
    contact: int
    element: str
    state: str
    unknowns: int
    sent_at: Instant | None
    provider_id: str | None
    worker: int | None
    destination: str
    channel: str
    sender: str
    journey_state: str


_of_journey = and_(JOURNEY.c.id == MESSAGE.c.journey, JOURNEY.c.contact == MESSAGE.c.contact)
_in_hand_now = (
    select(
        *(MESSAGE.c[name] for name in _InHand._fields[:-1]), JOURNEY.c.state, *reading.CONTACT_COLUMNS
    )
    .select_from(CONTACT)
    .join(MESSAGE, MESSAGE.c.contact == CONTACT.c.id)
    .join(JOURNEY, _of_journey)
    .where(among(MESSAGE.c.journey, bindparam("journeys")))
)  # fmt: skip
# All three are locked, so that they are as they are read; the contact first, or whoever holds it would wait for its
# message while this waits for them. PostgreSQL locks in the order of the names.
_in_hand = Query(
    _in_hand_now,
    "journeys",
    postgresql=_in_hand_now.order_by(CONTACT.c.id, MESSAGE.c.journey).with_for_update(
        key_share=True, of=[CONTACT, MESSAGE, JOURNEY]
    ),
)
_next_due = Query(
    select(func.min(MESSAGE.c.due_at)).where(MESSAGE.c.sender == bindparam("sender"), MESSAGE.c.due_at.is_not(None)),
    "sender",
)
_of_message = [MESSAGE.c[name] for name in _Due._fields[:-3]]

_for_rendering = select(JOURNEY.c.version, JOURNEY.c.entry, JOURNEY.c.journey_values).where(_of_journey)


def _due_with(journey: FromClause, on: ColumnElement[bool]) -> Select[Any]:
    """The messages that are due, but none while sending is halted; none that others hold, nor whose contact they hold.
    What is read of the journey stays while its message waits."""
    return (
        select(*_of_message, *(journey.c[name] for name in ("version", "entry", "journey_values")))
        .add_columns(*reading.CONTACT_COLUMNS)
        .select_from(MESSAGE)
        .join(journey, on)
        .join(CONTACT, CONTACT.c.id == MESSAGE.c.contact)
        .where(MESSAGE.c.sender == bindparam("by"), MESSAGE.c.due_at <= bindparam("now"), ~HALTED)
        .order_by(MESSAGE.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(key_share=True, of=[CONTACT, MESSAGE], skip_locked=True)
    )


# PostgreSQL takes a journey's two columns for independent of each other, and so thinks that few messages have one: it
# would join all that are due, and sort them, to take some. So it is told that each has one.
_due = Query(
    _due_with(JOURNEY, _of_journey),
    "by", "now", "most",
    postgresql=_due_with(_for_rendering.limit(literal_column("1")).lateral("its_journey"), true()),
)  # fmt: skip
_DUE, _IN_HAND = len(_Due._fields), len(_InHand._fields)
"""So many columns are the message's; the contact's come behind."""


class Outbox:
    """The outbox of a host. `policy` is what the project asks of all its messages."""

    def __init__(self, host: Host, policy: Policy = NO_POLICY) -> None:
        self._host = host
        self.policy = policy

    @property
    def observer(self) -> Observer:
        """Who is told of what is done."""
        return self._host.store.observer

    def take(self, sender: str, now: Instant, most: int, worker: int = NOBODY, *, alone: bool = False) -> Took:
        """Take up to `most` messages of a sender that are due and may go. Those that may not are held,
        suppressed or expired in the same transaction, and their journeys moved on. Where any moved on, nothing is
        taken this time: what follows may block or withdraw what else is due.

        `worker` takes them (`workers.py`); `alone`: nothing while another works on this sender."""
        # Several may hold the list at once to ask what it says. Where a message may never go, its journey moves on, and
        # may change the list: so then it is asked once more, and held alone.
        for may_refuse in (False, True) if self._host.store.many_write else (True,):
            with self._host.transaction(shared=True) as tx:
                if alone and not may_work(tx, sender, worker):
                    return Took()
                took = self._take(tx, sender, now, most, worker, may_refuse=may_refuse)
            if took is not None:
                return took
        raise AssertionError("the second time it may refuse")

    def _take(
        self, tx: Connection, sender: str, now: Instant, most: int, worker: int, *, may_refuse: bool
    ) -> Took | None:
        """What was taken; None where a message is to be refused for good and may not be, and then nothing is done."""
        found = _due.rows(tx, sender, now, most)
        if not found:
            return Took()
        due = [_Due._make(row[:_DUE]) for row in found]
        contacts = {row[2]: rows.read_contact(row[_DUE:]) for row in found}
        hold_list(tx, to_change=may_refuse)
        asking = [(contacts[row.contact], row.channel) for row in due]
        gate = Gate(tx, self._host.do_not_contact, self.policy, asking, now)
        taken: list[Taken] = []
        going: list[tuple[Any, ...]] = []
        said: list[tuple[_Due, Verdict]] = []
        early: list[tuple[Any, ...]] = []
        standing: list[_Due] = []
        for row in due:
            contact, flow = contacts[row.contact], self._host.flows.version(tx, row.version)
            settings = self._settings(flow)
            verdict = gate.verdict(
                contact, row.channel, row.sender, row.purpose, settings, row.expires_at, -row.due_at
            )  # fmt: skip
            if isinstance(verdict, Hold) and now < -row.due_at:
                early.append((row.journey, row.step, row.contact))  # it was hurried: may it ever go? not yet, anyhow
                continue
            if not isinstance(verdict, Send):
                said.append((row, verdict))
                continue
            if not self._host.flows.live.moves(flow.id):
                standing.append(row)
                continue
            gate.count(contact, row.purpose)
            element = flow.nodes[row.element].element
            assert isinstance(element, SendElement), "only sends queue messages"
            address = address_of(contact, row.channel)
            assert address is not None, "permission lets no message pass that has no address"
            going.append((gate.destination(contact, row.channel), now, worker, row.journey, row.step, row.contact))
            taken.append(
                Taken(MessageKey(row.journey, row.step), flow.id, element, row.channel, row.sender, address, contact,
                      rows.read_entry(row.entry), rows.read_values(row.values), settings, row.purpose, row.tries + 1,
                      row.unknowns)
            )  # fmt: skip
        if not may_refuse and not all(isinstance(verdict, Hold) for _, verdict in said):
            return None
        self._host.store.statements.leave_messages.run(tx, early)
        self._stand_still(tx, standing)
        if self._refuse(tx, said, contacts, now):
            return Took((), len(due))
        self._host.store.statements.take_messages.run(tx, going)
        return Took(taken, len(due))

    def _settings(self, flow: Flow) -> Settings:
        """A flow's settings as they are live, whichever version this is."""
        live = self._host.flows.live.by_id.get(flow.id)
        return live.flow.settings if live else flow.settings

    def _refuse(
        self, tx: Connection, said: Sequence[tuple[_Due, Verdict]], contacts: Mapping[int, Contact], now: Instant
    ) -> bool:
        """Record what may not go (now); whether any journey was moved on by it."""
        changes: list[tuple[Any, ...]] = []
        stimuli: dict[int, list[Stimulus]] = defaultdict(list)
        became: list[tuple[str, str]] = []
        for row, verdict in said:
            if isinstance(verdict, Hold):
                became.append((row.sender, HELD))
                changes.append(
                    (HELD, verdict.until, row.unknowns, None, None, verdict.why, row.journey, row.step, row.contact)
                )
                continue
            assert isinstance(verdict, Suppress | Expire), "what may go is not refused"
            state, why = (SUPPRESSED if isinstance(verdict, Suppress) else EXPIRED), verdict.why
            became.append((row.sender, state))
            changes.append((state, None, row.unknowns, None, None, why, row.journey, row.step, row.contact))
            key = MessageKey(row.journey, row.step)
            stimuli[row.contact].append(Outcome(key, row.element, Message(row.step, state, None), why))
        tally_of(tx).messages.update(became)
        self._host.store.statements.settle_messages.run(tx, changes)
        self._host.take_turns(tx, stimuli, now)
        return bool(stimuli)

    def _stand_still(self, tx: Connection, those: Sequence[_Due]) -> None:
        """Hold messages whose flows are paused: they go on with their journeys, which stand still."""
        tally_of(tx).messages.update([(row.sender, HELD) for row in those])
        held = [(HELD, None, row.unknowns, None, None, STANDING, row.journey, row.step, row.contact) for row in those]
        self._host.store.statements.settle_messages.run(tx, held)
        self._host.store.statements.stand_still.run(tx, list({(row.journey, row.contact) for row in those}))

    # --- afterwards

    def settle(self, outcomes: Sequence[Settled], now: Instant, worker: int = NOBODY) -> None:
        """Record what became of messages that `worker` took, move their journeys on, and put on the Do Not Contact list
        whom the answers put there.

        An outcome of a message that is not `sending` or `unknown` any more is passed over: it was settled before, or a
        receipt said more. So is one that another took meanwhile, since this one was taken for dead; but if it was sent,
        and waits to be sent again, it is not. A no in it counts all the same."""
        for start in range(0, len(outcomes), BATCH):
            some = outcomes[start : start + BATCH]
            with self._host.transaction(shared=True) as tx:
                if any(each.no is not None for each in some):
                    hold_concerned(tx, messages=[each.key for each in some])
                self._settle(tx, some, now, worker)

    def _settle(self, tx: Connection, outcomes: Sequence[Settled], now: Instant, worker: int | None = None) -> None:
        found = _in_hand.rows(tx, as_list({each.key.journey for each in outcomes}))
        messages = {(row[0], row[1]): _InHand._make(row[:_IN_HAND]) for row in found}
        contacts = {row[2]: rows.read_contact(row[_IN_HAND:]) for row in found}
        changes: list[tuple[Any, ...]] = []
        stimuli: dict[int, list[Stimulus]] = defaultdict(list)
        noes: list[tuple[Settled, _InHand]] = []
        became: list[tuple[str, str]] = []
        for each in outcomes:
            row = messages.pop(each.key, None)  # the first outcome of a message counts
            if row is None:
                continue
            if each.no is not None:
                noes.append((each, row))
            if not _is_to_be_settled(row, each, worker):
                if each.provider_id is not None and row.state in (SENT, DELIVERED) and row.provider_id is None:
                    changes.append(
                        (row.state, None, row.unknowns, row.sent_at, each.provider_id, None, *each.key, row.contact)
                    )
                continue
            state, due_at, why = _became(each, row, now)
            became.append((row.sender, state))
            sent_at = now if state == SENT else None
            changes.append(
                (state, due_at, row.unknowns + each.unknown, sent_at, each.provider_id, why, *each.key, row.contact)
            )
            if state in (SENT, FAILED, SUPPRESSED):
                message = Message(row.step, state, sent_at)
                stimuli[row.contact].append(Outcome(each.key, row.element, message, each.why))
        tally_of(tx).messages.update(became)
        self._host.store.statements.settle_messages.run(tx, changes)
        self._host.take_turns(tx, stimuli, now, contacts)
        # Last, so that the journey leaves by the exit of its own send before anybody learns of the opt-out.
        for each, row in noes:
            assert each.no is not None
            to = (row.destination, row.channel, row.sender)
            put_on_list(self._host, tx, each.no, to, {"message": str(each.key), "answer": each.why}, now)

    def recover(self, repeats: Sequence[str], now: Instant, all_but: int | None = NOBODY) -> int:
        """After a crash: whatever is still marked `sending` by a process that is gone was in its hand, and its
        outcome is unknown. `repeats` are the senders that send such a message again (`MOST_REPEATS`); for the others it
        stays `unknown` until a person settles it. How many there were.

        Everybody but `all_but` is gone; where that is None, those who have not beaten for too long are."""
        with self._host.store.read() as tx:  # mostly nobody died, and then nobody is kept from writing
            living = alive(tx, now, all_but=all_but)
            if not is_anybody_dead(tx, living) and not _stuck(tx, living):
                return 0
        with self._host.transaction() as tx:
            living = alive(tx, now, all_but=all_but)
            bury(tx, living)
            stuck = _stuck(tx, living)
            if not stuck:
                return 0
            why = "the engine stopped while handing it over"
            settled = [
                Settled(row.key, QUEUED, why, due_at=now, unknown=True)
                if row.sender in repeats and row.unknowns < MOST_REPEATS
                else Settled(row.key, UNKNOWN, why, unknown=True)
                for row in stuck
            ]
            self._settle(tx, settled, now)
            return len(stuck)

    def give_back(self, sender: str, worker: int, now: Instant) -> None:
        """Let go of all that a living worker took for a sender. It hands over none of it at this moment, and has
        recorded what became of all that it did."""
        with self._host.store.read() as tx:
            mine = [row.key for row in _in_hands(tx) if (row.sender, row.worker) == (sender, worker)]
        self.settle([Settled(key, QUEUED, "not tried yet", due_at=now) for key in mine], now, worker)

    def next_due(self, sender: str) -> Instant | None:
        """When the next message of a sender is due; None where none waits for a time."""
        due_at: Instant | None = self._host.store.look(_next_due, sender)[0][0]
        return due_at

    def waiting(self) -> dict[str, Instant]:
        """For each sender with messages that wait for a time, the earliest such time."""
        with self._host.store.read() as tx:
            found = tx.execute(
                select(MESSAGE.c.sender, func.min(MESSAGE.c.due_at))
                .where(MESSAGE.c.due_at.is_not(None))
                .group_by(MESSAGE.c.sender)
            )
            return {row[0]: row[1] for row in found}


class _Held(NamedTuple):
    """A message that is in somebody's hand, and how often it was unknown what became of it."""

    key: MessageKey
    sender: str
    worker: int | None
    unknowns: int


def _stuck(tx: Connection, living: Sequence[int]) -> list[_Held]:
    """The messages in the hands of those who do not live."""
    return [row for row in _in_hands(tx) if row.worker not in living]


def _in_hands(tx: Connection) -> Iterator[_Held]:
    columns = (MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.sender, MESSAGE.c.worker, MESSAGE.c.unknowns)
    for row in tx.execute(select(*columns).where(MESSAGE.c.state.in_(UNSETTLED), MESSAGE.c.state == SENDING)):
        yield _Held(MessageKey(row.journey, row.step), row.sender, row.worker, row.unknowns)


def _is_to_be_settled(row: _InHand, settled: Settled, worker: int | None) -> bool:
    """Whether an outcome counts, for a message as it stands; `worker` None is whoever decides for the dead."""
    if row.state == SENDING:
        return worker is None or row.worker in (None, worker)
    if row.state == UNKNOWN:
        return True
    return row.state in (QUEUED, HELD) and row.unknowns > 0 and settled.state == SENT


def _became(settled: Settled, row: _InHand, now: Instant) -> tuple[str, Instant | None, str | None]:
    """The state a taken message comes to, when it is due again, and why."""
    if settled.state != QUEUED:
        return settled.state, None, settled.why
    if row.journey_state != ACTIVE:  # its journey left while it was tried
        return (UNKNOWN if settled.unknown else WITHDRAWN), None, settled.why
    return QUEUED, settled.due_at or now, settled.why
