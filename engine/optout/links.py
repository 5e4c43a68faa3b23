"""Opt-out links: how a message is named in one, and how it is found again.

An email carries a token: the message's key, signed. It is long, and nothing needs to be kept for it. A text message
carries ten letters instead, kept in a table and committed before the message is handed over: a code that was sent is
known, and one that never was does no harm. Neither can be guessed or made by somebody else, and both stay good for as
long as the message is kept. What a link does is in `following.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from tactful.elements.contract import Contact, Instant, MessageKey, Purpose, Send
from tactful.engine.flowbook import FLOW
from tactful.engine.store import reading, rows
from tactful.engine.store.statements import JOURNEY, MESSAGE, insert_or, one_of, table
from tactful.engine.store.tables import ShortLinkRow
from tactful.flows.checks.senders import OPT_OUT_LINK

if TYPE_CHECKING:
    from tactful.engine.keyring import Keyring
    from tactful.engine.outbox import Taken
    from tactful.engine.project import Project
    from tactful.engine.store.database import Store

PATH = "/o/"
"""What stands between the project's `base_url` and the name of the message."""

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""The letters of a short code: none of those that are taken for one another (0 O, 1 I l)."""

LENGTH = 10
"""Letters of a short code: 58 bits."""

PREVIEW = "preview000"
"""The name of no message, in links that must do nothing. As long as a short code and never one, for there is no 0 in
those."""

SHORT_LINK = table(ShortLinkRow)

_TOKEN = re.compile(r"([1-9]\d{0,17})\.(\d{1,9})\.([A-Za-z0-9_-]{16,64})", re.ASCII)
_CODE = re.compile(f"[{LETTERS}]{{{LENGTH}}}")
_ADDED_BY_SENTENCES = ".,;:!?)>]\"'"
_NO_MESSAGE = MessageKey(0, 0)


@dataclass(frozen=True, slots=True)
class LinkedMessage:
    """A message somebody followed the link of. `destination` is the address it went to; `begun` when the event that
    began its journey happened."""

    key: MessageKey
    contact: Contact
    flow: str
    version: int
    element: str
    channel: str
    sender: str
    destination: str
    purpose: Purpose
    begun: Instant


class OptOutLinks:
    """The opt-out links of a project. Safe to use from several threads.

    A message is named together with when its journey's entry happened, so that a link of one database means nothing in
    another that has the same secret and numbers its messages alike.
    """

    def __init__(self, store: Store, keyring: Keyring, base_url: str) -> None:
        self._store = store
        self._keyring = keyring
        self._signer = keyring.signer("opt-out")
        self._base = base_url + PATH

    def of(self, taken: Sequence[Taken]) -> dict[MessageKey, str]:
        """The links of messages about to be handed over: of every email, for it has one in its head, and of every other
        message whose text prints it. When this returns, their codes are committed."""
        names = {each.key: self._token(each.key, each.entry.at) for each in taken if each.channel == "email"}
        short = {each.key: each.entry.at for each in taken if each.channel != "email" and prints_link(each.element)}
        return {key: self._base + name for key, name in (names | self._codes(short)).items()}

    def find(self, tx: Connection, name: str) -> LinkedMessage | None:
        """The message of a link, by what stands behind `/o/`; None for what names none, or one whose contact was
        erased. It takes as long for a name nobody could have been given as for one that is only wrong."""
        name = name.rstrip(_ADDED_BY_SENTENCES)  # "Stop: https://…/o/Ab3kXyZ92q." is read with its full stop
        written = _TOKEN.fullmatch(name)
        code = name if _CODE.fullmatch(name) else ""
        found = tx.execute(select(SHORT_LINK.c.journey, SHORT_LINK.c.step).where(SHORT_LINK.c.code == code)).first()
        if written is not None:
            key, signature = MessageKey(int(written[1]), int(written[2])), written[3]
        else:
            key, signature = (_NO_MESSAGE if found is None else MessageKey(found.journey, found.step)), ""
        message = linked_message(tx, key)
        signed = self._signed(key, 0 if message is None else message.begun)
        ours = self._signer.verify_signature(signed, signature)
        return message if found is not None or ours else None

    def _token(self, key: MessageKey, begun: Instant) -> str:
        return f"{key}.{self._signer.get_signature(self._signed(key, begun)).decode()}"

    def _signed(self, key: MessageKey, begun: Instant) -> bytes:
        return f"{key} {begun}".encode()

    def _codes(self, messages: Mapping[MessageKey, Instant]) -> dict[MessageKey, str]:
        """The codes of messages, each the same as at its last try; kept in one write."""
        if not messages:
            return {}
        codes: dict[MessageKey, str] = {}
        with self._store.write(shared=True) as tx:
            left, drawn = list(messages), 0
            while left:  # one whose code another message has, which happens to nobody, takes its next
                asked = {key: self._code(key, messages[key], drawn) for key in left}
                owners = _kept(tx, asked)
                codes |= {key: code for key, code in asked.items() if owners[code] == key}
                left, drawn = [key for key in left if key not in codes], drawn + 1
        return codes

    def _code(self, key: MessageKey, begun: Instant, drawn: int) -> str:
        number = int.from_bytes(self._keyring.digest("opt-out code", f"{key} {begun} {drawn}"))
        letters = []
        for _ in range(LENGTH):
            number, letter = divmod(number, len(LETTERS))
            letters.append(LETTERS[letter])
        return "".join(letters)


def _kept(tx: Connection, asked: Mapping[MessageKey, str]) -> dict[str, MessageKey]:
    """Keep codes that are free; whose each is now."""
    # In one order, so that two who keep the same codes never wait for each other.
    in_order = sorted(asked.items(), key=lambda each: each[1])
    new = [{"code": code, "journey": key.journey, "step": key.step} for key, code in in_order]
    tx.execute(insert_or(tx.dialect.name, SHORT_LINK).on_conflict_do_nothing(), new)
    found = select(SHORT_LINK).where(one_of(SHORT_LINK.c.code, asked.values()))
    return {row.code: MessageKey(row.journey, row.step) for row in tx.execute(found)}


def linked_message(tx: Connection, key: MessageKey) -> LinkedMessage | None:
    """A message that went out, or may have; None where there is none of this key with an address."""
    names = ("contact", "element", "channel", "sender", "destination", "purpose")
    row = tx.execute(
        select(*(MESSAGE.c[name] for name in names), FLOW.c.id, JOURNEY.c.version, JOURNEY.c.entry)
        .join(JOURNEY, JOURNEY.c.id == MESSAGE.c.journey)
        .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
        .where(MESSAGE.c.journey == key.journey, MESSAGE.c.step == key.step, MESSAGE.c.destination.is_not(None))
    ).first()
    if row is None:
        return None
    contact, element, channel, sender, destination, purpose, flow, version, entry = tuple[Any, ...](row)
    return LinkedMessage(
        key, reading.contacts(tx, [contact])[contact], flow, version, element, channel, sender, destination, purpose,
        rows.read_entry(entry).at,
    )  # fmt: skip


def prints_link(element: Send) -> bool:
    """Whether a text of an element prints the link."""
    return any(template.mentions(OPT_OUT_LINK) for template in element.parts().values())


def one_click_headers(link: str, purpose: Purpose) -> dict[str, str]:
    """What a marketing email carries in its head, so that mail programs show a button of their own (RFC 8058)."""
    if purpose != "marketing":
        return {}
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def preview_link(project: Project) -> str | None:
    """A link that looks like one and leads to nobody's message; None where the project has no links."""
    base_url = _base_url(project)
    return None if base_url is None else f"{base_url}{PATH}{PREVIEW}"


def links_of(store: Store, keyring: Keyring, project: Project) -> OptOutLinks | None:
    """The links of a project; None where it has none."""
    base_url = _base_url(project)
    return None if base_url is None else OptOutLinks(store, keyring, base_url)


def _base_url(project: Project) -> str | None:
    return project.opt_out.base_url if project.opt_out.links.enabled else None
