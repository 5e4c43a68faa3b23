"""Messages on their way out: those of senders that track get our links and a pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from tactful.engine.channels import Outgoing
from tactful.engine.channels.plain_text import plain_text
from tactful.engine.senders import tracks
from tactful.engine.store.statements import insert_or, one_of, table
from tactful.engine.store.tables import LinkTargetRow
from tactful.engine.tracking import rewriting
from tactful.engine.tracking.memory import Memory
from tactful.engine.tracking.tokens import Click, Tokens

if TYPE_CHECKING:
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project
    from tactful.engine.store.database import Store

LINK_TARGET = table(LinkTargetRow)


class Tracking:
    """Puts links and pixels into messages that are about to be handed over. Safe to call from several threads."""

    def __init__(self, store: Store, tokens: Tokens, base_url: str) -> None:
        self._store = store
        self._tokens = tokens
        self._base_url = base_url
        self._known = Memory[str, int]()

    def tracked(self, batch: Sequence[Outgoing]) -> list[Outgoing]:
        """The messages in their order, tracked as their senders say. Where their links lead is committed when this
        returns: no message may go out with a link that leads nowhere. What is read as plain text stays without them."""
        pages = {
            message.key: rewriting.read(message.parts["html"], self._base_url)
            for message in batch
            if tracks(message.settings) and "html" in message.parts
        }
        clickable = [pages[message.key] for message in batch if message.key in pages and _clicks(message)]
        targets = self._targets(link.url for page in clickable for link in page.links)
        return [
            self._rewritten(message, pages[message.key], targets) if message.key in pages else message
            for message in batch
        ]

    def _rewritten(self, message: Outgoing, page: rewriting.Page, targets: dict[str, int]) -> Outgoing:
        key, pixel = message.key, None
        addresses: dict[str, str] = {}
        if _clicks(message):
            for url in {link.url for link in page.links}:
                addresses[url] = f"{self._base_url}/c/{self._tokens.click(Click(key, targets[url]))}"
        if "opened" in tracks(message.settings):
            pixel = f"{self._base_url}/v/{self._tokens.open(key)}.gif"
        # A mail program that shows text shows the addresses as they were.
        text = message.parts.get("text") or plain_text(page.html)
        return replace(
            message, parts={**message.parts, "html": rewriting.written(page, addresses, pixel), "text": text}
        )

    def _targets(self, urls: Iterable[str]) -> dict[str, int]:
        """The ids of addresses. A new one gets its id in one transaction with all that are new."""
        asked = set(urls)
        found = {url: id for url in asked if (id := self._known.get(url)) is not None}
        new = asked - found.keys()
        if not new:
            return found
        with self._store.write(shared=True) as tx:
            put_in = insert_or(tx.dialect.name, LINK_TARGET).on_conflict_do_nothing()
            tx.execute(put_in, [{"url": url} for url in sorted(new)])
            found_now = select(LINK_TARGET.c.url, LINK_TARGET.c.id).where(one_of(LINK_TARGET.c.url, new))
            learnt = {row.url: row.id for row in tx.execute(found_now)}
        for url, id in learnt.items():
            self._known.put(url, id)
        return found | learnt


def _clicks(message: Outgoing) -> bool:
    return "clicked" in tracks(message.settings)


def tracking_of(engine: Engine, project: Project) -> Tracking | None:
    """What tracks the messages of a project; None where no sender asks for it."""
    base_url = project.opt_out.base_url
    if base_url is None or not any(tracks(sender) for sender in (project.senders or {}).values()):
        return None
    return Tracking(engine.store, Tokens(engine.do_not_contact.keyring), base_url)
