"""The life of a flow: published, paused, resumed, stopped.

    publish ──► live ◄──resume── paused          live: entries open, journeys move
                 │ └────pause──────▲             paused: nobody enters, journeys stand still;
                 │                                       one that was finishing goes on finishing
                 ├──stop, let finish──► finishing ──(last one out)──► stopped
                 └──stop, take out────────────────────────────────► stopped

What takes long (noting who is in a segment already, journeys that are set going or taken out again) is done in
batches, each a transaction that remembers how far it came: a kill in the middle loses nobody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, func, insert, literal_column, null, select, update

from tactful.elements.contract import Instant
from tactful.engine.contacts import page_of_contacts, those_who
from tactful.engine.enrolments import next_entry
from tactful.engine.flowbook import FINISHING, FLOW, FLOW_VERSION, LIVE, NOTING, PAUSED, STOPPED
from tactful.engine.host import BATCH, Host
from tactful.engine.interpreter import ACTIVE
from tactful.engine.outbox import HELD, QUEUED
from tactful.engine.rules.situation import LookAgain, Stimulus, TakeOut
from tactful.engine.store.holding import hold
from tactful.engine.store.statements import JOURNEY, MEMBERSHIP, MESSAGE, Query, one_of
from tactful.engine.switches import SWITCH, drop_switch, flows_changed, set_switch
from tactful.flows.model import BySchedule, BySegment, Flow

FINISHES = "finishes "
"""Before the number of a paused flow: the switch that says that it was finishing."""

STANDING_FLOW = select(func.min(JOURNEY.c.flow)).where(JOURNEY.c.stood_still.is_not(None))
"""The first flow in which somebody stands still."""

_next_standing = Query(STANDING_FLOW.where(JOURNEY.c.flow > bindparam("behind")), "behind")
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


@dataclass(frozen=True, slots=True)
class Published:
    """A flow that is live now: its version, and whether that differs from what was live before."""

    flow: str
    version: int
    changed: bool


class _Passed(NamedTuple):
    """No journey up to `behind` is inside a flow, and the next one was, since the flows had changed `at` times."""

    at: int
    behind: int


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
        Should that be cut short, `note_some` goes on with it, and nobody enters before."""
        with self._host.transaction() as tx:
            version = self._store_version(tx, flow, now)
            changed = self._make_live(tx, flow, version, now)
            if changed:
                flows_changed(tx)
        self._host.flows.keep(version, flow)
        while self.note_some(now):
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
        drop_switch(tx, f"{FINISHES}{row.number}")
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

    def version_of(self, tx: Connection, flow: Flow) -> int | None:
        """The version as which this text was published, now or at some time; None where it never was."""
        found = tx.scalar(
            select(FLOW_VERSION.c.id).where(
                FLOW_VERSION.c.flow == flow.id, FLOW_VERSION.c.fingerprint == flow.fingerprint
            )
        )
        return None if found is None else int(found)

    def _store_version(self, tx: Connection, flow: Flow, now: Instant) -> int:
        found = self.version_of(tx, flow)
        if found is not None:
            return found
        sources = json.dumps(list(flow.sources.items()), ensure_ascii=False)
        values = {"flow": flow.id, "fingerprint": flow.fingerprint, "sources": sources, "published_at": now}
        done = tx.execute(insert(FLOW_VERSION).values(**values))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])

    def pause(self, flow: str, now: Instant) -> None:
        """Nobody enters, no journey moves, no message is taken. Stop rules still act. It takes no longer for millions:
        a journey stands still, and a message is held, when something would have happened to it."""
        with self._host.transaction() as tx:
            finishes = self._host.flows.state.get(flow) == FINISHING
            number = self._set_state(tx, flow, PAUSED, now, {LIVE, FINISHING})
            if finishes:
                set_switch(tx, f"{FINISHES}{number}", 1)

    def resume(self, flow: str, now: Instant) -> None:
        """As it was before it was paused. Journeys that stand still are set going by `set_going`, those due longest ago
        first; all others go on as if nothing had been."""
        with self._host.transaction() as tx:
            finishes = drop_switch(tx, f"{FINISHES}{self._host.flows.number_of(flow)}")
            self._set_state(tx, flow, FINISHING if finishes else LIVE, now, {PAUSED})

    def stop(self, flow: str, now: Instant) -> None:
        """Nobody enters any more; those inside go on to their end."""
        with self._host.transaction() as tx:
            number = self._set_state(tx, flow, FINISHING, now, {LIVE, PAUSED})
            drop_switch(tx, f"{FINISHES}{number}")

    def take_all_out(self, flow: str, now: Instant, most: int = BATCH) -> int:
        """Take the next batch of contacts out of a flow that is finishing; how many. 0: it is stopped now. Raises
        WrongState where it was published again meanwhile."""
        with self._host.transaction(shared=True) as tx:
            self._host.flows.must_be(flow, {FINISHING, STOPPED})
            some = self._some_inside(tx, self._host.flows.number_of(flow), most, self._host.flows.at)
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

    def _set_state(self, tx: Connection, flow: str, state: str, now: Instant, allowed: set[str]) -> int:
        number = self._host.flows.number_of(flow)
        self._host.flows.must_be(flow, allowed)
        tx.execute(update(FLOW).where(FLOW.c.number == number).values(state=state, changed_at=now))
        flows_changed(tx)
        return number

    # --- what takes long, a batch at a time

    def note_some(self, now: Instant) -> bool:
        """Note the next batch of those who are in a segment already; whether there were any to look at."""
        with self._host.transaction() as tx:
            noting = tx.execute(select(SWITCH.c.name, SWITCH.c.number).where(SWITCH.c.name.startswith(NOTING))).first()
            if noting is None:
                return False
            switch, behind = noting
            number = int(switch.removeprefix(NOTING))
            flow = self._host.flows.live.by_id[self._host.flows.name[number]].flow
            assert isinstance(flow.entry, BySegment), "only segments are noted"
            page = page_of_contacts(tx, behind, BATCH)
            members = {each.number for each in those_who(page, flow.entry.holds, flow.settings.time_zone, now)}
            was_last = len(page) < BATCH
            # Who was in the segment as it was before, a page at a time, too: there may be millions.
            noted = (
                MEMBERSHIP.c.contact > behind if was_last else MEMBERSHIP.c.contact.between(behind + 1, page[-1].number)
            )
            tx.execute(delete(MEMBERSHIP).where(MEMBERSHIP.c.flow == number, noted))
            self._host.store.statements.join.run(tx, [(each, number) for each in sorted(members)])
            if was_last:
                drop_switch(tx, switch)
                flows_changed(tx)
            else:
                set_switch(tx, switch, page[-1].number)
            return True

    def set_going(self, now: Instant) -> bool:
        """Set the next batch of those going who stand still in a flow that was resumed; whether there were any."""
        with self._host.transaction(shared=True) as tx:
            flow = self.first_going(tx, _next_standing.rows(tx, 0)[0][0])
            if flow is None:
                return False
            stands = select(JOURNEY.c.id, JOURNEY.c.contact).where(
                JOURNEY.c.stood_still.is_not(None), JOURNEY.c.flow == flow
            )
            found = tx.execute(stands.order_by(JOURNEY.c.due_after.nulls_last()).limit(BATCH)).all()
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

    def first_going(self, tx: Connection, standing: int | None) -> int | None:
        """Of the flows in which somebody stands still, from the first of them on, the first that is not paused. One
        look for each: where a paused one has millions, none of them is passed."""
        while standing is not None and self._host.flows.state[self._host.flows.name[standing]] == PAUSED:
            standing = _next_standing.rows(tx, standing)[0][0]
        return standing

    def close_finished(self, now: Instant) -> bool:
        """Stop a flow that was finishing and that everybody has left; whether there was one."""
        with self._host.transaction() as tx:
            flow = self.finished(tx, self._host.flows.at)
            if flow is not None:
                self._set_state(tx, flow, STOPPED, now, {FINISHING})
            return flow is not None

    def finished(self, tx: Connection, at: int) -> str | None:
        """A flow that was finishing, and nobody is inside any more."""
        for id, state in self._host.flows.state.items():
            if state == FINISHING and not self._is_anybody_inside(tx, self._host.flows.number[id], at):
                return id
        return None


def _begin_noting(tx: Connection, flow: Flow, number: int) -> None:
    """Those who are in its segment already are to be noted (`note_some`), and nobody enters before."""
    if isinstance(flow.entry, BySegment):
        set_switch(tx, f"{NOTING}{number}", 0)
    else:
        drop_switch(tx, f"{NOTING}{number}")


def _same_entry(one: Flow, other: Flow) -> bool:
    """Whether two versions bring in the same people at the same times."""
    same_zone = one.settings.time_zone == other.settings.time_zone
    match one.entry, other.entry:
        case BySegment(first), BySegment(second):
            return same_zone and first == second
        case BySchedule(first_cron), BySchedule(second_cron):
            return same_zone and first_cron == second_cron
    return False
