"""What waits, and for how long it has: the figures by which somebody sees that the engine falls behind.

Read in one short transaction, each from an index that holds nothing else: what is done with costs nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, case, func, select

from tactful.elements.contract import Instant
from tactful.engine.http_options import Webhook
from tactful.engine.optout.webhooks import shown
from tactful.engine.store.database import Store
from tactful.engine.store.reading import NEXT_TIMER
from tactful.engine.store.statements import BLOCK_ACT, INBOUND, MESSAGE, UNSETTLED, table
from tactful.engine.store.tables import WebhookRow
from tactful.engine.switches import halted_since
from tactful.engine.workers import working

WEBHOOK = table(WebhookRow)

# A message to be looked at at once, since the list changed, is late by nothing.
WAITING_MESSAGES = (
    select(MESSAGE.c.sender, func.count(), func.min(case((MESSAGE.c.due_at > 0, MESSAGE.c.due_at))))
    .where(MESSAGE.c.due_at.is_not(None))
    .group_by(MESSAGE.c.sender)
)
UNSETTLED_MESSAGES = (
    select(MESSAGE.c.state, func.count()).where(MESSAGE.c.state.in_(UNSETTLED)).group_by(MESSAGE.c.state)
)
WAITING_REVIEWS = select(func.count()).select_from(INBOUND).where(INBOUND.c.review_due_at.is_not(None))
NEWEST_ACT = select(func.max(BLOCK_ACT.c.id))
# This has a row for each receiver.
RECEIVERS = select(WEBHOOK.c.receiver, WEBHOOK.c.behind)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of a sender that wait for their time, and how late the one is that is due longest."""

    number: int
    late_ms: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits. `webhooks` says how many acts of the Do Not Contact list each receiver was not told yet, those
    added up that are `shown` alike; `daemons` counts those that are alive; `bytes` is what the database takes, None
    where that is not to be had."""

    timers_late_ms: int = 0
    messages: Mapping[str, Waiting] = field(default_factory=dict)
    in_hand: int = 0
    unknown: int = 0
    reviews: int = 0
    webhooks: Mapping[str, int] = field(default_factory=dict)
    daemons: int = 0
    halted: bool = False
    bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        """timers_late_ms, messages_late_ms, waiting {sender: number}, in_hand, reviews."""
        late = max((each.late_ms for each in self.messages.values()), default=0)
        waiting = {sender: each.number for sender, each in self.messages.items()}
        return {
            "timers_late_ms": self.timers_late_ms, "messages_late_ms": late, "waiting": waiting,
            "in_hand": self.in_hand, "reviews": self.reviews,
        }  # fmt: skip


def backlog(store: Store, now: Instant, webhooks: Sequence[Webhook] = ()) -> Backlog:
    """What waits in a database; of receivers, those of these webhooks."""
    daemons = working(store, now)
    with store.read() as tx:
        unsettled = _pairs(tx, UNSETTLED_MESSAGES)
        newest = int(tx.scalar(NEWEST_ACT) or 0)
        return Backlog(
            _late(tx.scalar(NEXT_TIMER), now),
            {row[0]: Waiting(row[1], _late(row[2], now)) for row in tx.execute(WAITING_MESSAGES)},
            unsettled.get("sending", 0),
            unsettled.get("unknown", 0),
            int(tx.scalar(WAITING_REVIEWS) or 0),
            _untold(_pairs(tx, RECEIVERS), newest, webhooks),
            daemons,
            halted_since(tx) is not None,
            _bytes(store, tx),
        )


class Retry(NamedTuple):
    """Messages of a sender that were not taken and are tried again: how many, when the next of them is, and why that
    one was not taken."""

    sender: str
    messages: int
    due_at: Instant
    why: str | None


def retries(tx: Connection) -> list[Retry]:
    """What is tried again, by sender. What the list may forbid since it changed counts once it was looked at, which
    waits while sending is halted."""
    waiting = (MESSAGE.c.due_at > 0, MESSAGE.c.state == "queued", MESSAGE.c.tries > 0)
    # One row for each sender, the next due; a window counts what it was chosen from.
    number = func.row_number().over(partition_by=MESSAGE.c.sender, order_by=MESSAGE.c.due_at).label("number")
    many = func.count().over(partition_by=MESSAGE.c.sender).label("many")
    all_of_them = select(MESSAGE.c.sender, many, MESSAGE.c.due_at, MESSAGE.c.why, number).where(*waiting).subquery()
    first = select(*list(all_of_them.c)[:4]).where(all_of_them.c.number == 1).order_by(all_of_them.c.sender)
    return [Retry(*row) for row in tx.execute(first)]


def _untold(behind: Mapping[str, int], newest: int, webhooks: Sequence[Webhook]) -> Mapping[str, int]:
    untold: Counter[str] = Counter()
    for each in webhooks:
        if each.url in behind:  # else no daemon has begun with it yet
            untold[shown(each.url)] += newest - behind[each.url]
    return untold


def _pairs(tx: Connection, statement: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in tx.execute(statement)}


def _late(due_at: Instant | None, now: Instant) -> int:
    return 0 if due_at is None else max(0, now - due_at)


def _bytes(store: Store, tx: Connection) -> int | None:
    if store.path is not None:
        with_log = (store.path, store.path.with_name(store.path.name + "-wal"))
        return sum(file.stat().st_size for file in with_log if file.exists())
    if tx.dialect.name == "postgresql":
        return int(tx.scalar(select(func.pg_database_size(func.current_database()))) or 0)
    return None
