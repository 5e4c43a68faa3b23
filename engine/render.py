"""The texts of a message, rendered for one contact at the moment it is taken to be sent. Pure.

A message is rendered whole or not at all: one missing value, and none of its parts leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tactful.elements.options.template import TemplateFailure
from tactful.engine.channels.plain_text import one_line
from tactful.engine.instants import moment
from tactful.engine.interpreter import zone_of
from tactful.flows.checks.senders import OPT_OUT_LINK

if TYPE_CHECKING:
    from tactful.elements.contract import Contact, Event, Instant, MessageKey, Send, Settings

_NOTHING: Mapping[str, Any] = {}


class CannotRender(Exception):
    """The message has no text for this contact, so it fails. `why` is one plain sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def at_hand(contact: Contact, settings: Settings, now: Instant, link: str | None) -> Mapping[str, Any]:
    """What a text may name beside its contact and journey (the `extras` of `render`): `now`, on the contact's own
    clock, and `opt_out_link`, where there is one."""
    there = {"now": moment(now, zone_of(contact, settings.time_zone))}
    return there if link is None else {**there, OPT_OUT_LINK: link}


def render(
    element: Send,
    contact: Contact,
    entry: Event,
    values: Mapping[str, Any],
    flow_id: str,
    key: MessageKey,
    extras: Mapping[str, Any] = _NOTHING,
) -> Mapping[str, str]:
    """The parts of a message by name. Values are escaped in `html`; a `subject` is one line.

    Templates may name `contact` (its own fields before attributes of the same name, and `tags`), `entry` (its
    data, and `name`), `journey`, `flow.id`, `message.id`, and what `extras` brings: `opt_out_link`, and `now`
    as a datetime. Raises CannotRender where a value to be printed is missing, a limit is passed, or a part
    comes out blank.
    """
    about = {**contact.attributes, "tags": sorted(contact.tags), "id": contact.key}
    for name in ("email", "phone", "time_zone"):
        about[name] = getattr(contact, name)
    scope = {
        # What is None counts as missing: printed, it would be an empty place in a sentence.
        "contact": {name: value for name, value in about.items() if value is not None},
        "entry": {**entry.data, "name": entry.name},
        "journey": values,
        "flow": {"id": flow_id},
        "message": {"id": str(key)},
        **extras,
    }
    parts = {}
    for name, template in element.parts().items():
        try:
            text = template.render(scope, html=name == "html")
        except TemplateFailure as failure:
            raise CannotRender(f"{name}: {failure.message}") from failure
        text = one_line(text) if name == "subject" else text.replace("\0", "")
        if not text.strip():
            raise CannotRender(f"{name}: comes out blank for this contact")
        parts[name] = text
    return parts
