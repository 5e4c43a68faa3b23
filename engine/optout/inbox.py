"""Messages that come in: decided by the keyword rules, acted on in one transaction, and kept as evidence.

What a message says is decided in `keywords.py`; this carries it out. A block or an unblock changes the Do
Not Contact list, a review holds what waits for that address until a person has read it (or, after a time,
blocks it by itself), and a message that does not end with its rule is told to the contact's journeys. A
rule's own reply goes out once, right away, or not at all (47 CFR 64.1200(a)(12) allows one confirmation, within
five minutes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, insert, select, update

from tactful.elements.contract import NOTHING, Instant, Level, MessageKey
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import destination
from tactful.engine.channels import Accepted, NoConnector, Outcome, Outgoing, Refused, connect, message_id
from tactful.engine.compose import Engine
from tactful.engine.consent import Consent, record
from tactful.engine.incoming import REPLIED, Incoming
from tactful.engine.interpreter import LONGEST_NAME
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.keywords import Decision, Rulebook, decide
from tactful.engine.optout.opting import changing, contacts_at, look_again, opt
from tactful.engine.optout.packs import pack
from tactful.engine.project_options import KeywordRule, PackRule
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER
from tactful.engine.senders import Sender
from tactful.engine.store.statements import INBOUND
from tactful.engine.switches import halted

if TYPE_CHECKING:
    from tactful.engine.project import Project

HOUR = 3_600_000
REVIEW_HOURS = 24
"""How long an answer waits for a person to read it; after that it counts as an opt-out."""


class UnknownSender(Exception):
    """The project has no sender of that name."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that came in. `sender` is ours, which was answered; `address` theirs, as the provider wrote it.

    `headers` are an email's (`Auto-Submitted`, `Subject`). `key` is the provider's own id: told twice, the message
    is received once. `at` None means now.
    """

    sender: str
    address: str
    text: str
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    key: str | None = None
    at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a message: its number, the decision, and whether it was known before (then nothing was done)."""

    number: int
    decision: Decision | None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Review:
    """An answer that a person should read: is it an opt-out? At `due_at` it counts as one."""

    number: int
    sender: str
    destination: str
    text: str
    keyword: str | None
    why: str
    at: Instant
    due_at: Instant


_COLUMNS = ("id", "sender", "destination", "text", "keyword", "why", "at", "review_due_at")

NEXT_OVERDUE = select(func.min(INBOUND.c.review_due_at)).where(INBOUND.c.review_due_at.is_not(None))
"""When the next review is overdue; None where none is open."""


class Inbox:
    """The inbox of a project. `hand_over` sends a rule's reply; without it, replies are not sent."""

    def __init__(
        self,
        engine: Engine,
        senders: Mapping[str, Sender],
        rules: Sequence[KeywordRule | PackRule],
        region: str | None = None,
        hand_over: Callable[[Outgoing], Outcome] | None = None,
    ) -> None:
        self.engine = engine
        self._senders = senders
        self._rules = tuple(rules)
        self._region = region
        self._hand_over = hand_over
        self._books: dict[str, Rulebook] = {}

    def look(self, inbound: Inbound) -> Decision:
        """What would be decided, without doing anything. Raises UnknownSender and BadAddress."""
        to = self._destination(inbound)
        with self.engine.store.read() as tx:
            return self._decide(tx, inbound, to)

    def receive(self, inbound: Inbound, now: Instant) -> Received:
        """Decide, act, and keep it. When this returns it is committed, and a reply was tried.

        Raises UnknownSender and BadAddress; nothing is kept then.
        """
        to, inbound = self._destination(inbound), _writable(inbound)
        with changing(self.engine.store, [to]) as tx:
            self.engine.host.flows.refresh(tx)
            known = None
            if inbound.key is not None:
                known = tx.scalar(select(INBOUND.c.id).where(INBOUND.c.key == inbound.key))
            if known is not None:
                return Received(int(known), None, known=True)
            decision = self._decide(tx, inbound, to)
            replies = decision.reply is not None and self._hand_over is not None and not halted(tx)
            number = self._keep(tx, inbound, to, decision, now, "sending" if replies else None)
            if decision.decision in ("block", "unblock"):
                self._act(tx, inbound, to, decision, number, now)
            elif decision.decision == "review":
                look_again(self.engine.host, tx, [to])
            self._tell(tx, inbound, to, decision, now)
        if replies:
            self._reply(inbound, to, decision, number, now)
        return Received(number, decision)

    def _destination(self, inbound: Inbound) -> str:
        settings = self._senders.get(inbound.sender)
        if settings is None:
            raise UnknownSender(inbound.sender)
        return destination(CHANNELS[settings.channel].address, inbound.address, self._region)

    def _decide(self, tx: Connection, inbound: Inbound, to: str) -> Decision:
        book = self._books.get(inbound.sender)
        if book is None:
            book = self._books[inbound.sender] = Rulebook(self._rules, inbound.sender, pack)
        entries = self.engine.do_not_contact.blocks_of(tx, [to]).get(to, ())
        channel = self._senders[inbound.sender].channel
        blocked = any(
            entry.channel in (channel, ALL_CHANNELS) and entry.sender in (inbound.sender, ANY_SENDER)
            for entry in entries
        )
        return decide(inbound.text, book, blocked_now=blocked, headers=inbound.headers)

    def _keep(
        self, tx: Connection, inbound: Inbound, to: str, decision: Decision, now: Instant, reply: str | None
    ) -> int:
        row = {
            "sender": inbound.sender,
            "destination": to,
            "text": inbound.text,
            "at": now if inbound.at is None else min(inbound.at, now),
            "normalised": decision.normalised,
            "decision": decision.decision,
            "keyword": decision.keyword,
            "level": decision.level,
            "why": decision.why,
            "key": inbound.key,
            "reply": reply,
            "review_due_at": now + REVIEW_HOURS * HOUR if decision.decision == "review" else None,
        }
        done = tx.execute(insert(INBOUND).values(**row))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])

    def _act(self, tx: Connection, inbound: Inbound, to: str, decision: Decision, number: int, now: Instant) -> None:
        entry = Entry(*self._entry(inbound.sender, to, decision.level), "everything")
        evidence = {
            "inbound": number, "text": inbound.text, "normalised": decision.normalised, "keyword": decision.keyword,
            "sender": inbound.sender, "why": decision.why,
        }  # fmt: skip
        change = Change(decision.decision == "block", entry, f"keyword {decision.keyword}", None, evidence)
        channel = self._senders[inbound.sender].channel
        if not change.adds:  # whoever asks to be written to again has agreed to it
            at = now if inbound.at is None else min(inbound.at, now)
            record(tx, [Consent(to, channel, at, change.source, evidence=evidence)])
        data = {"channel": channel, "sender": inbound.sender, "keyword": decision.keyword}
        opt(self.engine.host, tx, [change], now, data, at=inbound.at)

    def _entry(self, sender: str, to: str, level: Level | None) -> tuple[str, str, str]:
        """Any sender: nothing more to this address at all. This sender: nothing more from the one answered."""
        if level == "this_sender":
            return to, self._senders[sender].channel, sender
        return to, ALL_CHANNELS, ANY_SENDER

    def _tell(self, tx: Connection, inbound: Inbound, to: str, decision: Decision, now: Instant) -> None:
        """Tell the journeys of the contacts who have this address, where the message does not end with its rule."""
        if decision.ends_here:
            return
        data = {"text": inbound.text, "sender": inbound.sender}
        events = [Incoming(REPLIED, contact, data=data, at=inbound.at) for contact in contacts_at(tx, [to])]
        self.engine.host.learn(tx, events, now)

    def _reply(self, inbound: Inbound, to: str, decision: Decision, number: int, now: Instant) -> None:
        assert decision.reply is not None
        assert self._hand_over is not None
        key = MessageKey(0, number)  # no journey's: the answer to what came in under this number
        settings = self._senders[inbound.sender]
        parts = {"text": decision.reply}
        if settings.channel == "email":
            parts["subject"] = "Your message"
        outgoing = Outgoing(
            key, settings.channel, inbound.sender, settings, to, parts, message_id(key, inbound.sender), now
        )
        outcome = self._hand_over(outgoing)
        state = "sent" if isinstance(outcome, Accepted) else f"not sent: {outcome.why}"
        with self.engine.store.write(shared=True) as tx:
            tx.execute(update(INBOUND).where(INBOUND.c.id == number).values(reply=state))

    # --- reviews

    def reviews(self) -> list[Review]:
        """The answers that wait for a person, the most urgent first."""
        with self.engine.store.read() as tx:
            rows = tx.execute(
                select(*(INBOUND.c[name] for name in _COLUMNS))
                .where(INBOUND.c.review_due_at.is_not(None))
                .order_by(INBOUND.c.review_due_at, INBOUND.c.id)
            )
            return [Review(*row) for row in rows]

    def settle(self, number: int, opts_out: bool, who: str, now: Instant) -> bool:
        """A review is decided: block the address, or let what was held go on. Whether it was still open."""
        with self.engine.host.transaction() as tx:
            row = tx.execute(
                select(*(INBOUND.c[name] for name in (*_COLUMNS, "level")))
                .where(INBOUND.c.id == number, INBOUND.c.review_due_at.is_not(None))
            ).first()  # fmt: skip
            if row is None:
                return False
            decided = "block" if opts_out else "none"
            tx.execute(
                update(INBOUND).where(INBOUND.c.id == number)
                .values(review_due_at=None, reviewed_at=now, reviewed=f"{decided}, by {who}")
            )  # fmt: skip
            if opts_out:
                entry = Entry(*self._entry(row.sender, row.destination, row.level), "everything")
                evidence = {"inbound": number, "text": row.text, "sender": row.sender, "decided_by": who}
                change = Change(True, entry, "an answer, read as an opt-out", None, evidence)
                data = {"channel": self._senders[row.sender].channel, "sender": row.sender, "keyword": row.keyword}
                opt(self.engine.host, tx, [change], now, data)
            look_again(self.engine.host, tx, [row.destination])
            return True

    def settle_overdue(self, now: Instant) -> int:
        """Answers nobody read in time count as opt-outs; how many there were."""
        overdue = [review.number for review in self.reviews() if review.due_at <= now]
        return sum(self.settle(number, opts_out=True, who="time", now=now) for number in overdue)


def _writable(inbound: Inbound) -> Inbound:
    """As it can be kept: without NUL, and with `?` for half characters. Of an id that no database can hold, its
    digest: nobody's no is lost for how messages are numbered."""
    text = inbound.text.replace("\0", "").encode("utf-8", "replace").decode()
    key = inbound.key
    if key is not None and (len(key) > LONGEST_NAME or not key.isprintable()):
        key = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(inbound, text=text, key=key)


def inbox_of(engine: Engine, project: Project) -> Inbox:
    """The inbox of a project, its rules' replies going out through the project's connectors."""
    return Inbox(engine, project.senders or {}, project.keyword_rules, project.region, _hand_over)


def _hand_over(outgoing: Outgoing) -> Outcome:
    try:
        connector = connect(outgoing.settings)
    except NoConnector as error:
        return Refused(str(error), final=True)
    try:
        ((_, outcome),) = connector.send([outgoing])
    finally:
        connector.close()
    return outcome
