"""The gate: messages of one transaction ask whether they may go, and what it takes to answer is read once for all.

The answer itself is `rules/permission.py`'s. That what it goes by is read here, in the transaction that takes the
message, is the promise of the Do Not Contact list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from tactful.elements.contract import Contact, Instant, Purpose, Settings
from tactful.engine.addresses import destination_of
from tactful.engine.consent import agreed
from tactful.engine.interpreter import known_zone_of
from tactful.engine.optout.do_not_contact import DoNotContactList, under_review
from tactful.engine.rules.countries import country_code
from tactful.engine.rules.permission import LONGEST_LIMIT_DAYS, Known, Policy, Request, Verdict, permission
from tactful.engine.store.statements import JOURNEY, MESSAGE, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class Gate:
    """Open for one transaction, to messages of these contacts on these channels."""

    def __init__(
        self,
        tx: Connection,
        do_not_contact: DoNotContactList,
        policy: Policy,
        asking: Iterable[tuple[Contact, str]],
        now: Instant,
    ) -> None:
        self._policy = policy
        self._now = now
        self._destinations = {
            (contact.number, channel): destination_of(contact, channel) for contact, channel in asking
        }
        to = {each for each in self._destinations.values() if each is not None}
        self._blocks = do_not_contact.blocks_of(tx, to)
        self._reviews = under_review(tx, to)
        self._agreed = agreed(tx, to) if policy.require_consent else frozenset()
        contacts = {number for number, _ in self._destinations}
        self._sent: Mapping[int, list[Instant]] = defaultdict(list)
        if policy.limits:
            self._sent = recent_sends(tx, contacts, now)

    def destination(self, contact: Contact, channel: str) -> str | None:
        """Where a message to a contact goes, in the spelling of the list."""
        return self._destinations[contact.number, channel]

    def verdict(
        self,
        contact: Contact,
        channel: str,
        sender: str,
        purpose: Purpose,
        settings: Settings,
        expires_at: Instant | None = None,
        not_before: Instant = 0,
    ) -> Verdict:
        """May this message go now?"""
        to = self._destinations[contact.number, channel]
        country = country_code(contact.attributes.get("country")) if self._policy.countries else None
        request = Request(channel, sender, to, purpose, expires_at, country, not_before)
        known = Known() if to is None else Known(
            self._blocks.get(to, ()), self._sent[contact.number], self._reviews.get(to), (to, channel) in self._agreed
        )  # fmt: skip
        zone = known_zone_of(contact, settings.time_zone)
        return permission(request, known, self._policy, settings.quiet_hours, self._now, zone)

    def count(self, contact: Contact, purpose: Purpose) -> None:
        """One goes: it counts for the limits of those that ask after it."""
        if purpose == "marketing":
            self._sent[contact.number].append(self._now)


def recent_sends(tx: Connection, contacts: Collection[int], now: Instant) -> dict[int, list[Instant]]:
    """For each contact (by number), when marketing messages went out to them lately, over all flows; oldest first."""
    since = now - LONGEST_LIMIT_DAYS * 86_400_000
    found = tx.execute(
        select(JOURNEY.c.contact, MESSAGE.c.taken_at)
        .join(MESSAGE, MESSAGE.c.journey == JOURNEY.c.id)
        .where(
            one_of(JOURNEY.c.contact, contacts),
            MESSAGE.c.purpose == "marketing",
            MESSAGE.c.state.in_(WENT_OUT),
            MESSAGE.c.taken_at > since,
        )
        .order_by(MESSAGE.c.taken_at)
    )
    sent: dict[int, list[Instant]] = defaultdict(list)
    for contact, at in found:
        sent[contact].append(at)
    return sent


WENT_OUT = ("sending", "sent", "delivered", "unknown")
"""States of a message that may have reached somebody."""
