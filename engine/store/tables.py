"""The schema. Rows are rows: they validate nothing, and are turned into values at the edge (`rows.py`).

Times are whole milliseconds since 1970-01-01T00:00:00Z in integers, states plain text, free-form data
JSON text. Indexes are few, for each costs on the hot path, and partial where most rows do not need one.

All that grows with contacts carries the contact's number, and no key but the contact's own spans two of them. On
PostgreSQL the number is the last part of the primary keys, too (migration 0004): a database that spreads tables over
servers asks for that.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, MetaData
from sqlalchemy import text as sql
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

# SQLite numbers rows by itself only where the key is INTEGER.
BIG: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")


metadata = MetaData()
"""Our own, so that a host application's tables never mix with these."""


class Table(SQLModel):
    """The base of all tables here."""

    metadata = metadata


class FlowVersion(Table, table=True):
    """A version of a flow: all its texts, by which live journeys go on however the files change."""

    __tablename__ = "flow_version"
    id: int | None = Field(default=None, primary_key=True)
    flow: str
    fingerprint: str
    sources: str
    published_at: int = Field(sa_type=BIG)
    __table_args__ = (Index("flow_version_fingerprint", "flow", "fingerprint", unique=True),)


class FlowRow(Table, table=True):
    """A published flow: which version new journeys get, and whether it runs."""

    __tablename__ = "flow"
    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    version: int
    state: str  # live | paused | finishing | stopped
    changed_at: int = Field(sa_type=BIG)
    next_entry_at: int | None = Field(default=None, sa_type=BIG)  # the next time of its schedule


class ContactRow(Table, table=True):
    """A person. `key` is their own id."""

    __tablename__ = "contact"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    key: str = Field(unique=True)
    email: str | None = None
    phone: str | None = None
    time_zone: str | None = None
    attributes: str = "{}"
    tags: str = "[]"
    created_at: int = Field(sa_type=BIG)
    changed_at: int = Field(sa_type=BIG)
    __table_args__ = (
        Index("contact_email", sql("lower(email)"), sqlite_where=sql("email IS NOT NULL"),
              postgresql_where=sql("email IS NOT NULL")),
        Index("contact_phone", "phone", sqlite_where=sql("phone IS NOT NULL"),
              postgresql_where=sql("phone IS NOT NULL")),
    )  # fmt: skip


class JourneyRow(Table, table=True):
    """One contact's passage through one flow. `due_at` is the timer: what is due is found by its index."""

    __tablename__ = "journey"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    contact: int = Field(sa_type=BIG)
    flow: int  # flow.number
    version: int
    entry_number: int
    state: str
    element: str | None = None
    step: int  # -1 once its history is pruned (`history.py`)
    entered_at: int = Field(sa_type=BIG)
    arrived_at: int = Field(sa_type=BIG)
    due_at: int | None = Field(default=None, sa_type=BIG)
    stood_still: int | None = None  # 1 since something came in a pause of its flow
    due_after: int | None = Field(default=None, sa_type=BIG)  # its `due_at`, while it stands still
    since: int = Field(sa_type=BIG)
    entry: str
    journey_values: str | None = None
    ended_at: int | None = Field(default=None, sa_type=BIG)
    why: str | None = None
    __table_args__ = (
        Index("journey_entry", "contact", "flow", "entry_number", unique=True),
        Index("journey_due", "due_at", sqlite_where=sql("due_at IS NOT NULL"),
              postgresql_where=sql("due_at IS NOT NULL")),
        Index("journey_stood_still", "flow", "due_after", sqlite_where=sql("stood_still IS NOT NULL"),
              postgresql_where=sql("stood_still IS NOT NULL")),
    )  # fmt: skip


class VisitRow(Table, table=True):
    """An element a journey left: the trace, and what counts and pictures are made of."""

    __tablename__ = "visit"
    journey: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    step: int = Field(primary_key=True)
    element: str
    exit: str
    arrived_at: int = Field(sa_type=BIG)
    left_at: int = Field(sa_type=BIG)
    event: int | None = Field(default=None, sa_type=BIG)
    why: str | None = None
    contact: int = Field(sa_type=BIG)
    __table_args__ = ({"sqlite_with_rowid": False},)


class EventRow(Table, table=True):
    """Something that happened to a contact or to a message of theirs, in the order learnt."""

    __tablename__ = "event"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    contact: int = Field(sa_type=BIG)
    name: str
    at: int = Field(sa_type=BIG)
    learnt_at: int = Field(sa_type=BIG)
    data: str | None = None
    message_journey: int | None = Field(default=None, sa_type=BIG)
    message_step: int | None = None
    used: int = 0  # 1 once it ended a wait (events of messages only)
    key: str | None = None  # the teller's own id of it: told twice of a contact, learnt once
    __table_args__ = (
        Index("event_contact", "contact", "id"),
        Index("event_key", "key", "contact", unique=True, sqlite_where=sql("key IS NOT NULL"),
              postgresql_where=sql("key IS NOT NULL")),
    )  # fmt: skip


class MessageRow(Table, table=True):
    """A message and what became of it: the outbox while it waits, the evidence afterwards."""

    __tablename__ = "message"
    journey: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    step: int = Field(primary_key=True)
    contact: int = Field(sa_type=BIG)
    element: str
    channel: str
    sender: str
    purpose: str
    state: str
    # When to try (again); none once it is decided. Of one to be looked at at once, 0, or the negative of when to try.
    due_at: int | None = Field(default=None, sa_type=BIG)
    expires_at: int | None = Field(default=None, sa_type=BIG)
    destination: str | None = None
    tries: int = 0
    unknowns: int = 0  # times it was handed over and nobody knows the outcome
    taken_at: int | None = Field(default=None, sa_type=BIG)
    sent_at: int | None = Field(default=None, sa_type=BIG)
    provider_id: str | None = None
    why: str | None = None
    worker: int | None = None  # who has it in hand (`workers.py`)
    __table_args__ = (
        Index("message_due", "sender", "due_at", sqlite_where=sql("due_at IS NOT NULL"),
              postgresql_where=sql("due_at IS NOT NULL")),
        Index("message_in_hand", "state", sqlite_where=sql("state IN ('sending', 'unknown')"),
              postgresql_where=sql("state IN ('sending', 'unknown')")),
        {"sqlite_with_rowid": False},
    )  # fmt: skip


class GoalRow(Table, table=True):
    """A goal a journey reached; once each."""

    __tablename__ = "goal"
    journey: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    name: str = Field(primary_key=True)
    flow: int
    at: int = Field(sa_type=BIG)
    contact: int = Field(sa_type=BIG)
    __table_args__ = ({"sqlite_with_rowid": False},)


class PastRow(Table, table=True):
    """How many of what was pruned there were (`history.py`), so that counts stay what they were."""

    __tablename__ = "past"
    flow: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(primary_key=True)  # journey | goal | message | exit
    name: str = Field(primary_key=True)
    number: int = Field(sa_type=BIG)
    __table_args__ = ({"sqlite_with_rowid": False},)


class MembershipRow(Table, table=True):
    """A contact for whom a segment flow's condition held when last looked."""

    __tablename__ = "membership"
    contact: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    flow: int = Field(primary_key=True)
    __table_args__ = ({"sqlite_with_rowid": False},)


class BlockRow(Table, table=True):
    """The Do Not Contact list as it stands: one row for each destination, channel, sender and cover."""

    __tablename__ = "block"
    destination: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)  # empty: any sender
    covers: str = Field(primary_key=True)
    source: str
    reason: str | None = None
    since: int = Field(sa_type=BIG)
    __table_args__ = ({"sqlite_with_rowid": False},)


class BlockActRow(Table, table=True):
    """The history of the Do Not Contact list: what was put on it and taken off, by whom, with evidence.

    Rows are only ever added, and each carries the hash of the one before it for its destination
    (`optout/chain.py`). Ids are never given twice, so that whoever reads along by them misses nothing.
    """

    __tablename__ = "block_act"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    destination: str
    channel: str
    sender: str
    covers: str
    act: str  # block | unblock
    source: str
    reason: str | None = None
    at: int = Field(sa_type=BIG)
    evidence: str | None = None
    hash: str
    __table_args__ = (Index("block_act_destination", "destination", "id"), {"sqlite_autoincrement": True})


class InboundRow(Table, table=True):
    """A message that came in, as it was written and as it was read: the evidence of keyword opt-outs."""

    __tablename__ = "inbound"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    sender: str  # ours, which was answered
    destination: str  # theirs
    text: str
    at: int = Field(sa_type=BIG)
    normalised: str
    decision: str  # block | unblock | review | none
    keyword: str | None = None
    level: str | None = None
    why: str
    key: str | None = None  # the provider's own id of it: told twice, received once
    reply: str | None = None  # what became of the rule's own reply: sending | sent | not sent: …
    review_due_at: int | None = Field(default=None, sa_type=BIG)  # until a person has read it
    reviewed_at: int | None = Field(default=None, sa_type=BIG)
    reviewed: str | None = None
    __table_args__ = (
        Index("inbound_key", "key", unique=True, sqlite_where=sql("key IS NOT NULL"),
              postgresql_where=sql("key IS NOT NULL")),
        Index("inbound_review", "destination", sqlite_where=sql("review_due_at IS NOT NULL"),
              postgresql_where=sql("review_due_at IS NOT NULL")),
    )  # fmt: skip


class ConsentRow(Table, table=True):
    """Somebody agreed to be written to: the record of it. Rows are only ever added; a no is a block, which
    stands above."""

    __tablename__ = "consent"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    destination: str
    channel: str
    at: int = Field(sa_type=BIG)
    source: str
    shown: str | None = None  # the words they agreed to
    evidence: str | None = None
    __table_args__ = (Index("consent_destination", "destination", "channel"),)


class ShortLinkRow(Table, table=True):
    """A short code that stands for a message in its opt-out link, where a signed one would be too long."""

    __tablename__ = "short_link"
    code: str = Field(primary_key=True)
    journey: int = Field(sa_type=BIG)
    step: int
    __table_args__ = ({"sqlite_with_rowid": False},)


class LinkTargetRow(Table, table=True):
    """Where links in messages lead: a click names one of these, so it cannot be made to lead elsewhere."""

    __tablename__ = "link_target"
    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    url: str = Field(unique=True)


class WebhookRow(Table, table=True):
    """How far a receiver of our webhooks was told the history of the Do Not Contact list."""

    __tablename__ = "webhook"
    receiver: str = Field(primary_key=True)
    behind: int = Field(sa_type=BIG)  # acts up to this id were taken by it
    tries: int = 0
    due_at: int | None = Field(default=None, sa_type=BIG)  # after a failure, when to try again
    why: str | None = None


class WorkerRow(Table, table=True):
    """A daemon that works on this database."""

    __tablename__ = "worker"
    id: int | None = Field(default=None, primary_key=True)
    name: str
    beat_at: int = Field(sa_type=BIG)
    __table_args__ = ({"sqlite_autoincrement": True},)


class LaneRow(Table, table=True):
    """A sender that only one daemon may work on, and who that is."""

    __tablename__ = "lane"
    sender: str = Field(primary_key=True)
    worker: int


class KeyRow(Table, table=True):
    """The key made with the database (`keyring.py`)."""

    __tablename__ = "key"
    name: str = Field(primary_key=True)
    value: str


class EnrolmentRow(Table, table=True):
    """A crowd on its way into a flow, batch by batch, so that a kill in the middle loses nobody."""

    __tablename__ = "enrolment"
    id: int | None = Field(default=None, primary_key=True)
    flow: int
    audience: str | None = None
    entry: str
    begun_at: int = Field(sa_type=BIG)
    behind: int = Field(default=0, sa_type=BIG)  # contacts up to this id have been looked at
    entered: int = 0


class SwitchRow(Table, table=True):
    """Things that are on or off for the whole project: `halt`; and `flows`, which counts up when a flow changes."""

    __tablename__ = "switch"
    name: str = Field(primary_key=True)
    number: int = Field(sa_type=BIG)
    why: str | None = None
