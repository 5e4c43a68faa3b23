"""Every act and every expectation of scenarios: what passes, what fails, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tactful.elements.pause import Pause
from tactful.engine.testing.command import run_paths
from tactful.engine.testing.report import Ran

Run = Callable[..., Ran]
BEGUN = "- happens: {event: basket_abandoned, value: 35}\n"


def failure(ran: Ran) -> str:
    """What is said of a failure."""
    assert ran.failure is not None, "the scenario passed"
    return ran.failure.render()


def passes(ran: Ran) -> None:
    assert ran.failure is None, failure(ran)


# --- acts


def test_what_happens_brings_in(run: Run) -> None:
    passes(run(BEGUN + "- sent: offer"))


def test_entering_by_hand_brings_in(run: Run) -> None:
    passes(run("- enter: {value: 5}\n- sent: offer\n- stands_at: opened"))


def test_opening_is_seen_by_the_wait(run: Run) -> None:
    passes(run(BEGUN + "- opens: offer\n- stands_at: rest"))


@pytest.mark.parametrize("act", ["clicks", "bounces", "complains"])
def test_other_events_of_a_message_are_not_an_open(run: Run, act: str) -> None:
    passes(run(BEGUN + f"- {act}: offer\n- stands_at: opened"))


def test_what_was_not_sent_cannot_be_opened(run: Run) -> None:
    said = failure(run("- until: 2026-03-02 22:00\n" + BEGUN + "- opens: offer"))
    assert "it.flowtest.yaml:9:9: opens failed" in said
    assert "expected: a message of `offer` that was sent" in said
    assert "instead:  the message of `offer` was not sent: it is held" in said
    assert "instead:  there is no message of `ask`" in failure(run(BEGUN + "- clicks: ask"))


def test_an_answer_to_a_message_takes_its_path(run: Run) -> None:
    steps = BEGUN + "- opens: offer\n- after: 1 day\n- sent: ask\n- replies: {to: ask, text: Yes!}\n"
    passes(run(steps + "- ended: reached\n- goal: answered\n- contact: {mood: good, orders: 3, tags: [fan]}"))


def test_an_answer_to_a_sender_finds_the_message(run: Run) -> None:
    steps = BEGUN + "- opens: offer\n- after: 1 day\n"
    passes(run(steps + "- replies: {sender: news@acme.example, text: ok}\n- ended: reached"))
    # To another sender it stays the contact's own event, which the wait takes as well.
    passes(run(steps + '- replies: {sender: "+38595000111", text: maybe}\n- ended: answer'))


def test_opting_out_by_the_link_blocks_at_once(run: Run) -> None:
    passes(
        run(BEGUN + "- opts_out: offer\n- on_do_not_contact: email\n- opens: offer\n- after: 1 day\n- suppressed: ask")
    )


@pytest.mark.parametrize("head", ["flow: flow.yaml\nproject: tactful.yaml", "flow: flow.yaml"])
def test_opting_out_is_at_the_level_of_the_project(run: Run, project: str, head: str) -> None:
    steps = "- opts_out: offer\n- not_on_do_not_contact: email\n"
    passes(run(BEGUN + steps + "- on_do_not_contact: {channel: email, sender: news@acme.example}", head=head))


def test_a_refused_message_leaves_by_failed(run: Run) -> None:
    contact = '{email: ana@example.com, phone: "+385911234567"}'
    passes(run("- fails: offer\n" + BEGUN + "- not_sent: offer\n- sent: by_text\n- ended: by_text", contact))


def test_changes_are_seen(run: Run) -> None:
    passes(
        run("- changes: {first_name: Bo, orders: 2, tags: [new]}\n- contact: {first_name: Bo, orders: 2, tags: [new]}")
    )
    passes(run("- changes: {first_name: null}\n- contact: {first_name: null}\n" + BEGUN
               + "- sent: {element: offer, contains: friend}"))  # fmt: skip


def test_time_stops_at_all_that_is_due(run: Run) -> None:
    passes(run(BEGUN + "- after: 47 hours 59 minutes\n- stands_at: opened\n- after: 1 minute\n- ended: unopened"))
    passes(run(BEGUN + "- until: 2026-03-04 08:59\n- stands_at: opened\n- until: 2026-03-04 09:00\n- ended: unopened"))


def test_time_is_read_where_the_contact_lives(run: Run) -> None:
    tokyo = "{email: ana@example.com, time_zone: Asia/Tokyo}"
    passes(
        run("- until: 2026-03-02 21:30\n" + BEGUN + "- held: offer\n- until: 2026-03-03 08:00\n- sent: offer", tokyo)
    )


def test_time_does_not_go_back(run: Run) -> None:
    said = failure(run("- until: 2026-03-01 09:00"))
    assert "expected: time to pass until Sun 2026-03-01 09:00" in said
    assert "instead:  it is Mon 2026-03-02 09:00 already" in said


def test_a_restart_changes_nothing(run: Run) -> None:
    passes(run(BEGUN + "- restart: {}\n- not_sent: offer\n- opens: offer\n- restart: {}\n- after: 1 day\n- sent: ask"))


# --- expectations


def test_sent_is_since_the_last_act(run: Run) -> None:
    said = failure(run(BEGUN + "- after: 1 minute\n- sent: offer"))
    assert "expected: exactly one message of `offer` sent since `after` on line 8" in said
    assert "instead:  nothing was sent since; one of `offer` was sent before that act" in said


def test_sent_says_where_the_message_is_instead(run: Run) -> None:
    said = failure(run("- until: 2026-03-02 23:00\n" + BEGUN + "- sent: offer"))
    assert (
        "nothing was sent; the message of `offer` is held until Tue 2026-03-03 08:00 (quiet hours in Europe/Zagreb)"
        in said
    )
    said = failure(run("- sent: offer"))
    assert "since the scenario began" in said
    assert "there is no message of `offer`: no journey began" in said
    said = failure(run(BEGUN + "- sent: ask"))
    assert (
        "`offer` was sent; there is no message of `ask`: the newest journey stands at opened until Wed 2026-03-04"
        in said
    )


def test_sent_is_exactly_one(run: Run) -> None:
    Path("again.yaml").write_text(
        "flow: again\nentry: {event: go}\nsettings: {sender: {email: a@acme.example}}\nelements:\n"
        "  one: {type: send_email, subject: s, text: t, next: rest}\n  rest: {type: pause, for: 1 day, next: one}\n"
    )
    said = failure(run("- happens: {event: go}\n- sent: one\n- after: 3 days\n- sent: one", head="flow: again.yaml"))
    assert "instead:  3 were sent" in said


def test_sent_looks_into_the_texts(run: Run) -> None:
    passes(run(BEGUN + '- sent: {element: offer, contains: "basket, Ana"}'))
    passes(run(BEGUN + '- sent: {element: offer, contains: "Tea & cups"}'))  # as a reader sees it
    said = failure(run(BEGUN + "- sent: {element: offer, contains: Bo}"))
    assert "expected: a message of `offer` that holds 'Bo'" in said
    assert "instead:  it says subject: We kept your basket, Ana; html: <p>Tea &amp; cups</p>" in said


def test_not_sent(run: Run) -> None:
    passes(run("- not_sent: offer"))
    said = failure(run(BEGUN + "- not_sent: offer"))
    assert "expected: no message of `offer` since `happens` on line 7" in said
    assert "instead:  one was sent" in said


def test_held(run: Run) -> None:
    night = "- until: 2026-03-02 23:00\n" + BEGUN
    passes(run(night + "- held: offer"))
    # Also where it went out within the same act.
    passes(run(BEGUN + "- until: 2026-03-02 23:00\n- opens: offer\n- after: 2 days\n- held: ask\n- sent: ask"))
    said = failure(run(BEGUN + "- held: offer"))
    assert "expected: a message of `offer` held since `happens`" in said
    assert "instead:  the message of `offer` is sent" in said


def test_suppressed(run: Run) -> None:
    passes(run(BEGUN + "- suppressed: offer\n- ended: offer", '{id: "7"}'))  # who has no address
    said = failure(run(BEGUN + "- suppressed: offer"))
    assert "instead:  the message of `offer` is sent" in said


def test_goal(run: Run) -> None:
    passes(run(BEGUN + "- happens: {event: purchased, value: 9}\n- goal: purchased\n- ended: opened"))
    said = failure(run(BEGUN + "- goal: purchased"))
    assert "expected: the goal `purchased` reached since `happens`" in said
    assert "instead:  no goal was" in said


def test_not_entered(run: Run) -> None:
    passes(run("- happens: {event: basket_abandoned, value: 5}\n- not_entered: {}"))
    said = failure(run(BEGUN + "- not_entered: {}"))
    assert "expected: nobody to enter since `happens` on line 7" in said
    assert "instead:  `win-back` was entered" in said


def test_stands_at(run: Run) -> None:
    said = failure(run(BEGUN + "- stands_at: rest"))
    assert "expected: the newest journey to stand at `rest`" in said
    assert "instead:  it stands at opened until Wed 2026-03-04 09:00" in said
    assert "instead:  no journey began" in failure(run("- stands_at: rest"))
    ended = failure(run(BEGUN + "- after: 3 days\n- stands_at: rest"))
    assert "instead:  it has ended: done, at `unopened`" in ended


def test_ended(run: Run) -> None:
    said = failure(run(BEGUN + "- ended: unopened"))
    assert "expected: the newest journey to have ended, at `unopened`" in said
    assert "instead:  it stands at opened" in said
    stopped = failure(run(BEGUN + "- happens: {event: purchased, value: 1}\n- ended: unopened"))
    assert "instead:  it has ended: stopped (stop_when: purchased happened), at `opened`" in stopped


def test_path(run: Run) -> None:
    passes(run(BEGUN + "- path: [offer, opened]\n- after: 3 days\n- path: [offer, opened, unopened]"))
    said = failure(run(BEGUN + "- path: [offer, rest]"))
    assert "expected: the newest journey by `offer`, `rest`" in said
    assert "instead:  it went by `offer`, `opened`" in said


def test_contact(run: Run) -> None:
    passes(run("- contact: {email: ana@example.com, first_name: Ana, phone: null, mood: null}"))
    said = failure(run("- contact: {first_name: Bo}"))
    assert "expected: the contact's `first_name` to be 'Bo'" in said
    assert "instead:  it is 'Ana'" in said
    assert "instead:  they have none" in failure(run("- contact: {mood: good}"))
    assert "expected: the contact without `first_name`" in failure(run("- contact: {first_name: null}"))
    assert "to be True" in failure(run("- changes: {orders: 1}\n- contact: {orders: true}"))
    assert "`tags` to be gold, old\n  instead:  it is none" in failure(run("- contact: {tags: [old, gold]}"))


def test_on_do_not_contact(run: Run) -> None:
    unopened = BEGUN + "- after: 48 hours\n"
    passes(run(unopened + "- on_do_not_contact: email\n- not_on_do_not_contact: sms\n- not_on_do_not_contact: all"))
    passes(run(unopened + "- on_do_not_contact: {channel: email, sender: news@acme.example}"))
    said = failure(run(unopened + "- not_on_do_not_contact: email"))
    assert "expected: the contact not on the Do Not Contact list for `email`" in said
    assert "instead:  ana@example.com on email from any sender (flow win-back, element unopened)" in said
    said = failure(run(BEGUN + "- on_do_not_contact: {channel: email, sender: news@acme.example}"))
    assert "expected: the contact on the Do Not Contact list for `email` from news@acme.example" in said
    assert "instead:  the list is empty" in said


# --- what a failure shows


def test_a_failure_shows_the_step_and_the_whole_story(run: Run) -> None:
    assert failure(run(BEGUN + "- opens: offer\n- after: 1 day\n- stands_at: opened")).splitlines() == [
        "it.flowtest.yaml:10:9: stands_at failed",
        "    - stands_at: opened",
        "  expected: the newest journey to stand at `opened`",
        "  instead:  it stands at answer until Fri 2026-03-06 09:00",
        "  up to there, in Europe/Zagreb:",
        "    Mon 2026-03-02 09:00  basket_abandoned value: 35",
        "    Mon 2026-03-02 09:00  enters win-back",
        "    Mon 2026-03-02 09:00  message of offer: sent",
        "    Mon 2026-03-02 09:00  offer -> sent",
        "    Mon 2026-03-02 09:00  opened offer",
        "    Mon 2026-03-02 09:00  opened -> happened",
        "    Tue 2026-03-03 09:00  rest -> done",
        "    Tue 2026-03-03 09:00  message of ask: sent",
        "    Tue 2026-03-03 09:00  ask -> sent",
        "    Tue 2026-03-03 09:00  stands at answer until Fri 2026-03-06 09:00",
    ]


def test_the_first_failure_ends_the_scenario(run: Run) -> None:
    assert "sent failed" in failure(run("- sent: offer\n- stands_at: opened"))


def test_a_scenario_begins_at_a_fixed_moment_where_it_says_none(folder: Path) -> None:
    Path("it.flowtest.yaml").write_text(
        "flow: flow.yaml\nscenarios:\n- {name: it, contact: {email: a@example.com}, steps: [until: 2026-01-05 08:59]}\n"
    )
    (ran,) = run_paths([Path("it.flowtest.yaml")]).scenarios
    assert "it is Mon 2026-01-05 09:00 already" in failure(ran)


def test_several_flows_run_side_by_side(run: Run) -> None:
    Path("b.yaml").write_text(
        "flow: b\nentry: {event: basket_abandoned}\nelements: {rest: {type: pause, for: 1 day, next: told}, "
        "told: {type: goal, name: told}}\n"
    )
    head = "flows: [flow.yaml, b.yaml]"
    passes(run(BEGUN + "- sent: offer\n- stands_at: rest\n- after: 1 day\n- goal: told", head=head))
    passes(run("- enter: {flow: b}\n- not_sent: offer\n- stands_at: rest", head=head))


def test_an_element_that_breaks_fails_its_scenario_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, visit: object) -> object:
        raise ZeroDivisionError("no")

    monkeypatch.setattr(Pause, "enter", broken)
    said = failure(run(BEGUN + "- opens: offer\n- stands_at: rest"))
    assert "ZeroDivisionError: no" in said


# --- every way an opt-out is collected, and what else can come of a message

OPT_OUTS = """
flow: opt-outs
settings: {sender: {email: news@acme.example, sms: "+38595000111", whatsapp: "+38595000222"}}
elements:
  mail: {type: send_email, subject: hi, text: hi, next: text}
  text: {type: send_sms, text: Hello, next: chat}
  chat: {type: send_whatsapp, text: Hello, next: arrives}
  arrives:
    {type: wait_for_event, event: delivered, message: text, within: 1 day, next: {happened: follows, timed_out: end}}
  follows:
    type: wait_for_event
    event: clicked
    message: chat
    where: event.url == "https://acme.example/yes"
    within: 1 day
    next: {happened: end, timed_out: again}
  again: {type: send_email, subject: hi, text: hi, next: end}
"""
OPT_OUT_PROJECT = """
senders:
  news@acme.example: {channel: email, via: console}
  "+38595000111": {channel: sms, via: console}
  "+38595000222": {channel: whatsapp, via: console}
opt_out:
  keywords:
    - {sender: "+38595000111", keyword: STOP, action: block, level: this_sender, reply: You won't hear from us again.}
    - {sender: "+38595000111", keyword: START, action: unblock, level: this_sender}
    - {sender: "+38595000222", pack: us-fcc, level: any_sender}
"""


@pytest.fixture
def opt_outs(run: Run, folder: Path) -> Run:
    """Run steps for somebody who just got an email, a text message and a chat message."""
    (folder / "opt-outs.yaml").write_text(OPT_OUTS)
    (folder / "tactful.yaml").write_text(OPT_OUT_PROJECT)
    contact = '{email: ana@example.com, phone: "+385911234567"}'
    return lambda steps: run(
        "- enter: {}\n- stands_at: arrives\n" + dedent(steps).lstrip("\n"), contact, "flow: opt-outs.yaml"
    )


def test_a_keyword_blocks_answers_and_unblocks(opt_outs: Run) -> None:
    passes(
        opt_outs(
            """
            - replies: {sender: "+38595000111", text: Stop please}
            - on_do_not_contact: {channel: sms, sender: "+38595000111"}
            - not_on_do_not_contact: sms
            - answered: hear from us
            - replies: {to: text, text: start}
            - not_on_do_not_contact: {channel: sms, sender: "+38595000111"}
            - replies: {to: chat, text: unsubscribe}
            - on_do_not_contact: whatsapp
            """
        )
    )
    said = failure(opt_outs("- replies: {to: text, text: STOP}\n- answered: Good bye"))
    assert "expected: an answer of a keyword rule that holds 'Good bye' since `replies` on line 9" in said
    assert "instead:  You won't hear from us again." in said


def test_somebody_is_put_on_the_list_by_hand_and_taken_off(opt_outs: Run) -> None:
    passes(
        opt_outs(
            """
            - block: email
            - on_do_not_contact: email
            - delivers: text
            - after: 1 day
            - suppressed: again
            - unblock: email
            - not_on_do_not_contact: email
            - block: {channel: sms, sender: "+38595000111"}
            - not_on_do_not_contact: sms
            - on_do_not_contact: {channel: sms, sender: "+38595000111"}
            """
        )
    )
    assert "instead:  the list is empty" in failure(opt_outs("- unblock: email"))


def test_an_event_of_a_message_has_properties(opt_outs: Run) -> None:
    clicks = "- delivers: text\n- stands_at: follows\n- clicks: {element: chat, url: https://acme.example/%s}\n"
    passes(opt_outs(clicks % "no" + "- stands_at: follows"))
    passes(opt_outs(clicks % "yes" + "- ended: follows"))
