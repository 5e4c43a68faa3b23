"""Opt-out links in a world: messages print them, and contacts follow them."""

from __future__ import annotations

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.compose import Engine
from tactful.engine.optout.following import opt_out
from tactful.engine.optout.links import OptOutLinks, linked_message, links_of
from tactful.engine.project import Project
from tactful.engine.project_options import Links

NOWHERE = "https://opt-out.invalid"
"""Where links lead in a world without a project that says where."""


def links_in(engine: Engine, project: Project | None) -> OptOutLinks | None:
    """The links of a world's messages; None where its project has them switched off."""
    keyring = engine.do_not_contact.keyring
    if project is None or project.opt_out.base_url is None:
        return OptOutLinks(engine.store, keyring, NOWHERE)
    return links_of(engine.store, keyring, project)


def opt_out_by_link(engine: Engine, project: Project | None, key: MessageKey, now: Instant) -> None:
    """The link of a message is followed and confirmed on its page."""
    with engine.store.read() as tx:
        message = linked_message(tx, key)
    assert message is not None, "a message whose link was followed was sent"
    opt_out(engine, message, Links() if project is None else project.opt_out.links, now)
