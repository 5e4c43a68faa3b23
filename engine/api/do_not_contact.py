"""`/v1/do-not-contact`: the Do Not Contact list."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from tactful.elements.contract import Covers, Purpose
from tactful.engine import reports
from tactful.engine.addresses import BadAddress
from tactful.engine.api.fields import (
    MOST,
    Address,
    Asked,
    Body,
    Channel,
    ChannelOrAll,
    Name,
    Reason,
    SenderName,
    WrittenTime,
    bounded,
)
from tactful.engine.api.keys import needs
from tactful.engine.api.problem import Problem
from tactful.engine.api.strict import StrictRoute
from tactful.engine.instants import iso
from tactful.engine.optout import by_hand
from tactful.engine.optout.do_not_contact import Act, Change, Entry
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

MOST_LISTED, MOST_HISTORY = 1_000, 100

_DESTINATION = "An email address, a phone number, or a whole email domain (`@acme.example`), in any spelling."


class Filters(Asked):
    """Which entries, and from where on."""

    destination: Address | None = Field(None, description=_DESTINATION)
    channel: ChannelOrAll | None = Field(None, description="Only entries for this channel, or for `all` of them.")
    sender: SenderName | None = Field(None, description="Only entries for this sender.")
    source: Name | None = Field(None, description="Only entries of exactly this source, such as `complaint`.")
    limit: int = Field(100, ge=1, le=MOST_LISTED, description="How many entries at most.")
    cursor: Annotated[str, bounded(2_000), Field(json_schema_extra={"format": "cursor"})] | None = Field(
        None, description="`next` of the page before."
    )


class ListedEntry(BaseModel):
    """An entry of the list."""

    destination: str
    channel: str = Field(description="A channel, or `all`.")
    sender: str | None = Field(description="The one sender it is for; null: any.")
    covers: Covers = Field(description="`marketing` lets receipts and passwords through.")
    source: str = Field(description="By whom or what: a keyword, a flow and its element, an API key.")
    reason: str | None
    since: WrittenTime


class ListedEntries(BaseModel):
    """A page of the list."""

    entries: list[ListedEntry]
    next: str | None = Field(description="The `cursor` of the next page; null where this is the last one.")


class NewEntry(Body):
    """An entry to be put on the list."""

    destination: Address = Field(description=_DESTINATION, examples=["ana@example.com"])
    channel: ChannelOrAll = Field(ALL_CHANNELS, description="A channel, or `all` that reach this address.")
    sender: SenderName | None = Field(None, description="Only for this sender; without it, for any.")
    covers: Covers = Field("everything", description="`marketing` lets receipts and passwords through.")
    reason: Reason | None = Field(None, description="Why; it is kept.", examples=["asked on the phone"])


class NewEntries(Body):
    """Entries to be put on the list."""

    entries: list[NewEntry] = Field(min_length=1, max_length=MOST)


class PutEntry(BaseModel):
    """An entry that is on the list now."""

    destination: str = Field(description="The address in the one spelling the list has it in.")
    new: bool = Field(description="Whether it was not on the list yet.")


class PutEntries(BaseModel):
    """The entries, in the order asked."""

    entries: list[PutEntry]


class Removal(Asked):
    """What is taken off the list, and why."""

    destination: Address = Field(description=_DESTINATION, examples=["ana@example.com"])
    reason: Reason = Field(description="Why they may be written to again; it is kept.", examples=["signed up again"])
    channel: ChannelOrAll | None = Field(
        None, description="Only the entries for this channel, or for `all`; without it, every one."
    )
    sender: SenderName | None = Field(
        None, description="Only the entries for this sender; without it, those for any sender and for one."
    )


class Removed(BaseModel):
    """What was taken off."""

    destination: str
    removed: int = Field(description="How many entries.")


class Question(Asked):
    """May somebody be written to?"""

    destination: Address = Field(description=_DESTINATION, examples=["ana@example.com"])
    channel: Channel = Field(description="By which channel.")
    sender: SenderName | None = Field(None, description="From which sender; without it, only entries for any count.")
    purpose: Purpose = Field("marketing", description="For what.")


class KeptAct(BaseModel):
    """What was done to the list."""

    at: WrittenTime
    what: Literal["block", "unblock"]
    destination: str
    channel: str
    sender: str | None
    covers: Covers
    source: str
    reason: str | None
    evidence: dict[str, Any]


class Explanation(BaseModel):
    """Whether somebody may be written to, and why."""

    destination: str
    channel: str
    sender: str | None
    purpose: Purpose
    allowed: bool = Field(description="Whether no entry stands against it.")
    because: ListedEntry | None = Field(description="The entry that says no.")
    entries: list[ListedEntry] = Field(description="All entries of this destination, and of its domain.")
    history: list[KeptAct] = Field(description=f"What was done, the newest first, at most {MOST_HISTORY}.")


def do_not_contact_routes(engine: Engine, project: Project, clock: Clock) -> APIRouter:
    """The routes for the Do Not Contact list."""
    router = APIRouter(prefix="/v1/do-not-contact", tags=["do not contact"], route_class=StrictRoute)
    reads, writes = needs("do-not-contact:read"), needs("do-not-contact:write")

    def destination(address: str, channel: str | None, where: str) -> str:
        try:
            return by_hand.destination_for(address, channel or ALL_CHANNELS, project.region)
        except BadAddress as bad:
            raise Problem(422, errors=[(where, str(bad))]) from None

    def known(sender: str | None, where: str) -> str | None:
        if sender is not None and project.senders is not None and sender not in project.senders:
            raise Problem(422, errors=[(where, f"the project has no sender {sender!r}")])
        return sender

    @router.get("", dependencies=reads, operation_id="listed")
    def listed(filters: Annotated[Filters, Query()]) -> ListedEntries:
        """The list, page by page.

        The order is that of the entries' own parts, so that a page that is asked for again has the same place
        whatever came on the list or went off it.
        """
        to = filters.destination and destination(filters.destination, filters.channel, "query.destination")
        after = None if filters.cursor is None else _read_cursor(filters.cursor)
        with engine.store.read() as tx:
            found = reports.do_not_contact(
                tx, destination=to, channel=filters.channel, sender=filters.sender, source=filters.source, after=after,
                limit=filters.limit + 1,
            )  # fmt: skip
        page = found[: filters.limit]
        more = _cursor(page[-1]) if len(found) > len(page) else None
        return ListedEntries(entries=[_entry(each) for each in page], next=more)

    @router.post("", dependencies=writes, operation_id="block")
    def block(body: NewEntries, request: Request) -> PutEntries:
        """Put entries on the list: 1 to 1,000, all of them or, where one is wrong, none.

        When this is answered, nothing goes to these addresses any more, and what waited for them is suppressed.
        """
        source, changes = _source(request), []
        faults: list[tuple[str, str]] = []
        for number, each in enumerate(body.entries):
            at = f"body.entries[{number}]"
            try:
                to = destination(each.destination, each.channel, f"{at}.destination")
                sender = known(each.sender, f"{at}.sender") or ANY_SENDER
            except Problem as problem:
                faults.extend(problem.errors)
                continue
            changes.append(Change(True, Entry(to, each.channel, sender, each.covers), source, each.reason))
        if faults:
            raise Problem(422, "nothing was put on the list", faults)
        made = {id(each) for each in by_hand.carry_out(engine, changes, clock.now())}
        return PutEntries(
            entries=[PutEntry(destination=each.entry.destination, new=id(each) in made) for each in changes]
        )

    @router.delete("", dependencies=writes, operation_id="unblock")
    def unblock(removal: Annotated[Removal, Query()], request: Request) -> Removed:
        """Take an address off the list. It takes a reason, which is kept in the history.

        All of it stands in the query: not every client and proxy passes on the body of a DELETE.
        """
        to = destination(removal.destination, removal.channel, "query.destination")
        gone = by_hand.take_off(
            engine, to, clock.now(), source=_source(request), reason=removal.reason, channel=removal.channel,
            sender=removal.sender,
        )  # fmt: skip
        return Removed(destination=to, removed=gone)

    @router.get("/explain", dependencies=reads, operation_id="explain")
    def explain(question: Annotated[Question, Query()]) -> Explanation:
        """May somebody be written to, and which entry decides?"""
        destination(question.destination, question.channel, "query.destination")
        found = by_hand.explain(
            engine, question.destination, question.channel, sender=question.sender or ANY_SENDER,
            purpose=question.purpose, region=project.region,
        )  # fmt: skip
        entries = [reports.Listed(each, by_hand.reason_of(each, found.history)) for each in found.entries]
        because = next((each for each in entries if each.block == found.block), None)
        return Explanation(
            destination=found.destination,
            channel=found.channel,
            sender=found.sender or None,
            purpose=found.purpose,
            allowed=found.block is None,
            because=None if because is None else _entry(because),
            entries=[_entry(each) for each in entries],
            history=[_act(each) for each in reversed(found.history[-MOST_HISTORY:])],
        )

    return router


def _source(request: Request) -> str:
    return f"API key {request.state.key.name}"


def _entry(listed: reports.Listed) -> ListedEntry:
    return ListedEntry.model_validate(listed.as_json())


def _act(act: Act) -> KeptAct:
    of = act.block
    return KeptAct.model_validate(
        {
            "at": iso(act.at), "what": act.what, "destination": of.destination, "channel": of.channel,
            "sender": of.sender or None, "covers": of.covers, "source": of.source, "reason": act.reason,
            "evidence": dict(act.evidence),
        }
    )  # fmt: skip


def _cursor(last: reports.Listed) -> str:
    block = last.block
    key = json.dumps([block.destination, block.channel, block.sender, block.covers])
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(written: str) -> Entry:
    try:
        key = json.loads(urlsafe_b64decode(written + "=" * (-len(written) % 4)))
        if [type(each) for each in key] != [str] * 4:
            raise ValueError("four texts make a key")
        if b"\0" in "".join(key).encode():
            raise ValueError("no key holds NUL")
    except (ValueError, TypeError, RecursionError):
        raise Problem(422, errors=[("query.cursor", "this is not the `next` of a page")]) from None
    return Entry(*key)
