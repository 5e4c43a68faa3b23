"""The life of a flow: published, paused, resumed, stopped; and crowds on their way into one.

    publish ──► live ◄──resume── paused          live: entries open, journeys move
                 │ └────pause──────▲             paused: nobody enters, journeys stand still;
                 │                                       one that was finishing goes on finishing
                 ├──stop, let finish──► finishing ──(last one out)──► stopped
                 └──stop, take out────────────────────────────────► stopped

What takes long (a crowd that enters, journeys that are set going or taken out again) is done in
batches, each a transaction that remembers how far it came: a kill in the middle loses nobody.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)

from tactful.elements.contract import NOTHING, Event, Instant
from tactful.elements.options.condition import Condition
from tactful.engine.contacts import page_of_contacts, those_who
from tactful.engine.flowbook import FINISHING, FLOW, FLOW_VERSION, LIVE, NOTING, PAUSED, STOPPED
from tactful.engine.host import BATCH, Host, UnknownFlow
from tactful.engine.interpreter import ACTIVE
from tactful.engine.outbox import HELD, QUEUED, STANDING
from tactful.engine.rules.situation import ContactChanged, Delta, Enter, LookAgain, Stimulus, TakeOut
from tactful.engine.store import numbering, rows
from tactful.engine.store.holding import hold, hold_page
from tactful.engine.store.statements import (
    CONTACT,
    JOURNEY,
    MEMBERSHIP,
    MESSAGE,
    WAITING,
    Query,
    insert_or,
    one_of,
    table,
)
from tactful.engine.store.tables import EnrolmentRow, SwitchRow
from tactful.engine.switches import flows_changed
from tactful.flows.model import BySchedule, BySegment, Flow

ENROLMENT, SWITCH = table(EnrolmentRow), table(SwitchRow)
HOUR = 3_600_000
FINISHES = "finishes "
"""Before the number of a paused flow: the switch that says that it was finishing."""

_standing = select(func.min(JOURNEY.c.flow)).where(JOURNEY.c.stood_still.is_not(None))
_anything: list[ColumnElement[Any]] = [
    exists().where(SWITCH.c.name.startswith(NOTING)),
    exists().where(FLOW.c.next_entry_at <= bindparam("now"), FLOW.c.state == LIVE),
    exists().where(ENROLMENT.c.flow == FLOW.c.number, FLOW.c.state != PAUSED),
    _standing.scalar_subquery(),
]
_looks = Query(select(*_anything), "now")
"""Whether there is anything to be noted, to be started or to enter; and the first flow in which somebody stands."""

_next_standing = Query(_standing.where(JOURNEY.c.flow > bindparam("behind")), "behind")
_still_inside = Query(
    select(literal_column("1")).where(JOURNEY.c.id == bindparam("journey"), JOURNEY.c.state == ACTIVE), "journey"
)
_inside = Query(
    select(JOURNEY.c.id, JOURNEY.c.contact)
    .where(JOURNEY.c.id > bindparam("behind"), JOURNEY.c.flow == bindparam("flow"), JOURNEY.c.state == ACTIVE)
    .order_by(JOURNEY.c.id)
    .limit(bindparam("most")),
    "behind", "flow", "most",
)  # fmt: skip

NEXT_SCHEDULE = select(func.min(FLOW.c.next_entry_at)).where(FLOW.c.state == LIVE)
"""When the next schedule is due; None where no flow has one."""


@dataclass(frozen=True, slots=True)
class Published:
    """A flow that is live now: its version, and whether that differs from what was live before."""

    flow: str
    version: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a crowd came: contacts looked at so far, of how many, entered so far, and whether all are through.
    `refused` are the reasons why others of this batch did not enter, with how often."""

    looked: int
    total: int
    entered: int
    done: bool
    refused: Mapping[str, int] = field(default_factory=dict)


class _Passed(NamedTuple):
    """No journey up to `behind` is inside a flow, and the next one was, since the flows had changed `at` times."""

    at: int
    behind: int


class WrongState(Exception):
    """A flow cannot do that from the state it is in; the message says which."""


class Lifecycle:
    """The flows of a host, and what sets them going and stops them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._passed: dict[int, _Passed] = {}  # by the number of a flow that nobody enters any more

    # --- publish, pause, resume, stop

    def publish(self, flow: Flow, now: Instant) -> Published:
        """Make this the version that new journeys get. Live journeys keep theirs; the rest of the file's
        settings act on all. A flow that was stopped is live again; a paused one stays paused.

        Those for whom a segment holds already are noted, not entered: a flow is entered when it *starts* to hold.
        Should that be cut short, `go_on` goes on with it, and nobody enters before."""
        with self._host.transaction() as tx:
            version = self._store_version(tx, flow, now)
            changed = self._make_live(tx, flow, version, now)
            if changed:
                flows_changed(tx)
        self._host.flows.keep(version, flow)
        while self._note_some(now):
            pass
        return Published(flow.id, version, changed)

    def _make_live(self, tx: Connection, flow: Flow, version: int, now: Instant) -> bool:
        """Whether that changed anything."""
        columns = (FLOW.c.number, FLOW.c.version, FLOW.c.state, FLOW.c.next_entry_at)
        row = tx.execute(select(*columns).where(FLOW.c.id == flow.id)).first()
        values = {"version": version, "state": LIVE, "changed_at": now, "next_entry_at": next_entry(flow, now)}
        if row is None:
            done = tx.execute(insert(FLOW).values(id=flow.id, **values))
            assert done.inserted_primary_key is not None
            _begin_noting(tx, flow, int(done.inserted_primary_key[0]))
            return True
        _drop_switch(tx, f"{FINISHES}{row.number}")
        if row.state == PAUSED:
            values["state"] = PAUSED
        if (row.version, row.state) == (version, values["state"]):
            return False
        if row.state in (LIVE, PAUSED) and _same_entry(self._host.flows.live.by_id[flow.id].flow, flow):
            # Who is in the segment is known, and a time that is due and was not seen to yet stays due.
            values["next_entry_at"] = row.next_entry_at
        else:
            _begin_noting(tx, flow, row.number)
        tx.execute(update(FLOW).where(FLOW.c.number == row.number).values(**values))
        return True

    def _store_version(self, tx: Connection, flow: Flow, now: Instant) -> int:
        found = tx.scalar(
            select(FLOW_VERSION.c.id).where(
                FLOW_VERSION.c.flow == flow.id, FLOW_VERSION.c.fingerprint == flow.fingerprint
            )
        )
        if found is not None:
            return int(found)
        sources = json.dumps(list(flow.sources.items()), ensure_ascii=False)
        values = {"flow": flow.id, "fingerprint": flow.fingerprint, "sources": sources, "published_at": now}
        done = tx.execute(insert(FLOW_VERSION).values(**values))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])

    def _note_some(self, now: Instant) -> bool:
        """Note the next batch of those who are in a segment already; whether there were any to look at."""
        with self._host.transaction() as tx:
            noting = tx.execute(select(SWITCH.c.name, SWITCH.c.number).where(SWITCH.c.name.startswith(NOTING))).first()
            if noting is None:
                return False
            switch, behind = noting
            number = int(switch.removeprefix(NOTING))
            flow = self._host.flows.live.by_id[self._host.flows.name[number]].flow
            assert isinstance(flow.entry, BySegment), "only segments are noted"
            if behind == 0:
                tx.execute(delete(MEMBERSHIP).where(MEMBERSHIP.c.flow == number))
            page = page_of_contacts(tx, behind, BATCH)
            members = {each.number for each in those_who(page, flow.entry.holds, flow.settings.time_zone, now)}
            self._host.store.statements.join.run(tx, [(each, number) for each in sorted(members)])
            if len(page) < BATCH:
                _drop_switch(tx, switch)
                flows_changed(tx)
            else:
                _set_switch(tx, switch, page[-1].number)
            return True

    def pause(self, flow: str, now: Instant) -> None:
        """Nobody enters, journeys stand still, waiting messages are held. Stop rules still act."""
        with self._host.transaction() as tx:
            finishes = self._host.flows.state.get(flow) == FINISHING
            number = self._set_state(tx, flow, PAUSED, now, {LIVE, FINISHING})
            if finishes:
                _set_switch(tx, f"{FINISHES}{number}", 1)
            tx.execute(
                update(JOURNEY)
                # Those that still stand from a pause before keep what they have in `due_after`.
                .where(JOURNEY.c.flow == number, JOURNEY.c.state == ACTIVE, JOURNEY.c.stood_still.is_(None))
                .values(stood_still=1, due_after=JOURNEY.c.due_at, due_at=null())
            )
            standing = select(JOURNEY.c.id).where(JOURNEY.c.flow == number, JOURNEY.c.stood_still.is_not(None))
            tx.execute(
                update(MESSAGE)
                .where(MESSAGE.c.journey.in_(standing), MESSAGE.c.state.in_(WAITING))
                .values(state=HELD, due_at=null(), why=STANDING)
            )

    def resume(self, flow: str, now: Instant) -> None:
        """As it was before it was paused. Journeys are set going by `go_on`, those due longest ago first."""
        with self._host.transaction() as tx:
            finishes = _drop_switch(tx, f"{FINISHES}{self._number(flow)}")
            self._set_state(tx, flow, FINISHING if finishes else LIVE, now, {PAUSED})

    def stop(self, flow: str, now: Instant) -> None:
        """Nobody enters any more; those inside go on to their end."""
        with self._host.transaction() as tx:
            number = self._set_state(tx, flow, FINISHING, now, {LIVE, PAUSED})
            _drop_switch(tx, f"{FINISHES}{number}")

    def take_all_out(self, flow: str, now: Instant, most: int = BATCH) -> int:
        """Take the next batch of contacts out of a flow that is finishing; how many. 0: it is stopped now. Raises
        WrongState where it was published again meanwhile."""
        with self._host.transaction(shared=True) as tx:
            self._must_be(flow, {FINISHING, STOPPED})
            some = self._some_inside(tx, self._number(flow), most, self._host.flows.at)
            inside = {contact for _, contact in some}
            out: list[Stimulus] = [TakeOut(flow, "the flow was stopped")]
            self._host.take_turns(tx, dict.fromkeys(hold(tx, inside), out), now)
        if not inside:
            with self._host.transaction() as tx:
                self._set_state(tx, flow, STOPPED, now, {FINISHING, STOPPED})
        return len(inside)

    def _some_inside(self, tx: Connection, flow: int, most: int, at: int) -> Sequence[tuple[int, int]]:
        """The first journeys, and their contacts, that are inside a flow which nobody enters any more, since the flows
        changed `at` times as this transaction sees it. Those that left it are passed once, and not looked at again:
        there may be millions."""
        passed = self._passed.get(flow)
        behind = passed.behind if passed is not None and passed.at == at else 0
        found: Sequence[tuple[int, int]] = _inside.rows(tx, behind, flow, most)
        if found:
            self._passed[flow] = _Passed(at, found[0][0] - 1)
        return found

    def _is_anybody_inside(self, tx: Connection, flow: int, at: int) -> bool:
        passed = self._passed.get(flow)
        if passed is not None and passed.at == at and _still_inside.rows(tx, passed.behind + 1):
            return True
        return bool(self._some_inside(tx, flow, 1, at))

    def _number(self, flow: str) -> int:
        if flow not in self._host.flows.number:
            raise UnknownFlow(flow)
        return self._host.flows.number[flow]

    def _set_state(self, tx: Connection, flow: str, state: str, now: Instant, allowed: set[str]) -> int:
        number = self._number(flow)
        self._must_be(flow, allowed)
        tx.execute(update(FLOW).where(FLOW.c.number == number).values(state=state, changed_at=now))
        flows_changed(tx)
        return number

    def _must_be(self, flow: str, allowed: set[str]) -> None:
        is_now = self._host.flows.state[flow]
        if is_now not in allowed:
            raise WrongState(f"flow {flow} is {is_now}; only one that is {' or '.join(sorted(allowed))} can do that")

    # --- crowds

    def begin_enrolment(
        self, flow: str, audience: Condition | None, now: Instant, data: Mapping[str, Any] | None = None
    ) -> int:
        """A crowd sets out: every contact for whom the audience holds. `go_on_enrolling` brings them in. `data` is
        what `entry.` knows. Raises UnknownFlow."""
        with self._host.transaction() as tx:
            return self._begin_enrolment(tx, flow, audience, Event("by_hand", now, data or NOTHING))

    def _begin_enrolment(self, tx: Connection, flow: str, audience: Condition | None, entry: Event) -> int:
        values = {"flow": self._number(flow), "audience": audience and str(audience), "begun_at": entry.at}
        done = tx.execute(insert(ENROLMENT).values(**values, entry=rows.entry_text(entry), behind=0, entered=0))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])

    def go_on_enrolling(self, enrolment: int, now: Instant, most: int = BATCH) -> Progress:
        """Bring in the next batch of a crowd. The enrolment is gone once all are through. Raises WrongState where
        the flow is paused: the crowd stands still with it."""
        with self._host.transaction(shared=True) as tx:
            # Whoever else brings in this crowd waits here, and goes on behind.
            row = tx.execute(select(ENROLMENT).where(ENROLMENT.c.id == enrolment).with_for_update()).first()
            if row is None:
                return Progress(0, 0, 0, done=True)
            flow = self._host.flows.name[row.flow]
            self._must_be(flow, {LIVE, FINISHING, STOPPED})
            settings = self._host.flows.live.by_id[flow].flow.settings
            page = hold_page(tx, row.behind, most)
            audience = Condition.parse(row.audience) if row.audience else None
            enter: list[Stimulus] = [Enter(flow, rows.read_entry(row.entry))]
            crowd = those_who(page, audience, settings.time_zone, now)
            those = {each.number: each for each in crowd}
            deltas: dict[int, Delta] = {}
            self._host.take_turns(tx, dict.fromkeys(those, enter), now, those, deltas)
            entered = row.entered + sum(bool(delta.began) for delta in deltas.values())
            behind = page[-1].number if page else row.behind
            total = numbering.newest(tx, CONTACT.c.id)
            done = len(page) < most
            if done:
                tx.execute(delete(ENROLMENT).where(ENROLMENT.c.id == enrolment))
            else:
                tx.execute(update(ENROLMENT).where(ENROLMENT.c.id == enrolment).values(behind=behind, entered=entered))
            refused = Counter(why for delta in deltas.values() for id, why in delta.refused if id == flow)
            return Progress(behind, total, entered, done, refused)

    # --- what the daemon does between timers

    def go_on(self, now: Instant) -> bool:
        """Do the next piece of what is under way: segments to be noted, schedules that are due, crowds, flows that
        were resumed or are finishing, the hourly look at conditions that change with time. Whether there was
        anything."""
        return any(piece(now) for piece in self._under_way(now))

    def _under_way(self, now: Instant) -> list[Callable[[Instant], bool]]:
        """The pieces there seem to be, in their order. Mostly there are none, and no write transaction is begun to
        find that out; each piece looks again in its own."""
        with self._host.store.read() as tx:
            at = self._host.flows.refresh(tx)
            notes, schedules, crowds, standing = _looks.rows(tx, now)[0]
            standing = self._first_going(tx, standing)
            pieces = (
                (notes, self._note_some),
                (schedules, self._start_schedules),
                (crowds, self._enrol_some),
                (standing is not None, self._set_going),
                (self._finished(tx, at), self._close_finished),
                (self._time_matters() and _looked_at_hour(tx) != now // HOUR, self._look_at_time),
            )
            return [piece for there_is, piece in pieces if there_is]

    def next_look(self, now: Instant) -> Instant | None:
        """When to look again at conditions that change with time; None where the flows, as they were read last, have
        none."""
        return (now // HOUR + 1) * HOUR if self._time_matters() else None

    def _time_matters(self) -> bool:
        return any(_changes_with_time(live.flow) for live in self._host.flows.live.by_id.values())

    def _start_schedules(self, now: Instant) -> bool:
        with self._host.transaction() as tx:
            due = list(
                tx.execute(select(FLOW.c.number, FLOW.c.id).where(FLOW.c.next_entry_at <= now, FLOW.c.state == LIVE))
            )
            for number, id in due:
                flow = self._host.flows.live.by_id[id].flow
                assert isinstance(flow.entry, BySchedule)
                # Times missed while nothing ran are made up for once, not one by one.
                self._begin_enrolment(tx, id, flow.entry.audience, Event("schedule", now))
                tx.execute(update(FLOW).where(FLOW.c.number == number).values(next_entry_at=next_entry(flow, now)))
            return bool(due)

    def _enrol_some(self, now: Instant) -> bool:
        with self._host.store.read() as tx:
            enrolment = tx.scalar(
                select(func.min(ENROLMENT.c.id))
                .join(FLOW, FLOW.c.number == ENROLMENT.c.flow)
                .where(FLOW.c.state != PAUSED)
            )
        if enrolment is None:
            return False
        try:
            self.go_on_enrolling(enrolment, now)
        except WrongState:  # paused a moment ago
            return False
        return True

    def _set_going(self, now: Instant) -> bool:
        with self._host.transaction(shared=True) as tx:
            flow = self._first_going(tx, _next_standing.rows(tx, 0)[0][0])
            if flow is None:
                return False
            stands = select(JOURNEY.c.id, JOURNEY.c.contact).where(
                JOURNEY.c.stood_still.is_not(None), JOURNEY.c.flow == flow
            )
            found = tx.execute(stands.order_by(JOURNEY.c.due_after).limit(BATCH)).all()
            hold(tx, {row.contact for row in found})
            # Once more: somebody else may have set some of them going a moment ago.
            standing = tx.execute(stands.where(one_of(JOURNEY.c.id, [row.id for row in found]))).all()
            ids = [row.id for row in standing]
            tx.execute(
                update(JOURNEY)
                .where(one_of(JOURNEY.c.id, ids))
                .values(
                    stood_still=null(),
                    due_at=case((JOURNEY.c.state == ACTIVE, JOURNEY.c.due_after), else_=null()),
                    due_after=null(),
                )
            )
            tx.execute(
                update(MESSAGE)
                .where(one_of(MESSAGE.c.journey, ids), MESSAGE.c.state == HELD, MESSAGE.c.due_at.is_(None))
                .values(state=QUEUED, due_at=literal_column(str(now)), why=null())
            )
            look: list[Stimulus] = [LookAgain()]
            self._host.take_turns(tx, {row.contact: look for row in standing}, now)
            return True

    def _first_going(self, tx: Connection, standing: int | None) -> int | None:
        """Of the flows in which somebody stands still, from the first of them on, the first that is not paused. One
        look for each: where a paused one has millions, none of them is passed."""
        while standing is not None and self._host.flows.state[self._host.flows.name[standing]] == PAUSED:
            standing = _next_standing.rows(tx, standing)[0][0]
        return standing

    def _close_finished(self, now: Instant) -> bool:
        with self._host.transaction() as tx:
            flow = self._finished(tx, self._host.flows.at)
            if flow is not None:
                self._set_state(tx, flow, STOPPED, now, {FINISHING})
            return flow is not None

    def _finished(self, tx: Connection, at: int) -> str | None:
        """A flow that was finishing, and nobody is inside any more."""
        for id, state in self._host.flows.state.items():
            if state == FINISHING and not self._is_anybody_inside(tx, self._host.flows.number[id], at):
                return id
        return None

    def _look_at_time(self, now: Instant) -> bool:
        """Once an hour every contact is looked at, where a live flow's segment or stop rule changes with time."""
        with self._host.transaction(shared=True) as tx:
            if not self._time_matters():
                return False
            behind, hour = _held_switch(tx, "looked_behind"), now // HOUR  # whoever else looks waits here
            if _looked_at_hour(tx) == hour:
                return False
            page = hold_page(tx, behind, BATCH)
            changed: list[Stimulus] = [ContactChanged()]
            those = {contact.number: contact for contact in page}
            self._host.take_turns(tx, dict.fromkeys(those, changed), now, those)
            if len(page) < BATCH:
                _set_switch(tx, "looked_at_hour", hour)
                _set_switch(tx, "looked_behind", 0)
            else:
                _set_switch(tx, "looked_behind", page[-1].number)
            return True


def _looked_at_hour(tx: Connection) -> int | None:
    looked: int | None = tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == "looked_at_hour"))
    return looked


def _set_switch(tx: Connection, name: str, number: int) -> None:
    if tx.execute(update(SWITCH).where(SWITCH.c.name == name).values(number=number)).rowcount == 0:
        tx.execute(insert(SWITCH).values(name=name, number=number))


def _held_switch(tx: Connection, name: str) -> int:
    """A switch's number, 0 at first, which nobody else changes before the end."""
    tx.execute(insert_or(tx.dialect.name, SWITCH).values(name=name, number=0).on_conflict_do_nothing())
    return int(tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == name).with_for_update()) or 0)


def _begin_noting(tx: Connection, flow: Flow, number: int) -> None:
    """Those who are in its segment already are to be noted (`_note_some`), and nobody enters before."""
    if isinstance(flow.entry, BySegment):
        _set_switch(tx, f"{NOTING}{number}", 0)
    else:
        _drop_switch(tx, f"{NOTING}{number}")


def _drop_switch(tx: Connection, name: str) -> bool:
    return tx.execute(delete(SWITCH).where(SWITCH.c.name == name)).rowcount > 0


def _same_entry(one: Flow, other: Flow) -> bool:
    """Whether two versions bring in the same people at the same times."""
    same_zone = one.settings.time_zone == other.settings.time_zone
    match one.entry, other.entry:
        case BySegment(first), BySegment(second):
            return same_zone and first == second
        case BySchedule(first_cron), BySchedule(second_cron):
            return same_zone and first_cron == second_cron
    return False


def _changes_with_time(flow: Flow) -> bool:
    conditions = [rule.when for rule in flow.stop_when if rule.when is not None]
    if isinstance(flow.entry, BySegment):
        conditions.append(flow.entry.holds)
    return any(condition.uses_time for condition in conditions)


def next_entry(flow: Flow, now: Instant) -> Instant | None:
    """When the flow's schedule brings people in next after `now`; None where it has none.

    Reckoned in the flow's zone: a time that a clock change leaves out comes right after the change, one
    that it repeats comes once.
    """
    if not isinstance(flow.entry, BySchedule):
        return None
    zone = ZoneInfo(flow.settings.time_zone or "UTC")
    times: Iterator[datetime] = CronSim(flow.entry.cron, datetime.fromtimestamp(now / 1000, zone))
    return int(next(times).astimezone(UTC).timestamp() * 1000)
