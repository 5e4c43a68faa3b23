"""May this message go out now? Asked in the transaction that takes it to be sent.

The order of the questions is the order of their weight: a block stands above all, then whether the contact
ever agreed, whether the message is still worth sending and is to be tried already, then limits, then quiet hours, the
flow's own and those of a country. A message that is held says until when and why; the questions are asked again then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from tactful.elements.contract import Covers, Instant, Purpose, QuietHours
from tactful.elements.options.duration import Duration
from tactful.elements.options.wall_time import instant_of
from tactful.engine.rules.countries import CountryRules

ALL_CHANNELS = "all"
ANY_SENDER = ""

LONGEST_LIMIT_DAYS = 400
"""How far back the messages of a contact are counted for limits; longer limits are refused on loading."""

_UTC = ZoneInfo("UTC")


class Block(NamedTuple):
    """An entry of the Do Not Contact list, as the check sees it.

    `channel` is a channel or `all`; `sender` is empty for any sender; `source` and `since` are for
    the sentence that explains a refusal.
    """

    destination: str
    channel: str
    sender: str
    covers: Covers
    source: str
    since: Instant


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `messages` marketing messages to a contact within `per`, over all flows."""

    messages: int
    per: Duration
    when_limited: Literal["hold", "skip"] = "hold"


class Request(NamedTuple):
    """A message that wants to go out. `destination` is the normalised address, None where the contact has none;
    `country` the contact's, as two capital letters, where it is known. `not_before` is when one that was refused for a
    while may be tried again."""

    channel: str
    sender: str
    destination: str | None
    purpose: Purpose
    expires_at: Instant | None
    country: str | None = None
    not_before: Instant = 0


class Known(NamedTuple):
    """What is known of a message's destination and contact when the question is asked.

    `blocks` are the entries for the destination; `sent_at` the moments of the contact's recent marketing messages,
    oldest first. `review_until` is set while an answer from there waits for a person to say whether it opts out.
    `agreed`: a consent to be written to there, on this channel, is on record.
    """

    blocks: Sequence[Block] = ()
    sent_at: Sequence[Instant] = ()
    review_until: Instant | None = None
    agreed: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What a project asks of all its messages, whatever flow they are of.

    `require_consent` names the channels on which nobody gets marketing who is not on record for having agreed;
    `countries` are the rules it enabled.
    """

    limits: Sequence[Limit] = ()
    require_consent: frozenset[str] = frozenset()
    countries: Sequence[CountryRules] = ()


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Send:
    """It may go out."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not before `until`; ask again then."""

    until: Instant
    why: str


@dataclass(frozen=True, slots=True)
class Suppress:
    """Never: the journey leaves by `suppressed`."""

    why: str


@dataclass(frozen=True, slots=True)
class Expire:
    """Too late to be worth sending: the journey leaves by `failed`."""

    why: str


Verdict = Send | Hold | Suppress | Expire
SEND = Send()


def permission(
    request: Request, known: Known, policy: Policy, quiet: QuietHours | None, now: Instant, zone: ZoneInfo | None
) -> Verdict:
    """The verdict on one message. `quiet` are the flow's hours; `zone` is where the contact is, None where nobody
    knows: then a flow's own hours are taken as UTC's, and a country's rules let nothing pass."""
    if request.destination is None:
        return Suppress(f"the contact has no address for {request.channel}")
    block = covering(request, known.blocks)
    if block is not None:
        return Suppress(f"on the Do Not Contact list ({block.source})")
    marketing = request.purpose == "marketing"
    if marketing and request.channel in policy.require_consent and not known.agreed:
        return Suppress(f"no consent to {request.channel} is on record")
    if request.expires_at is not None and now >= request.expires_at:
        return Expire("held longer than it was valid for")
    if now < request.not_before:
        return _hold(request.not_before, "to be tried again", request)
    if known.review_until is not None:
        return _hold(max(known.review_until, now + 1), "an answer from there waits to be read", request)
    if marketing:
        for limit in policy.limits:
            free_at = free_again(limit, known.sent_at, now, zone or _UTC)
            if free_at is not None:
                if limit.when_limited == "skip":
                    return Suppress(f"limit reached: {limit.messages} in {limit.per}")
                return _hold(free_at, f"limit reached: {limit.messages} in {limit.per}", request)
        for rules in policy.countries:
            if rules.hold_for(request.channel, request.destination, request.country):
                if zone is None:
                    return Suppress(f"the contact's time zone is unknown, and the rules of {rules.title} go by it")
                ends_at = quiet_until(rules.quiet, now, zone)
                if ends_at is not None:
                    return _hold(ends_at, f"quiet hours of {rules.title} in {zone.key}", request)
    if quiet is not None:
        ends_at = quiet_until(quiet, now, zone or _UTC)
        if ends_at is not None:
            return _hold(ends_at, f"quiet hours in {(zone or _UTC).key}", request)
    return SEND


def covering(request: Request, blocks: Sequence[Block]) -> Block | None:
    """The first block that stops this message. One that covers marketing lets a transactional message pass."""
    for block in blocks:
        if (
            block.channel in (request.channel, ALL_CHANNELS)
            and block.sender in (request.sender, ANY_SENDER)
            and (block.covers == "everything" or request.purpose == "marketing")
        ):
            return block
    return None


def free_again(limit: Limit, sent_at: Sequence[Instant], now: Instant, zone: ZoneInfo) -> Instant | None:
    """When the limit lets another message through; None where it does now."""
    running = [free for at in sent_at if (free := limit.per.after(at, zone)) > now]
    if len(running) < limit.messages:
        return None
    running.sort()
    return running[-limit.messages]


def quiet_until(quiet: QuietHours, now: Instant, zone: ZoneInfo) -> Instant | None:
    """When the quiet hours that run at `now` end; None where none run.

    Read off the clock on the contact's wall: an hour that a clock change leaves out ends with the
    change, one that comes twice is quiet both times.
    """
    local = datetime.fromtimestamp(now / 1000, zone)
    minute = local.hour * 60 + local.minute
    if quiet.start < quiet.end:
        if not quiet.start <= minute < quiet.end:
            return None
        days = 0
    else:
        if quiet.end <= minute < quiet.start:
            return None
        days = 1 if minute >= quiet.start else 0
    end = datetime.combine(local.date() + timedelta(days=days), time(*divmod(quiet.end, 60)))
    ends_at = instant_of(end, zone)
    if ends_at <= now:  # the wall clock went back over the end: the second time round counts
        ends_at = int(end.replace(tzinfo=zone, fold=1).timestamp()) * 1000
    return ends_at


def _hold(until: Instant, why: str, request: Request) -> Verdict:
    if request.expires_at is not None and until >= request.expires_at:
        return Hold(request.expires_at, why)
    return Hold(until, why)
