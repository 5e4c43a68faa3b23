"""Events as somebody tells them, and what is said back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tactful.elements.contract import CONTACT_CHANGED, Contact, Instant, MessageKey
from tactful.engine.interpreter import LATEST, LONGEST_NAME
from tactful.engine.rules.matching import OUTCOMES
from tactful.engine.rules.receipts import MessageStand
from tactful.engine.store import rows

REPLIED = "replied"
"""An answer of the contact's: `text`, and the `sender` of ours it was sent to. Told without its message, it is taken
for one to the newest message from that sender (from any, where none is told) among the contact's active journeys;
where there is none it stays an event of the contact's own."""

OPTED_OUT, OPTED_IN = "opted_out", "opted_in"
"""What a contact learns as their own event when somebody put their address on the Do Not Contact list for them, or took
it off: they themselves, a provider, a person of ours. What a flow does to the list is no such event."""

_ITS_OWN = OUTCOMES | {CONTACT_CHANGED}
"""What the engine knows by itself, of whomever it is told."""

_LARGEST = 2**63 - 1  # no database has numbers beyond


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event as somebody tells it.

    `contact` is the contact's own id; it may be left out for a message's event. `at` None means now;
    a moment after now is taken as now. `key` is the teller's own id of the event: told twice, it is
    learnt once.
    """

    name: str
    contact: str | None = None
    message: MessageKey | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    at: Instant | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an event: `learnt`, `known` (told before), or `refused` with the reason in `why`."""

    state: str
    why: str | None = None


def written(each: Incoming) -> tuple[str | None, str | None]:
    """An event's data as it is kept; and why the event cannot be learnt, None where it can."""
    if not each.name:
        return None, "it has no name"
    if each.name in _ITS_OWN:
        return None, f"{each.name!r} is not told: the engine knows it by itself"
    if each.message is not None and max(each.message) > _LARGEST:
        return None, f"there is no message {each.message}"
    if each.at is not None and abs(each.at) > LATEST:
        return None, f"it happened at no time there is: {each.at}"
    if each.key is not None and len(each.key) > LONGEST_NAME:
        return None, f"its id is longer than {LONGEST_NAME} characters"
    try:
        data = rows.to_json(dict(each.data)) if each.data else None
        for text in (each.name, each.contact, each.key, data):
            if text is not None:
                text.encode()
                if "\0" in text or (text is data and _escapes_nul(text)):
                    return None, "it holds a character that is none (NUL)"
    except (TypeError, ValueError, RecursionError) as error:
        return None, f"it cannot be written down: {error}"
    return data, None


def _escapes_nul(json: str) -> bool:
    return r"\u0000" in json and r"\u0000" in json.replace(r"\\", "")  # behind a backslash it is not what it seems


def whose(
    each: Incoming, known: Mapping[str, Contact], messages: Mapping[MessageKey, MessageStand]
) -> tuple[int | None, str | None]:
    """The number of the contact an event is about, or None and why it is nobody's."""
    if each.message is not None:
        stand = messages.get(each.message)
        if stand is None:
            return None, f"there is no message {each.message}"
        contact = stand.contact
        if each.contact is not None and (each.contact not in known or known[each.contact].number != contact):
            return None, f"message {each.message} did not go to contact {each.contact!r}"
        return contact, None
    if each.contact is None:
        return None, "it names neither a contact nor a message"
    if each.contact not in known:
        return None, f"there is no contact {each.contact!r}"
    return known[each.contact].number, None


def newest_of(sent: Sequence[tuple[str, MessageKey]], sender: object) -> MessageKey | None:
    """The newest of these messages (senders and keys, the newest first) from a sender; from any, if None."""
    return next((key for by, key in sent if sender is None or by == sender), None)
