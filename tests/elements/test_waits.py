"""Sends and waits: when they begin, what ends them, and by which exit."""

import pytest
from pydantic import ValidationError

from tactful.elements.contract import CONTACT_CHANGED, Await, Event, Leave, SendMessage, SetValues, Stay
from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Duration
from tactful.elements.pause import Pause
from tactful.elements.send_email import SendEmail
from tactful.elements.send_sms import SendSms
from tactful.elements.wait_for_change import WaitForChange
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply


def event(name, **data):
    return Event(name, 0, data)


# --- Sends ---------------------------------------------------------------------------------------------


def test_a_send_puts_a_message_in_the_outbox_and_waits_for_what_becomes_of_it(visit):
    offer = SendEmail.model_validate(
        {"subject": "Hi", "text": "There", "sender": "news@acme.example", "valid_for": "2 days"}
    )
    here = visit()
    message = SendMessage("email", "news@acme.example", None, Duration.parse("2 days"))
    assert offer.enter(here) == Stay(effects=(message,))
    assert offer.awaits(here) == (Await("sent", 9), Await("failed", 9), Await("suppressed", 9))
    assert offer.resume(here, event("failed")) == Leave("failed")


def test_an_email_has_a_subject_and_a_body():
    both = SendEmail.model_validate({"subject": "Hi", "html": "<p>", "text": "There"})
    assert list(both.parts()) == ["subject", "html", "text"]
    assert list(SendEmail.model_validate({"subject": "Hi", "html": "<p>"}).parts()) == ["subject", "html"]
    with pytest.raises(ValidationError, match="an email needs `html` or `text`"):
        SendEmail.model_validate({"subject": "Hi"})
    with pytest.raises(ValidationError, match="subject"):
        SendEmail.model_validate({"html": "<p>"})


def test_a_summary_quotes_the_text():
    assert SendSms.model_validate({"text": "Hi {{ contact.first_name }}!"}).summary() == "“Hi …!”"


# --- wait_for_event ------------------------------------------------------------------------------------


def opened(**options):
    return WaitForEvent.model_validate({"event": "opened", "message": "offer", "within": "48 hours", **options})


def test_the_clock_starts_when_the_message_was_sent(visit, at):
    here = visit("2026-03-02 10:00", messages={"offer": (3, "2026-03-01 20:00")})
    assert opened().enter(here) == Stay(until=at("2026-03-03 20:00"))
    assert opened().awaits(here) == (Await("opened", 3),)


def test_a_deadline_a_pause_ate_up_is_still_stayed_for(visit, at):
    here = visit("2026-03-09 10:00", messages={"offer": (3, "2026-03-01 20:00")})
    assert opened().enter(here) == Stay(until=at("2026-03-03 20:00"))


def test_of_several_messages_the_last_one_sent_is_meant(visit, at):
    sent = {"offer": (3, "2026-03-01 20:00"), "offer_b": (5, "2026-03-02 08:00"), "third": (6, None)}
    wait = opened(message=["offer", "offer_b", "third"])
    here = visit("2026-03-02 10:00", messages=sent)
    assert wait.enter(here) == Stay(until=at("2026-03-04 08:00"))
    assert wait.awaits(here) == (Await("opened", 5),)


@pytest.mark.parametrize("messages", [{}, {"offer": (3, None)}, {"other": (3, "2026-03-01 20:00")}])
def test_where_no_message_was_sent_it_leaves_at_once(visit, messages):
    assert opened().enter(visit(messages=messages)) == Leave("not_sent")
    assert opened().awaits(visit(messages=messages)) == ()


def test_own_events_count_from_here(visit, at):
    wait = WaitForEvent.model_validate({"event": "purchased", "where": "event.value > 5", "within": "1 day"})
    here = visit("2026-03-28 09:00")
    assert wait.enter(here) == Stay(until=at("2026-03-29 09:00"))  # 23 hours: the clocks change
    assert wait.awaits(here) == (Await("purchased", None, Condition.parse("event.value > 5")),)
    assert wait.ways_out() == ("happened", "timed_out")
    assert opened().ways_out() == ("happened", "timed_out", "not_sent")


def test_a_wait_ends_by_the_event_or_by_the_time(visit):
    here = visit(messages={"offer": (3, "2026-03-01 20:00")})
    assert opened().resume(here, event("opened")) == Leave("happened")
    assert opened().time_up(here) == Leave("timed_out")


def test_no_limit_is_said_in_a_word(visit):
    here = visit(messages={"offer": (3, "2026-03-01 20:00")})
    assert opened(within="forever").enter(here) == Stay(until=None)
    assert opened(within="forever").summary() == "opened, without limit"
    assert opened().summary() == "opened, up to 48 hours"
    with pytest.raises(ValidationError, match="within"):
        WaitForEvent.model_validate({"event": "purchased"})


@pytest.mark.parametrize("name", ["sent", "failed", "suppressed", CONTACT_CHANGED, ""])
def test_what_is_no_event(name):
    with pytest.raises(ValidationError):
        WaitForEvent.model_validate({"event": name, "within": "1 day"})


# --- wait_for_reply ------------------------------------------------------------------------------------


def answer(**options):
    paths = {"agree": ["yes", "ok"], "later": 'contains(event.text, "later")', "rich": "entry.value > 100"}
    return WaitForReply.model_validate({"within": "2 days", "paths": paths, **options})


@pytest.mark.parametrize(
    ("text", "value", "exit"),
    [
        ("Yes, please! 👍", 0, "agree"),
        ("OK", 500, "agree"),  # the first from the top
        ("maybe later", 0, "later"),
        ("no", 500, "rich"),
        ("no", 0, "otherwise"),
        ("yes but no", 0, "otherwise"),
        ("", 0, "otherwise"),
    ],
)
def test_the_first_path_that_fits_is_taken_and_the_text_is_kept(visit, text, value, exit):
    left = answer().resume(visit(entry={"value": value}), event("replied", text=text))
    assert left == Leave(exit, (SetValues({"reply": text}),))


@pytest.mark.parametrize("data", [{}, {"text": None}, {"text": 5}])
def test_a_reply_without_text_is_an_answer_too(visit, data):
    assert answer().resume(visit(), event("replied", **data)) == Leave("otherwise", (SetValues({"reply": ""}),))


def test_a_reply_to_a_message_or_any(visit, at):
    here = visit("2026-03-02 10:00", messages={"offer": (3, "2026-03-01 20:00")})
    assert answer().awaits(here) == (Await("replied"),)
    assert answer().enter(here) == Stay(until=at("2026-03-04 10:00"))
    assert answer(message="offer").awaits(here) == (Await("replied", 3),)
    assert answer(message="offer").enter(here) == Stay(until=at("2026-03-03 20:00"))
    assert answer(message="offer").enter(visit()) == Leave("not_sent")
    assert answer(within="forever").enter(here) == Stay()
    assert answer().time_up(here) == Leave("timed_out")


def test_exits_of_a_wait_for_a_reply():
    assert answer().ways_out() == ("agree", "later", "rich", "otherwise", "timed_out")
    assert answer(message="offer").ways_out()[-1] == "not_sent"


def test_a_word_stands_in_one_path_only():
    with pytest.raises(ValidationError, match="the word `Yes!` stands in both `agree` and `fine`"):
        answer(paths={"agree": ["yes"], "fine": ["Yes!"]})
    assert answer(paths={"agree": ["yes", "YES"]})


@pytest.mark.parametrize("paths", [{}, {"timed_out": ["x"]}, {"otherwise": ["x"]}, {"a": []}, {"a": "yes"}])
def test_paths_that_are_none(paths):
    with pytest.raises(ValidationError):
        answer(paths=paths)


# --- wait_for_change -----------------------------------------------------------------------------------


def change(when='contact.tier == "gold"', within="30 days"):
    return WaitForChange.model_validate({"when": when, "within": within})


def test_what_holds_already_is_not_waited_for(visit):
    assert change().enter(visit(attributes={"tier": "gold"})) == Leave("happened")


def test_a_change_of_the_contact_ends_it(visit, at):
    here = visit("2026-03-02 10:00")
    assert change().enter(here) == Stay(until=at("2026-04-01 10:00"))
    assert change().awaits(here) == (Await(CONTACT_CHANGED, None, Condition.parse('contact.tier == "gold"')),)
    assert change().resume(visit(attributes={"tier": "gold"}), event(CONTACT_CHANGED)) == Leave("happened")
    assert change(within="forever").enter(here) == Stay()


def test_the_time_runs_from_the_arrival(visit, at):
    late = visit("2026-04-01 10:00", arrived_at="2026-03-02 10:00")
    assert change().time_up(late) == Leave("timed_out")


def test_a_condition_on_the_date_is_asked_again_every_day(visit, at):
    wait = change("days_since(contact.last_order) >= 3", "5 days")
    ana = {"last_order": "2026-03-01"}
    first = visit("2026-03-02 10:00", attributes=ana)
    assert wait.enter(first) == Stay(until=at("2026-03-03 00:00"))
    second = visit("2026-03-03 00:00", arrived_at="2026-03-02 10:00", attributes=ana)
    assert wait.time_up(second) == Stay(until=at("2026-03-04 00:00"))
    third = visit("2026-03-04 00:00", arrived_at="2026-03-02 10:00", attributes=ana)
    assert wait.time_up(third) == Leave("happened")
    last = visit("2026-03-07 00:00", arrived_at="2026-03-02 10:00")
    assert wait.time_up(last) == Stay(until=at("2026-03-07 10:00"))
    over = visit("2026-03-07 10:00", arrived_at="2026-03-02 10:00")
    assert wait.time_up(over) == Leave("timed_out")


def test_event_means_the_entry_there(visit):
    wait = change("contact.points > event.value", "30 days")
    assert wait.awaits(visit()) == (Await(CONTACT_CHANGED),)
    enough = visit(attributes={"points": 9}, entry={"value": 5})
    assert wait.resume(enough, event(CONTACT_CHANGED)) == Leave("happened")
    assert isinstance(wait.resume(visit(entry={"value": 5}), event(CONTACT_CHANGED)), Stay)


# --- pause ---------------------------------------------------------------------------------------------


def pause(**options):
    return Pause.model_validate(options)


def test_a_pause_for_a_while(visit, at):
    here = visit("2026-03-28 09:00")
    assert pause(**{"for": "1 day"}).enter(here) == Stay(until=at("2026-03-29 09:00"))
    assert Pause(for_=Duration.parse("24 hours")).enter(here) == Stay(until=at("2026-03-29 10:00"))
    assert pause(**{"for": "1 day"}).time_up(here) == Leave("done")


@pytest.mark.parametrize(
    ("options", "until"),
    [
        ({"until": "09:00"}, "2026-03-03 09:00"),
        ({"until": "monday 09:00"}, "2026-03-09 09:00"),
        ({"until": "monday", "time": "10:30"}, "2026-03-02 10:30"),
        ({"until": "2026-12-24 18:00"}, "2026-12-24 18:00"),
        ({"until": "contact.birthday", "time": "09:00"}, "2026-05-17 09:00"),
    ],
)
def test_a_pause_until_a_moment(visit, at, options, until):
    here = visit("2026-03-02 10:00", attributes={"birthday": "1990-05-17"})
    assert pause(**options).enter(here) == Stay(until=at(until))


def test_a_date_already_past_goes_on_at_once(visit):
    assert pause(until="2026-03-01").enter(visit()) == Leave("done")
    assert pause(until="contact.trial_ends").enter(visit(attributes={"trial_ends": "2026-01-01"})) == Leave("done")


def test_who_has_no_such_date_leaves_by_an_exit_of_their_own(visit):
    party = pause(until="contact.birthday")
    assert party.enter(visit()) == Leave("no_date")
    assert party.enter(visit(attributes={"birthday": "in May"})) == Leave("no_date")
    assert party.ways_out() == ("done", "no_date")
    assert {*party.optional_exits} == {"no_date"}
    assert pause(until="09:00").ways_out() == ("done",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either `for` or `until`"),
        ({"for": "1 day", "until": "09:00"}, "either `for` or `until`"),
        ({"for": "1 day", "time": "09:00"}, "no place for `time`"),
        ({"until": "monday 09:00", "time": "10:00"}, "no place for `time`"),
        ({"until": "mondey"}, "is not a moment"),
    ],
)
def test_a_pause_is_one_thing(options, message):
    with pytest.raises(ValidationError, match=message):
        pause(**options)


def test_summaries_of_pauses():
    assert pause(**{"for": "3 days"}).summary() == "for 3 days"
    assert pause(until="contact.birthday", time="09:00").summary() == "until contact.birthday, 09:00"


# --- Does time pass? -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "passes"),
    [
        (pause(**{"for": "1 second"}), True),
        (pause(until="09:00"), True),
        (pause(until="monday"), True),
        (pause(until="contact.birthday"), True),
        (pause(until="2026-12-24"), False),
        (pause(until="contact.trial_ends"), False),
        (WaitForEvent.model_validate({"event": "purchased", "within": "1 day"}), True),
        (opened(), False),  # whoever comes by again finds the time over already
        (answer(), True),
        (answer(message="offer"), False),
        (change(), False),  # may hold already
        (SendSms.model_validate({"text": "Hi"}), False),
    ],
)
def test_whether_every_visit_takes_time(element, passes):
    assert element.lets_time_pass() is passes


def test_a_second_visit_to_the_same_message_is_over_at_once(visit):
    """Why a wait for a message's event does not make a circle safe."""
    again = visit("2026-03-09 10:00", messages={"offer": (3, "2026-03-01 20:00")})
    stay = opened().enter(again)
    assert isinstance(stay, Stay)
    assert stay.until is not None
    assert stay.until < again.now
