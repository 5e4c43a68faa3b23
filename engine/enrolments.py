"""Crowds on their way into a flow, by hand or by its schedule: an enrolment each, batch by batch.

A batch is a transaction that remembers how far it came: a kill in the middle loses nobody, and nobody enters twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import Connection, delete, func, insert, select, update

from tactful.elements.contract import NOTHING, Event, Instant
from tactful.elements.options.condition import Condition
from tactful.engine.contacts import those_who
from tactful.engine.flowbook import FINISHING, FLOW, LIVE, PAUSED, STOPPED, WrongState
from tactful.engine.host import BATCH, Host
from tactful.engine.rules.situation import Delta, Enter, Stimulus
from tactful.engine.store import numbering, rows
from tactful.engine.store.holding import hold_page
from tactful.engine.store.statements import CONTACT, table
from tactful.engine.store.tables import EnrolmentRow
from tactful.flows.model import BySchedule, Flow

ENROLMENT = table(EnrolmentRow)

NEXT_SCHEDULE = select(func.min(FLOW.c.next_entry_at)).where(FLOW.c.state == LIVE)
"""When the next schedule is due; None where no flow has one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a crowd came: contacts looked at so far, of how many, entered so far, and whether all are through.
    `refused` are the reasons why others of this batch did not enter, with how often."""

    looked: int
    total: int
    entered: int
    done: bool
    refused: Mapping[str, int] = field(default_factory=dict)


class Enrolments:
    """The crowds of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def begin(self, flow: str, audience: Condition | None, now: Instant, data: Mapping[str, Any] | None = None) -> int:
        """A crowd sets out: every contact for whom the audience holds. `go_on` brings them in. `data` is
        what `entry.` knows. Raises UnknownFlow."""
        with self._host.transaction() as tx:
            return self._begin(tx, flow, audience, Event("by_hand", now, data or NOTHING))

    def _begin(self, tx: Connection, flow: str, audience: Condition | None, entry: Event) -> int:
        values = {
            "flow": self._host.flows.number_of(flow), "audience": audience and str(audience), "begun_at": entry.at,
            "entry": rows.entry_text(entry), "behind": 0, "entered": 0,
        }  # fmt: skip
        done = tx.execute(insert(ENROLMENT).values(**values))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])

    def go_on(self, enrolment: int, now: Instant, most: int = BATCH) -> Progress:
        """Bring in the next batch of a crowd. The enrolment is gone once all are through. Raises WrongState where
        the flow is paused: the crowd stands still with it."""
        with self._host.transaction(shared=True) as tx:
            # Whoever else brings in this crowd waits here, and goes on behind.
            row = tx.execute(select(ENROLMENT).where(ENROLMENT.c.id == enrolment).with_for_update()).first()
            if row is None:
                return Progress(0, 0, 0, done=True)
            flow = self._host.flows.name[row.flow]
            self._host.flows.must_be(flow, {LIVE, FINISHING, STOPPED})
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

    def start_due(self, now: Instant) -> bool:
        """Let a crowd set out for each flow whose schedule is due; whether there was any."""
        with self._host.transaction() as tx:
            due = list(
                tx.execute(select(FLOW.c.number, FLOW.c.id).where(FLOW.c.next_entry_at <= now, FLOW.c.state == LIVE))
            )
            for number, id in due:
                flow = self._host.flows.live.by_id[id].flow
                assert isinstance(flow.entry, BySchedule)
                # Times missed while nothing ran are made up for once, not one by one.
                self._begin(tx, id, flow.entry.audience, Event("schedule", now))
                tx.execute(update(FLOW).where(FLOW.c.number == number).values(next_entry_at=next_entry(flow, now)))
            return bool(due)

    def go_on_with_first(self, now: Instant) -> bool:
        """Bring in the next batch of the first crowd that may go on; whether there was one."""
        with self._host.store.read() as tx:
            enrolment = tx.scalar(
                select(func.min(ENROLMENT.c.id))
                .join(FLOW, FLOW.c.number == ENROLMENT.c.flow)
                .where(FLOW.c.state != PAUSED)
            )
        if enrolment is None:
            return False
        try:
            self.go_on(enrolment, now)
        except WrongState:  # paused a moment ago
            return False
        return True


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
