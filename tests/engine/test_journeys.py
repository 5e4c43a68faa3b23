"""What flows mean, on the real engine in virtual time: waits, events, entries, stops, goals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tactful.engine.clock import SetClock
from tactful.engine.optout import do_not_contact
from tactful.engine.testing import World

HOUR = 3_600_000
DAY = 24 * HOUR

WIN_BACK = """
flow: win-back
entry: {event: basket_abandoned, where: event.value >= 20, again: after 30 days}
stop_when:
  - {event: purchased, where: event.value > 0, goal: true}
  - {when: contact.tier == "closed"}
settings:
  sender: {email: news@acme.example}
elements:
  offer: {type: send_email, subject: Offer, text: "Hello {{ contact.first_name | default: 'friend' }}", next: opened}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 48 hours
    next: {happened: thanks, timed_out: unopened}
  thanks: {type: send_email, subject: Thanks, text: Thank you}
  unopened: {type: add_to_do_not_contact, channel: email}
"""

OWN_EVENTS = """
flow: steps
entry: {event: began, again: always}
elements:
  first: {type: wait_for_event, event: ping, within: 10 hours, next: {happened: second, timed_out: late}}
  second: {type: wait_for_event, event: ping, within: 10 hours, next: {happened: end, timed_out: late}}
  late: {type: goal, name: late}
"""


def at(text: str, zone: str = "UTC") -> int:
    """An instant from a wall clock."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp() * 1000)


def clock(world: World) -> SetClock:
    """The world's clock, moved without anything following from it yet."""
    assert isinstance(world.clock, SetClock)
    return world.clock


def blocks(world: World) -> list[tuple[str, str, str]]:
    with world.engine.store.read() as tx:
        return [(b.destination, b.channel, b.covers) for b, _ in do_not_contact.listed(tx)]


def state(world: World, contact: str = "ana@example.com") -> tuple[str, str | None]:
    journey = world.journeys(contact)[-1]
    return journey.state, journey.element


# --- waits of messages


def test_not_opened_in_48_hours_so_never_again(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com", first_name="Ana")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    assert [sent.parts["text"] for sent in world.sent()] == ["Hello Ana"]
    world.advance("47 hours 59 minutes")
    assert state(world) == ("active", "opened")
    world.advance("1 minute")
    assert state(world) == ("done", None)
    assert world.path(1) == [("offer", "sent"), ("opened", "timed_out"), ("unopened", "done")]
    assert blocks(world) == [("ana@example.com", "email", "marketing")]


def test_the_clock_starts_when_the_message_was_really_sent(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.refuse_next("try later", final=False)
    world.happens("basket_abandoned", "ana@example.com", value=35)
    assert state(world) == ("active", "offer")
    world.advance("1 minute")  # the second attempt
    assert len(world.sent()) == 1
    world.advance(48 * HOUR - 1)
    assert state(world) == ("active", "opened")
    world.advance(1)
    assert state(world)[0] == "done"


def test_an_event_before_its_wait_counts(world: World) -> None:
    slow = WIN_BACK.replace("next: opened}", "next: later}").replace(
        "  opened:\n", "  later: {type: pause, for: 2 hours, next: opened}\n  opened:\n", 1
    )
    world.publish(slow)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    key = world.sent()[0].key
    world.happens("opened", message=key)
    assert state(world) == ("active", "later")
    world.advance("2 hours")
    assert world.path(1)[:3] == [("offer", "sent"), ("later", "done"), ("opened", "happened")]


def test_an_open_of_another_message_is_not_this_one(world: World) -> None:
    world.publish(WIN_BACK)
    for name in ("ana@example.com", "bo@example.com"):
        world.contact(name)
        world.happens("basket_abandoned", name, value=35)
    world.happens("opened", message=world.sent("bo@example.com")[0].key)
    assert state(world) == ("active", "opened")
    assert state(world, "bo@example.com")[0] == "done"


def test_an_event_told_twice_counts_once(world: World) -> None:
    world.publish(OWN_EVENTS)
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    assert world.happens("ping", "ana@example.com", key="p1").state == "learnt"
    assert world.happens("ping", "ana@example.com", key="p1").state == "known"
    assert state(world) == ("active", "second"), "one event satisfies one wait once"
    world.happens("ping", "ana@example.com", key="p2")
    assert state(world)[0] == "done"


def test_the_same_event_of_a_message_satisfies_one_wait_once(world: World) -> None:
    twice = WIN_BACK.replace(
        "  thanks: {type: send_email, subject: Thanks, text: Thank you}",
        "  thanks: {type: wait_for_event, event: opened, message: offer, within: 72 hours,"
        " next: {happened: end, timed_out: end}}",
    )
    world.publish(twice)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    key = world.sent()[0].key
    world.happens("opened", message=key)
    assert state(world) == ("active", "thanks")
    world.happens("opened", message=key)
    assert world.path(1)[-1] == ("thanks", "happened")


def test_events_out_of_order_each_find_their_wait(world: World) -> None:
    clicked = WIN_BACK.replace(
        "  thanks: {type: send_email, subject: Thanks, text: Thank you}",
        "  thanks: {type: wait_for_event, event: clicked, message: offer, within: 72 hours,"
        " next: {happened: end, timed_out: end}}",
    )
    world.publish(clicked)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    key = world.sent()[0].key
    world.happens("clicked", message=key)  # the click is learnt before the open
    world.happens("opened", message=key)
    assert world.path(1) == [("offer", "sent"), ("opened", "happened"), ("thanks", "happened")]


def test_unknown_contacts_and_messages_are_refused_with_the_reason(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.contact("bo@example.com")
    assert world.happens("basket_abandoned", "nobody").why == "there is no contact 'nobody'"
    world.happens("basket_abandoned", "ana@example.com", value=35)
    key = world.sent()[0].key
    assert world.happens("opened", message=key._replace(step=9)).why == "there is no message 1.9"
    assert world.happens("opened", "bo@example.com", key).state == "refused"
    assert state(world) == ("active", "opened")


# --- own events


def test_own_events_count_since_the_last_wait_was_left(world: World) -> None:
    world.publish(OWN_EVENTS)
    world.contact("ana@example.com")
    world.happens("ping", "ana@example.com")  # before the journey: none of its business
    world.happens("began", "ana@example.com")
    assert state(world) == ("active", "first")
    world.happens("ping", "ana@example.com")
    assert state(world) == ("active", "second")
    world.advance("10 hours")
    assert world.path(1) == [("first", "happened"), ("second", "timed_out"), ("late", "done")]


def test_an_own_event_while_a_message_is_on_its_way_counts(world: World) -> None:
    world.publish("""
flow: f
entry: {event: began}
settings: {sender: {email: news@acme.example}}
elements:
  note: {type: send_email, subject: Note, text: Hello, next: bought}
  bought: {type: wait_for_event, event: bought, within: 3 days, next: {happened: end, timed_out: end}}
""")
    world.contact("ana@example.com")
    world.refuse_next("later", final=False)
    world.happens("began", "ana@example.com")
    world.happens("bought", "ana@example.com")
    world.advance("1 minute")
    assert world.path(1) == [("note", "sent"), ("bought", "happened")]


def test_an_own_event_goes_to_all_journeys_of_the_contact(world: World) -> None:
    world.publish(OWN_EVENTS)
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    world.happens("began", "ana@example.com")
    world.happens("ping", "ana@example.com")
    assert [journey.element for journey in world.journeys()] == ["second", "second"]


def test_a_timeout_that_was_due_first_fires_first(world: World) -> None:
    """Down for a week, then told of an event of yesterday: the wait had ended days before it."""
    world.publish(OWN_EVENTS)
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    clock(world).advance(7 * DAY)
    world.happens("ping", "ana@example.com", at=world.clock.now() - DAY)
    assert world.path(1) == [("first", "timed_out"), ("late", "done")]


def test_an_event_of_before_the_timeout_beats_the_late_timer(world: World) -> None:
    world.publish(OWN_EVENTS)
    world.contact("ana@example.com")
    began = world.clock.now()
    world.happens("began", "ana@example.com")
    clock(world).advance(7 * DAY)
    world.happens("ping", "ana@example.com", at=began + HOUR)
    assert world.path(1)[0] == ("first", "happened")


# --- entry


def test_who_may_enter_and_again_when(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=19.99)
    assert world.journeys() == []
    world.happens("basket_abandoned", "ana@example.com", value=20)
    world.happens("basket_abandoned", "ana@example.com", value=20)
    assert len(world.journeys()) == 1
    world.advance("30 days")
    world.happens("basket_abandoned", "ana@example.com", value=20)
    assert [journey.entry_number for journey in world.journeys()] == [1, 2]


def test_entry_by_segment_is_when_it_starts_to_hold(world: World) -> None:
    world.contact("old@example.com", orders=9)
    world.publish("""
flow: vip
entry: {segment: contact.orders >= 5, again: always}
elements:
  mark: {type: update_contact, set: {tier: vip}}
""")
    assert world.journeys() == [], "who was in it already is noted, not entered"
    world.contact("ana@example.com", orders=4)
    assert world.journeys() == []
    world.contact("ana@example.com", orders=5)
    world.contact("ana@example.com", orders=6)
    assert len(world.journeys()) == 1
    world.contact("ana@example.com", orders=1)
    world.contact("ana@example.com", orders=5)
    assert len(world.journeys()) == 2
    world.contact("old@example.com", orders=10)
    assert len(world.journeys()) == 2


def test_a_segment_that_time_brings_about(new_world: Callable[..., World]) -> None:
    world = new_world(at("2026-03-02T09:30"))
    world.publish("""
flow: quiet
entry: {segment: days_since(contact.last_seen) >= 3}
elements: {mark: {type: goal, name: quiet}}
""")
    world.contact("ana@example.com", last_seen="2026-03-01")
    world.until(at("2026-03-03T23:59"))
    assert world.journeys() == []
    world.until(at("2026-03-04T01:00"))
    assert len(world.journeys()) == 1


def test_entry_by_schedule(new_world: Callable[..., World]) -> None:
    world = new_world(at("2026-03-27T12:00"))
    world.contact("ana@example.com", country="HR")
    world.contact("bo@example.com", country="DE")
    world.publish("""
flow: weekly
entry: {schedule: "30 2 * * *", audience: contact.country == "HR", again: always}
settings: {time_zone: Europe/Zagreb}
elements: {mark: {type: goal, name: seen}}
""")
    world.until(at("2026-03-31T12:00"))
    entered = [journey.entered_at for journey in world.journeys()]
    # On the 29th the clock goes from 02:00 to 03:00: the time that is left out comes right after.
    assert entered == [
        at("2026-03-28T02:30", "Europe/Zagreb"), at("2026-03-29T03:00", "Europe/Zagreb"),
        at("2026-03-30T02:30", "Europe/Zagreb"), at("2026-03-31T02:30", "Europe/Zagreb"),
    ]  # fmt: skip
    assert {journey.contact for journey in world.journeys()} == {1}


def test_a_schedule_missed_for_a_week_is_made_up_for_once(new_world: Callable[..., World]) -> None:
    world = new_world(at("2026-03-02T12:00"))
    world.contact("ana@example.com")
    world.publish("""
flow: daily
entry: {schedule: "0 8 * * *", again: always}
elements: {mark: {type: goal, name: seen}}
""")
    clock(world).advance(7 * DAY)
    world.settle()
    assert len(world.journeys()) == 1


# --- stops and goals


def test_stop_rules_act_the_moment_the_event_commits(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.happens("purchased", "ana@example.com", value=0)
    assert state(world) == ("active", "opened")
    world.happens("purchased", "ana@example.com", value=5)
    assert state(world) == ("stopped", None)
    assert world.path(1)[-1] == ("opened", "(stopped)")
    world.advance("3 days")
    assert blocks(world) == []


def test_a_stop_withdraws_the_message_that_waits(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.refuse_next("later", final=False)
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.happens("purchased", "ana@example.com", value=5)
    world.advance("1 day")
    assert world.sent() == []
    assert list(world.messages().values()) == ["withdrawn"]


def test_stop_by_a_condition_on_the_contact(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.contact("ana@example.com", tier="closed")
    assert state(world) == ("stopped", None)


def test_stop_rules_follow_the_live_file_and_elements_the_version_begun(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    edited = WIN_BACK.replace("event: purchased, where: event.value > 0", "event: left").replace(
        "within: 48 hours", "within: 1 hours"
    )
    world.publish(edited)
    world.advance("2 hours")
    assert state(world) == ("active", "opened"), "live journeys keep the version they began"
    world.happens("purchased", "ana@example.com", value=9)
    assert state(world) == ("active", "opened")
    world.happens("left", "ana@example.com")
    assert state(world) == ("stopped", None)


# --- permission: the list, quiet hours, limits


def test_after_a_block_commits_nothing_more_is_sent(world: World) -> None:
    from tactful.engine.optout import by_hand

    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    by_hand.block(world.engine, "Ana@Example.com", "email", world.clock.now(), reason="asked on the phone")
    world.happens("opened", message=world.sent()[0].key)
    assert len(world.sent()) == 1
    assert world.path(1)[-1] == ("thanks", "suppressed")
    assert state(world)[0] == "done"


@pytest.mark.parametrize("covers", ["marketing", "everything"])
def test_transactional_passes_only_a_block_of_marketing(new_world: Callable[..., World], covers: str) -> None:
    from tactful.engine.optout import by_hand

    world = new_world(transactional=frozenset({"reset"}))
    flow = """
flow: {id}
settings: {{sender: {{email: news@acme.example}}, purpose: transactional}}
elements: {{mail: {{type: send_email, subject: S, text: T}}}}
"""
    world.publish(flow.format(id="reset"))
    world.publish(flow.format(id="sneaky"))  # claims it, but the project does not allow it
    world.contact("ana@example.com")
    by_hand.block(world.engine, "ana@example.com", "email", world.clock.now(), covers=covers)  # type: ignore[arg-type]
    world.enter("reset", "ana@example.com")
    world.enter("sneaky", "ana@example.com")
    assert len(world.sent()) == (1 if covers == "marketing" else 0)


def test_quiet_hours_hold_in_the_contacts_own_zone(new_world: Callable[..., World]) -> None:
    world = new_world(at("2026-03-02T21:30"))
    world.publish("""
flow: f
settings: {sender: {email: a@acme.example}, quiet_hours: {from: "21:00", until: "08:00"}, time_zone: Europe/Zagreb}
elements: {mail: {type: send_email, subject: S, text: T}}
""")
    zones = {"zagreb": None, "new-york": "America/New_York", "auckland": "Pacific/Auckland"}
    for name, zone in zones.items():
        world.contact(name, email=f"{name}@example.com", time_zone=zone)
    world.enter("f", *zones)
    # Zagreb 22:30, New York 16:30, Auckland 10:30
    assert sorted(sent.contact for sent in world.sent()) == ["auckland", "new-york"]
    assert world.messages()[world.journeys("zagreb")[0].id, 1] == "held"  # type: ignore[index]
    world.advance("2 days")
    assert [sent.at for sent in world.sent("zagreb")] == [at("2026-03-03T08:00", "Europe/Zagreb")]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("2026-03-28T23:00", "2026-03-29T08:00"),  # clocks go forward in the night
        ("2026-10-24T23:00", "2026-10-25T08:00"),  # and back
    ],
)
def test_quiet_hours_over_a_clock_change(new_world: Callable[..., World], asked: str, sent: str) -> None:
    world = new_world(at(asked, "Europe/Zagreb"))
    world.publish("""
flow: f
settings: {sender: {email: a@acme.example}, quiet_hours: {from: "21:00", until: "08:00"}}
elements: {mail: {type: send_email, subject: S, text: T}}
""")
    world.contact("ana@example.com", time_zone="Europe/Zagreb")
    world.enter("f", "ana@example.com")
    world.advance("1 day")
    assert [each.at for each in world.sent()] == [at(sent, "Europe/Zagreb")]


def test_a_message_held_longer_than_it_is_valid_leaves_by_failed(new_world: Callable[..., World]) -> None:
    world = new_world(at("2026-03-02T22:00"))
    world.publish("""
flow: f
settings: {sender: {email: a@acme.example}, quiet_hours: {from: "21:00", until: "08:00"}}
elements: {mail: {type: send_email, subject: S, text: T, valid_for: 2 hours}}
""")
    world.contact("ana@example.com")
    world.enter("f", "ana@example.com")
    world.advance("1 day")
    assert world.sent() == []
    assert world.path(1) == [("mail", "failed")]


# --- a flow's life


def test_a_paused_flow_stands_still_and_goes_on(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.contact("bo@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.engine.lifecycle.pause("win-back", world.clock.now())
    world.happens("basket_abandoned", "bo@example.com", value=35)
    assert world.journeys("bo@example.com") == []
    world.advance("3 days")
    assert state(world) == ("active", "opened"), "no timer fires"
    world.happens("opened", message=world.sent()[0].key)
    assert state(world) == ("active", "opened"), "no event moves it"
    world.engine.lifecycle.resume("win-back", world.clock.now())
    world.settle()
    assert world.path(1)[1] == ("opened", "happened"), "but none is lost"


def test_a_stop_rule_acts_on_a_paused_flow(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.engine.lifecycle.pause("win-back", world.clock.now())
    world.happens("purchased", "ana@example.com", value=5)
    assert state(world) == ("stopped", None)
    world.engine.lifecycle.resume("win-back", world.clock.now())
    world.advance("3 days")
    assert state(world) == ("stopped", None)


def test_messages_of_a_paused_flow_are_held_until_it_goes_on(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.refuse_next("later", final=False)
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.engine.lifecycle.pause("win-back", world.clock.now())
    world.advance("1 day")
    assert world.sent() == []
    world.engine.lifecycle.resume("win-back", world.clock.now())
    world.settle()
    assert len(world.sent()) == 1


def test_stopped_flows_let_finish_or_take_out(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.engine.lifecycle.stop("win-back", world.clock.now())
    world.contact("bo@example.com")
    world.happens("basket_abandoned", "bo@example.com", value=35)
    assert world.journeys("bo@example.com") == []
    world.advance("2 days")
    assert state(world)[0] == "done"
    assert world.engine.host.flows.state["win-back"] == "stopped"

    world.publish(WIN_BACK)
    world.happens("basket_abandoned", "bo@example.com", value=35)
    world.engine.lifecycle.stop("win-back", world.clock.now())
    while world.engine.lifecycle.take_all_out("win-back", world.clock.now()):
        pass
    assert state(world, "bo@example.com") == ("removed", None)


def test_halt_stops_all_sending_and_goes_on(world: World) -> None:
    from tactful.engine import switches

    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    with world.engine.store.write() as tx:
        switches.halt(tx, world.clock.now(), "wrong prices")
    with world.engine.host.transaction() as tx:
        assert switches.halted_since(tx) == (world.clock.now(), "wrong prices")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    assert world.sent() == []
    with world.engine.store.write() as tx:
        assert switches.resume_sending(tx)
    world.settle()
    assert len(world.sent()) == 1


# --- time


def test_a_timer_due_while_everything_was_down_for_a_week(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    clock(world).advance(9 * DAY)
    world.settle()
    assert world.path(1)[1] == ("opened", "timed_out")


def test_a_clock_set_back_two_hours_repeats_and_loses_nothing(world: World) -> None:
    world.publish(WIN_BACK)
    world.contact("ana@example.com")
    world.happens("basket_abandoned", "ana@example.com", value=35)
    world.advance("47 hours")
    clock(world).set(world.clock.now() - 2 * HOUR)
    world.settle()
    assert len(world.sent()) == 1
    assert state(world) == ("active", "opened")
    world.contact("bo@example.com")
    world.happens("basket_abandoned", "bo@example.com", value=35)
    world.advance("3 hours")
    assert world.path(1)[1] == ("opened", "timed_out")
    assert len(world.sent()) == 2
    clock(world).set(world.clock.now() - 2 * HOUR)
    world.advance("1 day")
    assert world.path(1) == [("offer", "sent"), ("opened", "timed_out"), ("unopened", "done")]


def test_days_keep_the_wall_time_over_a_clock_change(new_world: Callable[..., World]) -> None:
    world = new_world(at("2026-03-28T09:00", "Europe/Zagreb"))
    world.publish("flow: f\nelements: {wait: {type: pause, for: 1 day}, }\n")
    world.contact("ana@example.com", time_zone="Europe/Zagreb")
    world.contact("utc@example.com")
    world.enter("f", "ana@example.com", "utc@example.com")
    due = [journey.due_at for journey in world.journeys()]
    assert due == [at("2026-03-29T09:00", "Europe/Zagreb"), at("2026-03-28T09:00", "Europe/Zagreb") + DAY]
