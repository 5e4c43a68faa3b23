"""What a host does between timers: whatever takes long and was begun, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, select

from tactful.elements.contract import Instant
from tactful.engine.enrolments import ENROLMENT, Enrolments
from tactful.engine.flowbook import FLOW, LIVE, NOTING, PAUSED
from tactful.engine.host import BATCH, Host
from tactful.engine.lifecycle import STANDING_FLOW, Lifecycle
from tactful.engine.rules.situation import ContactChanged, Stimulus
from tactful.engine.store.holding import hold_page
from tactful.engine.store.statements import Query
from tactful.engine.switches import SWITCH, held_switch, set_switch
from tactful.flows.model import BySegment, Flow

HOUR = 3_600_000

_anything: list[ColumnElement[Any]] = [
    exists().where(SWITCH.c.name.startswith(NOTING)),
    exists().where(FLOW.c.next_entry_at <= bindparam("now"), FLOW.c.state == LIVE),
    exists().where(ENROLMENT.c.flow == FLOW.c.number, FLOW.c.state != PAUSED),
    STANDING_FLOW.scalar_subquery(),
]
_looks = Query(select(*_anything), "now")
"""Whether there is anything to be noted, to be started or to enter; and the first flow in which somebody stands."""


class UnderWay:
    """What is under way in a host, whose `lifecycle` and `enrolments` these are."""

    def __init__(self, host: Host, lifecycle: Lifecycle, enrolments: Enrolments) -> None:
        self._host = host
        self._lifecycle = lifecycle
        self._enrolments = enrolments

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
            standing = self._lifecycle.first_going(tx, standing)
            pieces = (
                (notes, self._lifecycle.note_some),
                (schedules, self._enrolments.start_due),
                (crowds, self._enrolments.go_on_with_first),
                (standing is not None, self._lifecycle.set_going),
                (self._lifecycle.finished(tx, at), self._lifecycle.close_finished),
                (self._time_matters() and _looked_at_hour(tx) != now // HOUR, self._look_at_time),
            )
            return [piece for there_is, piece in pieces if there_is]

    def next_look(self, now: Instant) -> Instant | None:
        """When to look again at conditions that change with time; None where the flows, as they were read last, have
        none."""
        return (now // HOUR + 1) * HOUR if self._time_matters() else None

    def _time_matters(self) -> bool:
        return any(_changes_with_time(live.flow) for live in self._host.flows.live.by_id.values())

    def _look_at_time(self, now: Instant) -> bool:
        """Once an hour every contact is looked at, where a live flow's segment or stop rule changes with time."""
        with self._host.transaction(shared=True) as tx:
            if not self._time_matters():
                return False
            behind, hour = held_switch(tx, "looked_behind"), now // HOUR  # whoever else looks waits here
            if _looked_at_hour(tx) == hour:
                return False
            page = hold_page(tx, behind, BATCH)
            changed: list[Stimulus] = [ContactChanged()]
            those = {contact.number: contact for contact in page}
            self._host.take_turns(tx, dict.fromkeys(those, changed), now, those)
            if len(page) < BATCH:
                set_switch(tx, "looked_at_hour", hour)
                set_switch(tx, "looked_behind", 0)
            else:
                set_switch(tx, "looked_behind", page[-1].number)
            return True


def _looked_at_hour(tx: Connection) -> int | None:
    looked: int | None = tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == "looked_at_hour"))
    return looked


def _changes_with_time(flow: Flow) -> bool:
    conditions = [rule.when for rule in flow.stop_when if rule.when is not None]
    if isinstance(flow.entry, BySegment):
        conditions.append(flow.entry.holds)
    return any(condition.uses_time for condition in conditions)
