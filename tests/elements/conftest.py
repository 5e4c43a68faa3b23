"""A contact who stands at an element, for tests that ask the element itself."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tactful.elements.contract import Contact, Event, Message, Settings, Visit

ZAGREB = ZoneInfo("Europe/Zagreb")


def instant(text: str, zone: ZoneInfo = ZAGREB) -> int:
    """The milliseconds of a wall time in a zone; the first where the clock shows it twice."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.fixture
def at() -> Callable[..., int]:
    return instant


@pytest.fixture
def visit() -> Callable[..., Visit]:
    """Makes a visit: `now` as wall time in Zagreb, the contact's attributes and tags, messages by element as
    (step, sent at), and the entry's data."""

    def make(
        now: str = "2026-03-02 10:00",
        *,
        attributes: Mapping[str, Any] | None = None,
        tags: frozenset[str] = frozenset(),
        messages: Mapping[str, tuple[int, str | None]] | None = None,
        entry: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        arrived_at: str | None = None,
        key: str = "ana",
        flow: str = "win-back",
        element: str = "here",
        zone: ZoneInfo = ZAGREB,
    ) -> Visit:
        return Visit(
            flow=flow,
            element=element,
            journey=12,
            step=9,
            now=instant(now, zone),
            arrived_at=instant(arrived_at or now, zone),
            contact=Contact(1, key, attributes or {}, tags, time_zone=zone.key),
            entry=Event("basket_abandoned", instant("2026-03-01 09:00"), entry or {}),
            values=values or {},
            messages={
                id: Message(step, "sent" if sent else "failed", instant(sent, zone) if sent else None)
                for id, (step, sent) in (messages or {}).items()
            },
            settings=Settings(),
            zone=zone,
        )

    return make
