"""What providers tell us on their own: what became of a message, and what somebody wrote to us. Values only.

How each provider words it is read in `infobip_receipts.py` and `twilio_receipts.py`, by pure functions; what follows
from it, in `engine/provider_receipts.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tactful.elements.contract import MessageKey

if TYPE_CHECKING:
    from tactful.elements.contract import Instant, Level

Became = Literal["delivered", "bounced", "rejected"]
"""`bounced`: it left the provider and did not arrive; `rejected`: it never left."""


class NotUnderstood(ValueError):
    """This is not what the provider is known to tell."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message, named by the key we sent along.

    `nobody`: there is nobody at that number; `blocked`: it stands on the provider's own list, at this level. `code` is
    the provider's word for it (`Infobip 2052`). `key` is the same however often this is told.
    """

    message: MessageKey
    became: Became
    code: str
    key: str
    provider_id: str | None = None
    destination: str | None = field(default=None, repr=False)
    nobody: bool = False
    blocked: Level | None = None
    at: Instant | None = None


_ATTEMPT = re.compile(r"(\d{1,18})\.(\d{1,9})-\d{1,9}-[0-9a-f]{16}")


def message_of(attempt_id: object) -> MessageKey | None:
    """The message of an `attempt_id` that a provider gave back; None for what is none of ours."""
    found = _ATTEMPT.fullmatch(attempt_id) if isinstance(attempt_id, str) else None
    return None if found is None else MessageKey(int(found[1]), int(found[2]))


def number_of(written: object) -> str:
    """A number as a provider writes it, with its +; a name stays as it is."""
    text = written if isinstance(written, str) else ""
    return f"+{text}" if text.isascii() and text.isdigit() else text
