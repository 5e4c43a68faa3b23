"""What turns changed, written for a whole batch of contacts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from tactful.elements.contract import (
    AddToDoNotContact,
    Contact,
    Instant,
    RemoveFromDoNotContact,
    SendMessage,
    Settings,
)
from tactful.engine.interpreter import Caused, Journey, Visited, zone_of
from tactful.engine.optout.do_not_contact import Change, Entry, resolve
from tactful.engine.rules.situation import Delta
from tactful.engine.rules.turn import sender_of
from tactful.engine.store import rows
from tactful.engine.store.statements import Statements


class Writer:
    """Collects the deltas of a batch, then writes them table by table.

    `number` maps flow ids to their numbers. `settings` gives a flow's settings as they are live;
    `transactional` names the flows that may send past a block that covers marketing.
    """

    def __init__(
        self,
        number: Mapping[str, int],
        settings: Callable[[str], Settings],
        transactional: frozenset[str],
        now: Instant,
    ) -> None:
        self._number = number
        self._settings = settings
        self._transactional = transactional
        self._now = now
        self._begun: list[tuple[Any, ...]] = []
        self._moved: list[tuple[Any, ...]] = []
        self._visits: list[Visited] = []
        self._messages: list[tuple[Any, ...]] = []
        self._withdrawn: list[tuple[int, int]] = []
        self._stood: list[tuple[int, int]] = []
        self._used: list[tuple[int, int]] = []
        self._goals: list[tuple[Any, ...]] = []
        self._contacts: list[tuple[Any, ...]] = []
        self._joined: list[tuple[int, int]] = []
        self._parted: list[tuple[int, int]] = []
        self.changes: list[Change] = []
        """Of the Do Not Contact list, which is not written here."""

    @property
    def visits(self) -> int:
        """How many visits there are to write."""
        return len(self._visits)

    def add(self, contact: Contact, delta: Delta) -> None:
        """Take over what a contact's turn changed. `contact` is the contact before it."""
        began = set(delta.began)
        for id, journey in delta.journeys.items():
            if id in began:
                self._begun.append(rows.new_journey(journey, self._number[journey.flow]))
            else:
                self._moved.append(rows.moved_journey(journey))
        number = contact.number
        self._visits += delta.visits
        now_is = delta.contact or contact
        # Loops, for most of these are empty, and a generator is dear to make for nothing.
        for journey, caused in delta.deeds:
            self._queue(now_is, journey, caused)
        for journey, caused in delta.facts:
            self._change_list(now_is, journey, caused)
        for journey, name in delta.goals:
            self._goals.append((journey.id, name, self._number[journey.flow], self._now, number))
        for id in delta.withdrawn:
            self._withdrawn.append((id, number))
        for id in delta.stood:
            self._stood.append((id, number))
        for id in delta.used:
            self._used.append((id, number))
        if delta.contact is not None:
            attributes, tags = rows.to_json(dict(now_is.attributes)), rows.to_json(sorted(now_is.tags))
            self._contacts.append((attributes, tags, self._now, number))
        for flow in delta.joined:
            self._joined.append((number, self._number[flow]))
        for flow in delta.parted:
            self._parted.append((number, self._number[flow]))

    def _queue(self, contact: Contact, journey: Journey, caused: Caused) -> None:
        message = caused.effect
        assert isinstance(message, SendMessage)
        settings = self._settings(journey.flow)
        sender = sender_of(message, settings)
        purpose = message.purpose or settings.purpose
        if purpose == "transactional" and journey.flow not in self._transactional:
            purpose = "marketing"  # a flow cannot lift itself over blocks: the project file says which may
        expires_at = None
        if message.valid_for is not None:
            expires_at = message.valid_for.after(self._now, zone_of(contact, settings.time_zone))
        state, due_at, why = ("queued", self._now, None) if sender else ("failed", None, "no sender is named for it")
        self._messages.append(
            (journey.id, caused.step, journey.contact, caused.element, message.channel, sender, purpose, state, due_at,
             expires_at, 0, 0, why)
        )  # fmt: skip

    def _change_list(self, contact: Contact, journey: Journey, caused: Caused) -> None:
        change = caused.effect
        assert isinstance(change, (AddToDoNotContact, RemoveFromDoNotContact))
        adds = isinstance(change, AddToDoNotContact)
        source = f"flow {journey.flow}, element {caused.element}"
        evidence = {
            "flow": journey.flow, "version": journey.version, "element": caused.element, "journey": journey.id,
            "step": caused.step, "contact": contact.key,
        }  # fmt: skip
        for to, channel, sender in resolve(contact, change, self._settings(journey.flow)):
            entry = Entry(to, channel, sender, change.covers)
            self.changes.append(Change(adds, entry, source, change.reason, evidence))

    def write(self, tx: Connection, statements: Statements) -> None:
        """Write everything collected."""
        statements.begin_journeys.run(tx, self._begun)
        statements.move_journeys.run(tx, self._moved)
        statements.add_visits.run(tx, self._visits)
        statements.queue_messages.run(tx, self._messages)
        statements.withdraw_messages.run(tx, self._withdrawn)
        statements.stand_still.run(tx, self._stood)
        statements.use_events.run(tx, self._used)
        statements.reach_goals.run(tx, self._goals)
        statements.change_contacts.run(tx, self._contacts)
        statements.join.run(tx, self._joined)
        statements.part.run(tx, self._parted)
