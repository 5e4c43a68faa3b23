"""Who goes through a flow: a contact as a scenario writes them, and as the engine sees them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from tactful.elements.contract import Contact
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.expression import CONTACT_FIELDS
from tactful.engine.testing.generate.values import PHONE, Name, Values, nested, tags_in

KEY: Name = ("contact", "id")

_NAMES = (
    "ana", "ben", "chloe", "dai", "emil", "farah", "gita", "hugo", "ines", "jakob", "klara", "luca", "maja", "noor",
    "olga", "petra", "rosa", "sven", "tariq", "una", "vera", "wanda", "yuki", "zoe",
)  # fmt: skip
_OF_EACH_NAME = 25

PEOPLE = tuple(f"{name}-{number}" if number > 1 else name for number in range(1, _OF_EACH_NAME + 1) for name in _NAMES)
"""Enough people to find one for a path of one in a hundred."""


def written(values: Values, channels: Set[str]) -> dict[str, Any]:
    """The contact of a scenario, as it is written there: reached on all the channels, unless the values say otherwise.
    Whoever has an email goes by it, so that a person is one contact and nothing needs an id."""
    kinds = {CHANNELS[channel].address for channel in channels if channel in CHANNELS}
    who = values.get(KEY)
    name = who if who in PEOPLE else PEOPLE[0]
    email = values.get(
        ("contact", "email"), f"{name}@example.com" if "email" in kinds or "phone" not in kinds else None
    )
    phone = values.get(("contact", "phone"), PHONE if "phone" in kinds else None)
    own = {
        "id": who if who is not None and (who not in PEOPLE or email is None) else None,
        "email": email,
        "phone": phone,
        "time_zone": values.get(("contact", "time_zone")),
    }
    attributes = {name: value for name, value in nested(values, "contact").items() if name not in CONTACT_FIELDS}
    made = {name: value for name, value in {**own, **attributes}.items() if value is not None}
    tags = sorted(tags_in(values))
    return {**(made or {"id": PEOPLE[0]}), **({"tags": tags} if tags else {})}


def as_contact(said: Mapping[str, Any]) -> Contact:
    """The same contact as flows see them."""
    attributes = {name: value for name, value in said.items() if name not in (*CONTACT_FIELDS, "tags")}
    email, phone = said.get("email"), said.get("phone")
    key = said.get("id") or email or phone
    return Contact(1, str(key), attributes, frozenset(said.get("tags", ())), email, phone, said.get("time_zone"))
