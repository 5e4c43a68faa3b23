"""May this message go out now? As a table, and as what must hold for all messages there could be."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.contract import Purpose, QuietHours
from tactful.elements.options.duration import Duration
from tactful.engine.gate import recent_sends
from tactful.engine.optout import by_hand
from tactful.engine.rules.permission import (
    NO_POLICY,
    Block,
    Expire,
    Hold,
    Known,
    Limit,
    Policy,
    Request,
    Send,
    Suppress,
    covering,
    free_again,
    permission,
    quiet_until,
)
from tactful.engine.testing import World

UTC_ZONE = ZoneInfo("UTC")
ZONES = tuple(
    ZoneInfo(name)
    for name in (
        "UTC", "Europe/Zagreb", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia",
        "Antarctica/Troll", "America/Santiago", "Asia/Kathmandu", "Pacific/Auckland",
    )
)  # fmt: skip
HOUR = 3_600_000
DAY = 24 * HOUR
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp() * 1000)
ASK = Request("email", "news@acme.example", "ana@example.com", "marketing", None)
NIGHT = QuietHours(21 * 60, 8 * 60)
NewWorld = Callable[..., World]


def block(channel: str = "email", sender: str = "", covers: str = "everything") -> Block:
    return Block("ana@example.com", channel, sender, covers, "a person", 0)  # type: ignore[arg-type]


def limit(messages: int, per: str, when_limited: str = "hold") -> Limit:
    return Limit(messages, Duration.parse(per), when_limited)  # type: ignore[arg-type]


# --- the list


@pytest.mark.parametrize(
    ("entry", "purpose", "stops"),
    [
        (block(), "marketing", True),
        (block(), "transactional", True),
        (block(covers="marketing"), "marketing", True),
        (block(covers="marketing"), "transactional", False),
        (block("all"), "marketing", True),
        (block("all", covers="marketing"), "transactional", False),
        (block("sms"), "marketing", False),
        (block(sender="news@acme.example"), "marketing", True),
        (block(sender="other@acme.example"), "marketing", False),
        (block("all", "news@acme.example"), "transactional", True),
        (block("all", "other@acme.example"), "marketing", False),
    ],
)
def test_which_entries_stop_which_messages(entry: Block, purpose: Purpose, stops: bool) -> None:
    request = ASK._replace(purpose=purpose)
    assert (covering(request, [entry]) is entry) == stops
    verdict = permission(request, Known([entry]), NO_POLICY, None, NOON, UTC_ZONE)
    assert verdict == (Suppress("on the Do Not Contact list (a person)") if stops else Send())


blocks = st.builds(
    Block,
    st.just("ana@example.com"),
    st.sampled_from(["email", "sms", "all"]),
    st.sampled_from(["", "news@acme.example", "other@acme.example"]),
    st.sampled_from(["marketing", "everything"]),
    st.just("a person"),
    st.just(0),
)
requests = st.builds(
    Request,
    st.sampled_from(["email", "sms"]),
    st.sampled_from(["news@acme.example", "other@acme.example"]),
    st.sampled_from([None, "ana@example.com"]),
    st.sampled_from(["marketing", "transactional"]),
    st.one_of(st.none(), st.integers(NOON - 3 * DAY, NOON + 400 * DAY)),
    st.none(),
    st.one_of(st.just(0), st.integers(NOON - 3 * DAY, NOON + 400 * DAY)),
)
instants = st.integers(NOON - 200 * DAY, NOON + 400 * DAY)
quiets = st.one_of(
    st.none(),
    st.tuples(st.integers(0, 1439), st.integers(0, 1439))
    .filter(lambda span: span[0] != span[1])
    .map(lambda span: QuietHours(*span)),
)
limits = st.lists(
    st.builds(
        Limit,
        st.integers(1, 4),
        st.sampled_from([Duration.parse(text) for text in ("1 hour", "1 day", "7 days", "90 minutes", "1 day 1 hour")]),
        st.sampled_from(["hold", "skip"]),
    ),
    max_size=3,
)
zones = st.sampled_from(ZONES)


@given(requests, st.lists(blocks, max_size=4), st.lists(instants, max_size=8), quiets, limits, instants, zones)
def test_what_holds_for_every_message(
    request: Request, entries: list[Block], sent: list[int], quiet: QuietHours | None, allowed: list[Limit], now: int,
    zone: ZoneInfo,
) -> None:  # fmt: skip
    sent_at = sorted(at for at in sent if at <= now)
    verdict = permission(request, Known(entries, sent_at), Policy(allowed), quiet, now, zone)
    covered = covering(request, entries) is not None
    match verdict:
        case Send():
            assert not covered, "what is covered never goes"
            assert request.destination is not None
            assert request.expires_at is None or now < request.expires_at
            assert quiet is None or quiet_until(quiet, now, zone) is None
            if request.purpose == "marketing":
                assert all(free_again(each, sent_at, now, zone) is None for each in allowed)
        case Hold(until):
            assert not covered, "what is covered is not held, to be asked for again and again"
            assert until > now, "or it would be asked for again at once"
            assert request.expires_at is None or until <= request.expires_at
        case Expire():
            assert not covered
            assert request.expires_at is not None
            assert request.expires_at <= now
        case Suppress():
            skipped = request.purpose == "marketing" and any(each.when_limited == "skip" for each in allowed)
            assert covered or request.destination is None or skipped


@given(requests, st.lists(blocks, max_size=4), quiets, limits, instants, zones)
def test_who_is_held_comes_to_an_end(
    request: Request, entries: list[Block], quiet: QuietHours | None, allowed: list[Limit], now: int, zone: ZoneInfo
) -> None:
    """Asked again when it was told to ask, a message goes or is refused after a few times: it parks for ever never."""
    sent, asked = (now - HOUR,), 1
    while isinstance(verdict := permission(request, Known(entries, sent), Policy(allowed), quiet, now, zone), Hold):
        assert asked < 12, f"still held: {verdict}"
        now, asked = verdict.until, asked + 1


# --- quiet hours


def is_quiet(quiet: QuietHours, at: int, zone: ZoneInfo) -> bool:
    """By the wall clock, and nothing else."""
    wall = datetime.fromtimestamp(at / 1000, zone)
    minute = wall.hour * 60 + wall.minute
    if quiet.start < quiet.end:
        return quiet.start <= minute < quiet.end
    return minute >= quiet.start or minute < quiet.end


@given(quiets.filter(lambda quiet: quiet is not None), instants, zones, st.floats(0, 1))
def test_quiet_hours_are_what_the_wall_clock_shows(quiet: QuietHours, now: int, zone: ZoneInfo, part: float) -> None:
    until = quiet_until(quiet, now, zone)
    assert (until is not None) == is_quiet(quiet, now, zone)
    if until is not None:
        assert now < until <= now + 26 * HOUR
        assert is_quiet(quiet, now + int((until - 1 - now) * part), zone), "it is quiet until then"


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        # Clocks go forward in the night of the 29th of March: 02:00 is followed by 03:00.
        (NIGHT, "2026-03-28 23:00+01:00", "2026-03-29 08:00+02:00"),
        (QuietHours(22 * 60, 150), "2026-03-29 01:30+01:00", "2026-03-29 03:00+02:00"),  # 02:30 does not come
        (QuietHours(120, 180), "2026-03-29 01:59+01:00", None),
        (QuietHours(60, 240), "2026-03-29 01:30+01:00", "2026-03-29 04:00+02:00"),
        # And back in the night of the 25th of October: 02:00 to 03:00 comes twice.
        (NIGHT, "2026-10-24 23:00+02:00", "2026-10-25 08:00+01:00"),
        (QuietHours(22 * 60, 150), "2026-10-25 02:10+02:00", "2026-10-25 02:30+02:00"),
        (QuietHours(22 * 60, 150), "2026-10-25 02:40+02:00", None),
        (QuietHours(22 * 60, 150), "2026-10-25 02:10+01:00", "2026-10-25 02:30+01:00"),
        (QuietHours(22 * 60, 180), "2026-10-25 02:10+02:00", "2026-10-25 03:00+01:00"),
        (QuietHours(0, 1439), "2026-10-25 12:00+01:00", "2026-10-25 23:59+01:00"),
    ],
)
def test_quiet_hours_over_a_clock_change(quiet: QuietHours, now: str, until: str | None) -> None:
    found = quiet_until(quiet, moment(now), ZoneInfo("Europe/Zagreb"))
    assert found == (None if until is None else moment(until))


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_quiet_hours_end_to_the_minute() -> None:
    eight = moment("2026-03-03 08:00+00:00")
    assert quiet_until(NIGHT, eight - 1, UTC_ZONE) == eight
    assert quiet_until(NIGHT, eight, UTC_ZONE) is None
    nine = moment("2026-03-03 21:00+00:00")
    assert quiet_until(NIGHT, nine - 1, UTC_ZONE) is None
    assert quiet_until(NIGHT, nine, UTC_ZONE) == nine + 11 * HOUR


# --- what is to be tried again


def test_what_is_to_be_tried_again_waits_for_its_time_and_for_no_refusal() -> None:
    again = ASK._replace(not_before=NOON + HOUR)
    assert permission(again, Known(), NO_POLICY, None, NOON, UTC_ZONE) == Hold(NOON + HOUR, "to be tried again")
    assert permission(again, Known(), NO_POLICY, None, NOON + HOUR, UTC_ZONE) == Send()
    blocks = [Block("ana@example.com", "email", "", "everything", "a person", NOON)]
    assert permission(again, Known(blocks), NO_POLICY, None, NOON, UTC_ZONE) == Suppress(
        "on the Do Not Contact list (a person)"
    )
    soon = again._replace(expires_at=NOON + 1)
    assert permission(soon, Known(), NO_POLICY, None, NOON, UTC_ZONE) == Hold(NOON + 1, "to be tried again")


# --- limits


@pytest.mark.parametrize(
    ("sent_hours_ago", "free_in_hours"),
    [
        ((), None),
        ((1,), None),
        ((1, 2), 22),
        ((24, 1), None),  # exactly a day ago is over
        ((23, 1), 1),
        ((3, 2, 1), 22),  # of three, the second must be over
        ((30, 29, 28), None),
    ],
)
def test_a_limit_lets_through_when_enough_is_over(sent_hours_ago: tuple[int, ...], free_in_hours: int | None) -> None:
    sent = sorted(NOON - hours * HOUR for hours in sent_hours_ago)
    found = free_again(limit(2, "24 hours"), sent, NOON, UTC_ZONE)
    assert found == (None if free_in_hours is None else NOON + free_in_hours * HOUR)


@given(st.integers(1, 4), st.lists(instants, max_size=10), instants, zones)
def test_a_limit_is_never_passed_and_never_holds_longer_than_needed(
    messages: int, sent: list[int], now: int, zone: ZoneInfo
) -> None:
    each = limit(messages, "7 days")
    sent_at = sorted(at for at in sent if at <= now)

    def running(at: int) -> int:
        return sum(each.per.after(one, zone) > at for one in sent_at)

    free = free_again(each, sent_at, now, zone)
    if free is None:
        assert running(now) < messages
    else:
        assert free > now
        assert running(free) < messages <= running(free - 1)


def test_a_limit_holds_or_skips_marketing_and_nothing_else() -> None:
    sent = (NOON - HOUR,)
    held = permission(ASK, Known((), sent), Policy([limit(1, "1 day")]), None, NOON, UTC_ZONE)
    assert held == Hold(NOON + 23 * HOUR, "limit reached: 1 in 1 day")
    skipped = permission(ASK, Known((), sent), Policy([limit(1, "1 day", "skip")]), None, NOON, UTC_ZONE)
    assert skipped == Suppress("limit reached: 1 in 1 day")
    bill = ASK._replace(purpose="transactional")
    assert permission(bill, Known((), sent), Policy([limit(1, "1 day", "skip")]), None, NOON, UTC_ZONE) == Send()


def test_a_day_of_a_limit_is_a_calendar_day() -> None:
    zagreb = ZoneInfo("Europe/Zagreb")
    sent = moment("2026-03-28 09:00+01:00")
    assert free_again(limit(1, "1 day"), [sent], sent + HOUR, zagreb) == moment("2026-03-29 09:00+02:00")


# --- validity


def test_what_expires_while_it_is_held_is_asked_for_at_that_moment() -> None:
    ten = moment("2026-03-02 22:00+00:00")
    request = ASK._replace(expires_at=ten + HOUR)
    assert permission(request, Known(), NO_POLICY, NIGHT, ten, UTC_ZONE) == Hold(ten + HOUR, "quiet hours in UTC")
    assert permission(request, Known(), NO_POLICY, NIGHT, ten + HOUR, UTC_ZONE) == Expire(
        "held longer than it was valid for"
    )
    blocked = permission(request, Known([block()]), NO_POLICY, NIGHT, ten + HOUR, UTC_ZONE)
    assert isinstance(blocked, Suppress), "a block stands above all"


# --- what SQL reads is what `permission` would be told


@pytest.mark.parametrize("seed", range(3))
def test_what_is_read_for_a_contact_is_all_that_permission_asks_about(new_world: NewWorld, seed: int) -> None:
    """The statements only narrow down: with everything there is as input, every verdict is the same."""
    chance = random.Random(seed)
    world = new_world(limits=[limit(2, "7 days"), limit(5, "30 days", "skip")])
    world.publish("""
flow: f
entry: {event: began, again: always}
settings: {sender: {email: a@acme.example, sms: "+38595000111"}}
elements:
  mail: {type: send_email, subject: S, text: T, next: note}
  note: {type: send_sms, text: T}
""")
    people = [world.contact(f"c{n}", email=f"c{n % 7}@example.com", phone=f"+3859112345{n % 5:02}") for n in range(12)]
    for _ in range(25):
        for key in chance.sample(people, 3):
            world.happens("began", key)
        address, channel = chance.choice(
            [(f"C{chance.randrange(7)}@example.com", "email"), (f"+3859112345{chance.randrange(5):02}", "sms")]
        )
        sender = chance.choice(["", "a@acme.example", "+38595000111"])
        if chance.random() < 0.4:
            by_hand.block(world.engine, address, channel, world.clock.now(), sender=sender)
        elif chance.random() < 0.5:
            by_hand.unblock(world.engine, address, channel, world.clock.now(), reason="asked", sender=sender)
        world.advance(chance.choice((HOUR, DAY, 5 * DAY)))

    now = world.clock.now()
    with world.engine.store.read() as tx:
        everything = [
            Block(*row)
            for row in tx.exec_driver_sql("select destination, channel, sender, covers, source, since from block").all()
        ]
        sent = tx.exec_driver_sql(
            "select contact, taken_at from message where purpose = 'marketing' and taken_at is not null"
            " and state in ('sending', 'sent', 'delivered', 'unknown') order by taken_at"
        ).all()
        contacts = tx.exec_driver_sql("select id, email, phone from contact").all()
        assert len(everything) > 3
        assert len(sent) > 10
        for number, email, phone in contacts:
            for channel, sender, address in (("email", "a@acme.example", email), ("sms", "+38595000111", phone)):
                request = Request(channel, sender, address, "marketing", None)
                policy = world.engine.outbox.policy
                blocks = world.engine.do_not_contact.blocks_of(tx, [address]).get(address, ())
                read = Known(blocks, recent_sends(tx, [number], now).get(number, ()))
                narrowed = permission(request, read, policy, NIGHT, now, UTC_ZONE)
                known = Known(
                    [each for each in everything if each.destination == address],
                    [at for contact, at in sent if contact == number],
                )
                whole = permission(request, known, policy, NIGHT, now, UTC_ZONE)
                assert type(narrowed) is type(whole)
                if not isinstance(narrowed, Suppress):
                    assert narrowed == whole
                else:
                    assert isinstance(whole, Suppress)
                    assert narrowed.why.partition("(")[0] == whole.why.partition("(")[0]


def test_a_minute_of_quiet_hours_holds_a_minute() -> None:
    start = datetime.fromtimestamp(NOON / 1000, UTC) + timedelta(minutes=1)
    quiet = QuietHours(start.hour * 60 + start.minute, start.hour * 60 + start.minute + 1)
    assert quiet_until(quiet, NOON + 60_000, UTC_ZONE) == NOON + 120_000
