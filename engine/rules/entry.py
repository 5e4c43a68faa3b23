"""Who may enter a flow, and again when."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tactful.elements.contract import Instant
from tactful.flows.model import Again


@dataclass(frozen=True, slots=True)
class Entries:
    """A contact's entries into one flow so far: how many, and when the last one was."""

    count: int
    last_at: Instant


def refusal(again: Again, entries: Entries | None, now: Instant, zone: ZoneInfo) -> str | None:
    """Why a contact may not enter now, in words; None where they may.

    `again: always` lets them in beside a journey that still runs; so does a duration that is over.
    """
    if entries is None or again == "always":
        return None
    if again == "never":
        return "was here before, and the flow is entered once (again: never)"
    if now < again.after(entries.last_at, zone):
        return f"was here less than {again} ago"
    return None
