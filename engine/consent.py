"""Consent: who agreed to be written to, on which channel, when, and to what words.

Records are only ever added; a no is not a consent taken back but an entry on the Do Not Contact list, which stands
above every consent. A project may ask for one (`require_consent: [sms]`): then no marketing goes out on that channel to
an address without a record. Like an opt-out, a consent belongs to the address and not to the contact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from tactful.elements.contract import NOTHING, Instant
from tactful.engine.store.rows import to_json
from tactful.engine.store.statements import CONSENT, Query, among, as_list


@dataclass(frozen=True, slots=True)
class Consent:
    """One record. `destination` is the address in one spelling; `shown` the words they agreed to, `source` where:
    a form, a call, a keyword."""

    destination: str
    channel: str
    at: Instant
    source: str
    shown: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


_COLUMNS = [CONSENT.c[name] for name in ("destination", "channel", "at", "source", "shown", "evidence")]
_agreed = Query(
    select(CONSENT.c.destination, CONSENT.c.channel)
    .where(among(CONSENT.c.destination, bindparam("destinations")))
    .distinct(),
    "destinations",
)


def record(tx: Connection, consents: Sequence[Consent]) -> None:
    """Add records."""
    rows = [
        {
            "destination": each.destination, "channel": each.channel, "at": each.at, "source": each.source,
            "shown": each.shown, "evidence": to_json(dict(each.evidence)) if each.evidence else None,
        }
        for each in consents
    ]  # fmt: skip
    if rows:
        tx.execute(insert(CONSENT), rows)


def agreed(tx: Connection, destinations: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Of these destinations, those with a consent on record: (destination, channel)."""
    return frozenset((row[0], row[1]) for row in _agreed.rows(tx, as_list(destinations)))


def records_of(tx: Connection, destination: str) -> list[Consent]:
    """All records of a destination, oldest first."""
    statement = select(*_COLUMNS).where(CONSENT.c.destination == destination).order_by(CONSENT.c.id)
    return [
        Consent(to, channel, at, source, shown, json.loads(evidence or "{}"))
        for to, channel, at, source, shown, evidence in tx.execute(statement)
    ]
