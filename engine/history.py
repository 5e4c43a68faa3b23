"""The history of what is over, and what is let go of it: nobody needs to know for ever who opened which message.

What is pruned is what a journey left behind that ended long ago: its visits, its messages, its goals, what it knew; and
events that nothing can ask for any more. The last journey of each contact in each flow stays as a bare row (who, which
flow, when, how it ended), for that is what `again` goes by; the ones before it go altogether. What they counted for is
added up in `past`, so that counts stay what they were.

Nothing that is pruned could have changed what happens next: no journey that is under way loses anything, nor a message
whose outcome is open or that a limit still counts. The Do Not Contact list and its history are kept by rules of their
own. What is forgotten is forgotten, though: a message that is gone has no events and no links any more, and an event
that is told again under its old key counts as new. So `SHORTEST_DAYS` are the least one can keep.

The newest journey and the newest event are never deleted: ids count on from them, and a message's name must never be
given again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, literal_column, null, select, update

from tactful.elements.contract import Event, Instant
from tactful.elements.options.duration import HOUR, Duration
from tactful.engine.compose import Engine
from tactful.engine.interpreter import ACTIVE
from tactful.engine.rules.permission import Policy
from tactful.engine.store import numbering, reading, rows
from tactful.engine.store.database import Store
from tactful.engine.store.holding import hold
from tactful.engine.store.statements import EVENT, GOAL, JOURNEY, MESSAGE, VISIT, insert_or, one_of, table
from tactful.engine.store.tables import PastRow, ShortLinkRow

PAST, SHORT_LINK = table(PastRow), table(ShortLinkRow)

PRUNED = -1
"""The step of a journey of which the bare row is left."""

OPEN = ("queued", "held", "sending", "unknown")
"""States of a message that may still come to another."""

PAGE = 200
"""Journeys pruned in one go: others wait no longer than that takes."""

LOOK, SPAN = 2_000, 100_000
"""Rows looked at in one go, which keeps nobody waiting; and ids passed over, where there is little to look at."""

PAUSE_MS = 100
"""Between two goes, so that it never takes more than a part of the machine."""

EVERY_MS = 24 * HOUR


def horizon(keep: Duration, policy: Policy, now: Instant) -> Instant:
    """What ended before this may go: so long ago that the project does not keep it, and that no limit counts it."""
    longest = max((each.per.longest_ms for each in policy.limits), default=0)
    return now - max(keep.longest_ms, longest)


class Pruning:
    """Prunes what is older than `keep`, a round each day, a little at a time. One in each process is enough, and more
    do no harm."""

    def __init__(self, engine: Engine, keep: Duration) -> None:
        self._engine = engine
        self._keep = keep
        self._due_at: Instant | None = None
        self._round: Iterator[int] | None = None

    def go_on(self, now: Instant) -> bool:
        """Do the next bit of work, where it is time for it; whether there was any."""
        if self._due_at is not None and self._due_at - EVERY_MS <= now < self._due_at:
            return False
        going = self._round or prune(self._engine, horizon(self._keep, self._engine.outbox.policy, now))
        self._round, self._due_at = None, now + EVERY_MS  # also where it fails: the next round begins anew
        if next(going, None) is None:
            return False
        self._round, self._due_at = going, now + PAUSE_MS
        return True

    def next_due(self) -> Instant | None:
        """When to go on; None before the first time."""
        return self._due_at


def prune(engine: Engine, before: Instant) -> Iterator[int]:
    """Prune what ended before an instant, a bit at each step, of which each says how many rows went."""
    yield from _journeys(engine.store, before)
    yield from _events(engine.store, before)
    yield from _short_links(engine.store)


# --- Journeys -------------------------------------------------------------------------------------


_ROWS = select(*(
    JOURNEY.c[name] for name in (
        "id", "contact", "flow", "entry_number", "state", "entered_at", "ended_at", "stood_still", "entry",
    )
))  # fmt: skip
_FULL = _ROWS.where(JOURNEY.c.step != literal_column(str(PRUNED)))
_STRIP = (
    update(JOURNEY)
    .where(JOURNEY.c.id == bindparam("of"))
    .values(entry=bindparam("entry"), journey_values=null(), why=null(), step=literal_column(str(PRUNED)))
)


def _journeys(store: Store, before: Instant) -> Iterator[int]:
    behind = 0
    while True:
        with store.read() as tx:
            span = (JOURNEY.c.id > behind, JOURNEY.c.id <= behind + SPAN)
            page = list(tx.execute(_FULL.where(*span).order_by(JOURNEY.c.id).limit(LOOK)))
            ripe = _ripe(tx, page, before)
            newest = numbering.newest(tx, JOURNEY.c.id)
        for start in range(0, len(ripe), PAGE):
            with store.write(shared=True) as tx, store.overwriting(tx):
                # Looked at once more, now that they are held: another daemon prunes, too.
                some = ripe[start : start + PAGE]
                hold(tx, {each.contact for each in some})
                still = list(tx.execute(_FULL.where(one_of(JOURNEY.c.id, [each.id for each in some]))))
                gone = _let_go(tx, _ripe(tx, still, before))
            yield gone
        # Ids follow the times of entry, so what comes after is younger still.
        if page and page[-1].entered_at >= before:
            return
        behind = page[-1].id if len(page) == LOOK else behind + SPAN
        if behind >= newest:
            return
        if not ripe:
            yield 0


def _ripe(tx: Connection, page: Sequence[Any], before: Instant) -> list[Any]:
    """Those of the journeys that ended long enough ago, and whose messages have all come to an end."""
    over = [
        each for each in page
        if each.state != ACTIVE and each.ended_at is not None and each.ended_at < before and each.stood_still is None
    ]  # fmt: skip
    if not over:
        return []
    sent = one_of(MESSAGE.c.journey, [each.id for each in over])
    undecided = set(tx.scalars(select(MESSAGE.c.journey).where(sent, MESSAGE.c.state.in_(OPEN))))
    return [each for each in over if each.id not in undecided]


def _last(tx: Connection, page: Sequence[Any]) -> set[int]:
    """Those of the journeys whose row must stay: the last ones of their contacts in their flows, and the newest."""
    entries = reading.entries(tx, sorted({each.contact for each in page}), sorted({each.flow for each in page}))
    newest = numbering.newest(tx, JOURNEY.c.id)
    return {
        each.id for each in page
        if each.id == newest or entries[each.contact][each.flow].count == each.entry_number
    }  # fmt: skip


def _let_go(tx: Connection, ripe: Sequence[Any]) -> int:
    """Prune these journeys, and add up what they counted for; how many rows that were."""
    if not ripe:
        return 0
    ids = [each.id for each in ripe]
    bare = _bare_rows(tx, ripe)
    last = _last(tx, [*ripe, *bare])
    whole = [each for each in (*ripe, *bare) if each.id not in last]
    past = Counter((each.flow, "journey", each.state) for each in whole)
    flow_of = {each.id: each.flow for each in ripe}
    for kind, of, what in (
        ("exit", VISIT, (VISIT.c.element, VISIT.c.exit)),
        ("message", MESSAGE, (MESSAGE.c.state,)),
        ("goal", GOAL, (GOAL.c.name,)),
    ):
        for row in tx.execute(select(of.c.journey, *what).where(one_of(of.c.journey, ids))):
            past[flow_of[row[0]], kind, " ".join(row[1:])] += 1
        tx.execute(delete(of).where(one_of(of.c.journey, ids)))
    stripped = [{"of": each.id, "entry": _bare(each.entry)} for each in ripe if each.id in last]
    if stripped:
        tx.execute(_STRIP, stripped)
    tx.execute(delete(JOURNEY).where(one_of(JOURNEY.c.id, [each.id for each in whole])))
    _add_up(tx, past)
    return sum(past.values())


def _bare_rows(tx: Connection, ripe: Sequence[Any]) -> list[Any]:
    """The bare rows that stand already for the contacts and flows of these journeys."""
    mine = {(each.contact, each.flow) for each in ripe}
    found = tx.execute(
        _ROWS.where(
            one_of(JOURNEY.c.contact, sorted({contact for contact, _ in mine})),
            JOURNEY.c.step == literal_column(str(PRUNED)),
        )
    )
    return [each for each in found if (each.contact, each.flow) in mine]


def _bare(entry: str) -> str:
    begun = rows.read_entry(entry)
    return rows.entry_text(Event(begun.name, begun.at, id=begun.id))


def _add_up(tx: Connection, counted: Counter[tuple[int, str, str]]) -> None:
    add = insert_or(tx.dialect.name, PAST)
    add = add.on_conflict_do_update(
        index_elements=["flow", "kind", "name"], set_={"number": PAST.c.number + add.excluded.number}
    )
    counts = [{"flow": f, "kind": kind, "name": name, "number": n} for (f, kind, name), n in sorted(counted.items())]
    if counts:
        tx.execute(add, counts)


# --- Events ---------------------------------------------------------------------------------------


def _events(store: Store, before: Instant) -> Iterator[int]:
    """Events learnt long ago go, but those that came after a journey of their contact began which is not pruned: what
    is under way may ask for them, and the trace of what is kept shows them."""
    behind = 0
    while True:
        with store.read() as tx:
            columns = (EVENT.c.id, EVENT.c.contact, EVENT.c.learnt_at)
            page = list(tx.execute(select(*columns).where(EVENT.c.id > behind).order_by(EVENT.c.id).limit(LOOK)))
            newest = numbering.newest(tx, EVENT.c.id)
            began = _began(tx, {each.contact for each in page})
        over = [
            each for each in page
            if each.learnt_at < before and each.id != newest and each.id <= began.get(each.contact, each.id)
        ]  # fmt: skip
        if over:
            with store.write(shared=True) as tx, store.overwriting(tx):
                hold(tx, {each.contact for each in over})
                # A journey that began meanwhile stands in the log behind all that was learnt before.
                tx.execute(delete(EVENT).where(one_of(EVENT.c.id, [each.id for each in over])))
        if not page or page[-1].learnt_at >= before:
            return
        behind = page[-1].id
        yield len(over)


def _began(tx: Connection, contacts: set[int]) -> dict[int, int]:
    """For each contact, where in the log the first of their journeys began that is not pruned."""
    found: dict[int, int] = {}
    kept = select(JOURNEY.c.contact, JOURNEY.c.entry).where(
        one_of(JOURNEY.c.contact, contacts), JOURNEY.c.step != PRUNED
    )
    for contact, entry in tx.execute(kept):
        place = rows.read_entry(entry).id
        found[contact] = min(place, found.get(contact, place))
    return found


# --- Short links ----------------------------------------------------------------------------------


def _short_links(store: Store) -> Iterator[int]:
    """Codes of messages that are gone, which lead nowhere any more."""
    behind = ""
    while True:
        with store.read() as tx:
            codes = list(
                tx.scalars(select(SHORT_LINK.c.code).where(SHORT_LINK.c.code > behind)
                           .order_by(SHORT_LINK.c.code).limit(LOOK))
            )  # fmt: skip
            lost = _lost(tx, codes)
        if lost:
            with store.write(shared=True) as tx:
                tx.execute(delete(SHORT_LINK).where(one_of(SHORT_LINK.c.code, lost)))
        if len(codes) < LOOK:
            return
        behind = codes[-1]
        yield len(lost)


def _lost(tx: Connection, codes: Sequence[str]) -> list[str]:
    of = exists().where(MESSAGE.c.journey == SHORT_LINK.c.journey, MESSAGE.c.step == SHORT_LINK.c.step)
    return list(tx.scalars(select(SHORT_LINK.c.code).where(one_of(SHORT_LINK.c.code, codes), ~of)))


# --- What is counted ------------------------------------------------------------------------------


def past(tx: Connection, kind: str, flow: int | None = None) -> dict[tuple[int, str], int]:
    """What was counted of what is pruned: flow number and name to how many. `kind` is `journey` (by state), `goal`,
    `message` (by state) or `exit` (element and exit, a space between)."""
    statement = select(PAST.c.flow, PAST.c.name, func.sum(PAST.c.number)).where(PAST.c.kind == kind)
    if flow is not None:
        statement = statement.where(PAST.c.flow == flow)
    return {(row[0], row[1]): int(row[2]) for row in tx.execute(statement.group_by(PAST.c.flow, PAST.c.name))}
