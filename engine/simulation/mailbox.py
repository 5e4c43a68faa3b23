"""A contact's mailbox: what waits to be sent to them, whether it may, who may not write to them any more.

Whether a message may go is asked of `rules/permission.py`; the shortcut before it only skips questions whose answer is
plain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from tactful.elements.contract import NOTHING, Contact, Covers, Instant
from tactful.engine.addresses import destination_of
from tactful.engine.interpreter import known_zone_of
from tactful.engine.rules import permission
from tactful.engine.rules.countries import country_code
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Block, Hold, Request
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.passage import Passage, Waiting


class Mailbox:
    """The outbox of one contact, whose addresses never change, and the Do Not Contact list's entries for these."""

    __slots__ = ("_agreed", "_contact", "_is_open", "_machine", "_reviews", "_sent_at", "_zone", "blocks", "waiting")

    def __init__(self, machine: Machine, contact: Contact, zone: ZoneInfo, agreed: frozenset[str]) -> None:
        self._agreed = agreed
        self._machine = machine
        self._contact = contact
        self._zone = zone
        self._is_open = True  # nobody said no yet, no answer waits to be read, and no limit is near
        self._sent_at: Sequence[Instant] = ()
        self._reviews: Mapping[str, Instant] = NOTHING
        self.waiting: list[Waiting] = []
        self.blocks: Sequence[Block] = ()

    # --- the outbox

    def due(self, now: Instant) -> Waiting | None:
        """The message that is due first; None where none is due yet."""
        waiting = self.waiting
        if len(waiting) == 1:
            return waiting[0] if waiting[0].due_at <= now else None
        return min((each for each in waiting if each.due_at <= now), key=_order, default=None)

    def withdraw(self, journey: Passage) -> list[Waiting]:
        """Take out what a journey wanted to send."""
        gone = [each for each in self.waiting if each.journey is journey]
        if gone:
            self.waiting[:] = [each for each in self.waiting if each.journey is not journey]
        return gone

    def hurry(self) -> None:
        """Look again at once at all that waits: the list changed."""
        for each in self.waiting:
            each.due_at = 0

    def verdict(self, message: Waiting, contact: Contact, now: Instant) -> str | None:
        """`sent` where a message may go, the state it comes to where it never may; None where it is held now. `contact`
        is theirs as they are now."""
        sending, machine, expires_at = message.sending, self._machine, message.expires_at
        if (
            self._is_open
            and not sending.guarded
            and (expires_at is None or now < expires_at)
            and sending.address(contact) is not None
        ):  # then only quiet hours can stand in the way
            ends_at = machine.quiet_until(now, self._zone) if machine.is_quiet else None
            if ends_at is None:
                return "sent"
            message.due_at = ends_at if expires_at is None else min(ends_at, expires_at)
            return None
        to, flow = destination_of(contact, sending.channel), machine.flow.settings
        country = country_code(contact.attributes.get("country"))
        request = Request(sending.channel, sending.sender, to, sending.purpose, expires_at, country)
        blocks = [each for each in self.blocks if each.destination == to]
        review = self._reviews.get(to or "")
        known = permission.Known(blocks, self._sent_at, review, sending.channel in self._agreed)
        zone = known_zone_of(contact, flow.time_zone)
        said = permission.permission(request, known, machine.policy, flow.quiet_hours, now, zone)
        match said:
            case permission.Send():
                return "sent"
            case Hold(until):
                message.due_at = until
                return None
            case permission.Suppress():
                return "suppressed"
            case permission.Expire():
                return "expired"

    def had_marketing(self, at: Instant) -> None:
        """A marketing message went to them; never earlier than the one told of before."""
        self._sent_at = (*self._sent_at, at)
        if len(self._sent_at) >= self._machine.fewest:
            self._is_open = False

    # --- consent and the Do Not Contact list

    def agree(self, channel: str) -> None:
        """They agreed to be written to on a channel."""
        self._agreed |= {channel}

    def block(self, destination: str, channel: str, sender: str, covers: Covers, source: str, now: Instant) -> bool:
        """Put an entry on the list; whether it is new."""
        for each in self.blocks:
            if (each.destination, each.channel, each.sender, each.covers) == (destination, channel, sender, covers):
                return False
        self._is_open = False
        self.blocks = (*self.blocks, Block(destination, channel, sender, covers, source, now))
        return True

    def unblock(self, destination: str, channel: str, sender: str, covers: Covers) -> None:
        """Take an entry off the list."""
        entry = destination, channel, sender, covers
        self.blocks = [
            each for each in self.blocks if (each.destination, each.channel, each.sender, each.covers) != entry
        ]

    def is_blocked(self, channel: str, sender: str) -> bool:
        """Whether an entry stops this sender on this channel."""
        to = destination_of(self._contact, channel)
        return any(
            each.destination == to and each.channel in (channel, ALL_CHANNELS) and each.sender in (sender, ANY_SENDER)
            for each in self.blocks
        )

    def review(self, destination: str, until: Instant) -> None:
        """An answer from there waits to be read; nothing goes there meanwhile."""
        self._is_open = False
        self._reviews = {**self._reviews, destination: max(until, self._reviews.get(destination, 0))}

    def end_review(self, destination: str) -> None:
        """It was read."""
        self._reviews = {to: until for to, until in self._reviews.items() if to != destination}


def _order(message: Waiting) -> tuple[str, Instant, int, int]:
    return message.sending.sender, message.due_at, message.journey.number, message.step
