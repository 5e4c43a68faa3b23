"""What proofs say of small flows, with figures worked out by hand."""

import time

import pytest
import yaml

from tactful.elements.options.duration import HOUR
from tactful.flows.model import SenderFacts, Surroundings
from tactful.flows.prove import CLAIMS, prove

DAY = 24 * HOUR
PROJECT = Surroundings(
    senders={"news@acme.example": SenderFacts("email"), "+38595000111": SenderFacts("sms"),
             "ACME": SenderFacts("sms", two_way=False)},
    opt_out_links=False,
)  # fmt: skip
WORDS = {"+38595000111": frozenset({"stop", "halt"}), "news@acme.example": frozenset()}


@pytest.fixture
def proofs(load):
    """All proofs of a flow, by their words: its elements as YAML in a line each, and what else its head has."""

    def proofs(elements, around=PROJECT, words=WORDS, **head):
        settings = {"sender": {"email": "news@acme.example", "sms": "+38595000111"}, **head.pop("settings", {})}
        text = yaml.safe_dump({"flow": "f", "settings": settings, **head}) + "elements:\n"
        text += "".join(f"  {line.strip()}\n" for line in elements.strip().splitlines())
        loaded = load(text, around)
        assert loaded.whole is not None, loaded.problems
        return {proof.word: proof for proof in prove(loaded.whole, around, words)}

    return proofs


def way(proof):
    """The elements and exits of its path."""
    return [(stop.element, stop.exit) for stop in proof.path]


def hours(proof):
    """When its stops are left."""
    return [stop.at / HOUR for stop in proof.path]


# --- An opt-out before the third message ------------------------------------------------------------

THREE = """
a: {type: send_sms, text: %s, next: b}
b: {type: send_sms, text: %s, next: c}
c: {type: send_sms, text: STOP ends this}
"""


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("Hello", "Hello", "fails"),
        ("Answer STOP to end this", "Hello", "holds"),
        ("Hello", "HALT ends our texts", "holds"),
        ("We stop at the next halt", "Hello", "fails"),  # no word to answer with
        ("NONSTOP flights", "Hello", "fails"),
        ("{% if contact.vip %}STOP{% endif %}", "Hello", "fails"),
    ],
)
def test_an_opt_out_is_a_keyword_named_in_a_text_before_the_third(proofs, first, second, verdict):
    proof = proofs(THREE % (f'"{first}"', f'"{second}"'))["opt-out"]
    assert proof.verdict == verdict
    assert way(proof) == ([("a", "sent"), ("b", "sent"), ("c", "sent")] if verdict == "fails" else [])


@pytest.mark.parametrize(
    ("links", "text", "verdict"),
    [
        (True, "No more: {{ opt_out_link }}", "holds"),
        (True, "{% if contact.vip %}{{ opt_out_link }}{% endif %}", "unknown"),
        (False, "No more: {{ opt_out_link }}", "fails"),
        (None, "No more: {{ opt_out_link }}", "unknown"),
    ],
)
def test_a_link_is_an_opt_out_where_links_are_on_and_everybody_gets_it(proofs, links, text, verdict):
    around = Surroundings(senders=PROJECT.senders, opt_out_links=links)
    assert proofs(THREE % (f'"{text}"', "Hello"), around)["opt-out"].verdict == verdict


@pytest.mark.parametrize(("links", "verdict"), [(True, "holds"), (False, "fails"), (None, "unknown")])
def test_every_email_has_an_opt_out_where_links_are_on(proofs, links, verdict):
    around = Surroundings(senders=PROJECT.senders, opt_out_links=links)
    emails = THREE.replace("send_sms", "send_email, subject: Hi") % ("Hello", "Hello")
    assert proofs(emails, around)["opt-out"].verdict == verdict


def test_a_keyword_at_a_sender_that_takes_no_replies_is_no_opt_out(proofs):
    head = {"settings": {"sender": {"sms": "ACME"}}}
    assert proofs(THREE % ("STOP ends this", "Hello"), **head)["opt-out"].verdict == "fails"


def test_without_a_project_nobody_knows_what_a_keyword_does(proofs):
    assert proofs(THREE % ("STOP ends this", "Hello"), Surroundings(), None)["opt-out"].verdict == "unknown"


def test_two_messages_need_no_opt_out_and_transactional_ones_do_not_count(proofs):
    assert proofs("a: {type: send_sms, text: Hi, next: b}\nb: {type: send_sms, text: Hi}")["opt-out"].verdict == "holds"
    receipts = (THREE % ("Hello", "Hello")).replace("{type", "{purpose: transactional, type", 1)
    assert proofs(receipts)["opt-out"].verdict == "holds"


def test_a_loop_comes_to_its_third_message(proofs):
    proof = proofs("a: {type: send_sms, text: Hi, next: p}\np: {type: pause, for: 1 day, next: a}")["opt-out"]
    assert way(proof) == [("a", "sent"), ("p", "done")] * 2 + [("a", "sent")]
    assert hours(proof) == [0, 24, 24, 48, 48]


# --- No send after a block ------------------------------------------------------------------------------


def test_a_send_after_a_block_is_found_with_its_path(proofs):
    proof = proofs("""
        s: {type: split, paths: {x: 1, y: 1}, next: {x: block, y: send}}
        block: {type: add_to_do_not_contact, channel: sms, next: p}
        p: {type: pause, for: 2 days, next: send}
        send: {type: send_sms, text: Hi}
        """)["blocked"]
    assert proof.verdict == "fails"
    assert way(proof) == [("s", "x"), ("block", "done"), ("p", "done"), ("send", "suppressed")]
    assert proof.says == "`send` can reach nobody whom `block` put on the Do Not Contact list."


@pytest.mark.parametrize(
    ("block", "lift", "verdict"),
    [
        ("channel: email", "", "holds"),
        ("channel: all", "", "fails"),
        ("channel: sms, level: this_sender, sender: ACME", "", "holds"),
        ("channel: sms, level: this_sender", "", "fails"),
        ("channel: sms", "channel: sms", "holds"),
        ("channel: sms", "channel: sms, covers: everything", "fails"),
        ("channel: sms", "channel: sms, level: this_sender", "fails"),
    ],
)
def test_channel_level_sender_and_cover_are_minded(proofs, block, lift, verdict):
    off = f"{{type: remove_from_do_not_contact, {lift}, next: send}}" if lift else "{type: goal, name: g, next: send}"
    proof = proofs(f"""
        block: {{type: add_to_do_not_contact, {block}, next: off}}
        off: {off}
        send: {{type: send_sms, text: Hi}}
        """)["blocked"]
    assert proof.verdict == verdict


def test_a_block_of_marketing_lets_what_is_transactional_through(proofs):
    flow = """
        block: {type: add_to_do_not_contact, channel: sms, covers: %s, next: send}
        send: {type: send_sms, text: Hi, purpose: transactional}
        """
    assert proofs(flow % "marketing")["blocked"].verdict == "holds"
    assert proofs(flow % "everything")["blocked"].verdict == "fails"


OPTED_OUT = """
    a: {type: send_sms, text: STOP ends this, next: w}
    w: {type: wait_for_event, event: opted_out, message: a, within: 2 days, next: {happened: %s, timed_out: end}}
    off: {type: remove_from_do_not_contact, channel: sms, next: b}
    b: {type: %s}
    """


def test_whoever_opted_out_is_not_written_to_on_that_channel(proofs):
    proof = proofs(OPTED_OUT.replace("    off:", "    #") % ("b", "send_sms, text: Sorry"))["blocked"]
    assert proof.verdict == "fails"
    assert way(proof) == [("a", "sent"), ("w", "happened"), ("b", "suppressed")]
    email = proofs(OPTED_OUT.replace("    off:", "    #") % ("b", "send_email, subject: s, text: Sorry"))["blocked"]
    assert email.verdict == "holds"


def test_which_entry_an_opt_out_made_cannot_be_known(proofs):
    assert proofs(OPTED_OUT % ("off", "send_sms, text: Sorry"))["blocked"].verdict == "unknown"


# --- Every path ends or waits -----------------------------------------------------------------------------


def test_a_circle_without_time_neither_ends_nor_waits(proofs):
    proof = proofs("""
        a: {type: goal, name: g, next: b}
        b: {type: split, paths: {x: 1, y: 1}, next: {x: c, y: end}}
        c: {type: goal, name: g, next: b}
        """)["end"]
    assert proof.verdict == "fails"
    assert way(proof) == [("a", "done"), ("b", "x"), ("c", "done")]
    assert proof.again_from == 1


def test_a_loop_that_waits_holds_and_is_said_to_be_unbounded(proofs):
    proof = proofs("a: {type: send_sms, text: Hi, next: p}\np: {type: pause, for: 1 day, next: a}")["end"]
    assert proof.verdict == "holds"
    assert "Unbounded: round `a` → `p` → `a`, waiting on each round." in proof.says
    assert "Whoever comes to `a`" not in proof.says  # it ends where the send fails


def test_a_loop_without_a_way_out_is_said(proofs):
    assert "leaves the flow only when" in proofs("p: {type: pause, for: 1 day, next: p}")["end"].says


# --- Time ---------------------------------------------------------------------------------------------------


def time_of(proofs, elements):
    proof = proofs(elements)["time"]
    return proof.verdict, proof.figures["shortest_ms"], proof.figures["longest_ms"]


def test_pauses_and_waits_add_up(proofs):
    flow = """
        p: {type: pause, for: 2 hours, next: a}
        a: {type: send_sms, text: Hi, next: w}
        w: {type: wait_for_event, event: clicked, message: a, within: 48 hours, next: {happened: end, timed_out: q}}
        q: {type: pause, for: 1 week}
        """
    # 2 h, then clicked at once; or 2 h + 48 h + 7 days
    assert time_of(proofs, flow) == ("holds", 2 * HOUR, 50 * HOUR + 7 * DAY)
    assert hours(proofs(flow)["time"]) == [2, 2, 50, 218]


def test_a_wait_for_a_message_has_the_time_that_a_pause_left_of_it(proofs):
    flow = """
        a: {type: send_sms, text: Hi, next: p}
        p: {type: pause, for: 10 hours, next: w}
        w: {type: wait_for_event, event: clicked, message: a, within: 48 hours, next: {happened: end, timed_out: end}}
        """
    assert time_of(proofs, flow) == ("holds", 0, 48 * HOUR)  # 0: where the send fails
    assert way(proofs(flow)["time"])[-1][0] == "w"


def test_a_wait_for_ones_own_event_has_its_whole_time(proofs):
    flow = """
        p: {type: pause, for: 10 hours, next: w}
        w: {type: wait_for_event, event: bought, within: 48 hours, next: {happened: q, timed_out: end}}
        q: {type: pause, for: 1 hour}
        """
    assert time_of(proofs, flow) == ("holds", 11 * HOUR, 59 * HOUR)


@pytest.mark.parametrize(
    ("first", "second", "longest"),
    [
        ('"09:00"', '"09:00"', 2 * DAY),
        ('"09:00"', '"10:30"', DAY + 90 * 60_000),  # the second follows at once upon the first
        ("monday 09:00", "tuesday 08:00", 7 * DAY + 23 * HOUR),
        ("monday 09:00", '"08:00"', 7 * DAY + 23 * HOUR),
        ('"09:00"', "monday 09:00", DAY + 7 * DAY),
        ("contact.birthday", '"00:00"', 367 * DAY),
    ],
)
def test_moments_come_round_by_the_day_the_week_and_the_year(proofs, first, second, longest):
    flow = f"p: {{type: pause, until: {first}, next: q}}\nq: {{type: pause, until: {second}}}"
    verdict, _, found = time_of(proofs, flow)
    assert (verdict, found) == ("holds", longest)


def test_the_shortest_way_minds_that_a_moment_comes_but_once_a_day(proofs):
    assert time_of(proofs, 'p: {type: pause, until: "09:00"}')[1] == 0  # it may be about to strike
    twice = 'p: {type: pause, until: "09:00", next: q}\nq: {type: pause, until: "09:00"}'
    assert time_of(proofs, twice)[1] == DAY


def test_loops_and_waits_for_ever_have_no_longest_time(proofs):
    flow = """
        p: {type: pause, for: 1 day, next: w}
        w: {type: wait_for_event, event: bought, within: %s, next: {happened: end, timed_out: p}}
        """
    loop = proofs(flow % "1 day")["time"]
    assert (loop.verdict, loop.figures["shortest_ms"], loop.figures["longest_ms"]) == ("fails", DAY, None)
    assert (way(loop), loop.again_from) == ([("p", "done"), ("w", "timed_out")], 0)
    forever = proofs(flow % "forever")
    assert forever["time"].verdict == "fails"
    assert way(forever["time"]) == [("p", "done"), ("w", None)]
    assert forever["end"].figures["loops"] == 0, "a wait for ever never times out"


def test_how_long_until_a_date_cannot_be_known(proofs):
    proof = proofs("p: {type: pause, until: 2026-12-24 18:00}")["time"]
    assert proof.verdict == "unknown"
    assert "`p` waits until 2026-12-24 18:00" in proof.says


# --- The most messages ----------------------------------------------------------------------------------------


def most(proofs, elements, **head):
    """The most in a day and in all: of all channels, by email, by sms."""
    found = proofs(elements, **head)
    day, in_all = found["day"].figures, found["all"].figures
    return (day["day"], day.get("day_email"), day.get("day_sms")), (in_all["all"], in_all.get("all_email"),
                                                                   in_all.get("all_sms"))  # fmt: skip


def test_messages_are_counted_on_the_fullest_path_of_each_channel(proofs):
    flow = """
        s: {type: split, paths: {x: 1, y: 1}, next: {x: e1, y: t1}}
        e1: {type: send_email, subject: s, text: t, next: e2}
        e2: {type: send_email, subject: s, text: t, next: e3}
        e3: {type: send_email, subject: s, text: t}
        t1: {type: send_sms, text: STOP, next: t2}
        t2: {type: send_sms, text: STOP, next: e3}
        """
    assert most(proofs, flow) == ((3, 3, 2), (3, 3, 2))


def test_a_day_is_any_24_hours_and_24_hours_later_is_another_day(proofs):
    flow = """
        a: {type: send_sms, text: STOP, next: p}
        p: {type: pause, for: %s, next: b}
        b: {type: send_sms, text: STOP, next: q}
        q: {type: pause, for: 10 hours, next: c}
        c: {type: send_sms, text: STOP}
        """
    assert most(proofs, flow % "13 hours")[0][0] == 3  # 0, 13, 23
    assert most(proofs, flow % "14 hours")[0][0] == 2  # 0, 14, 24
    assert most(proofs, flow % "1 day")[0][0] == 2  # 24, 34
    path = proofs(flow % "13 hours")["day"].path
    assert [stop.at / HOUR for stop in path if stop.note] == [0, 13, 23]


def test_a_wait_that_times_out_parts_messages_and_one_that_is_answered_does_not(proofs):
    flow = """
        a: {type: send_sms, text: STOP, next: w}
        w: {type: wait_for_event, event: clicked, message: a, within: 2 days, next: {happened: %s, timed_out: %s}}
        b: {type: send_sms, text: STOP}
        """
    assert most(proofs, flow % ("end", "b"))[0][0] == 1
    assert most(proofs, flow % ("b", "end"))[0][0] == 2


def test_a_message_between_a_send_and_its_wait_takes_nothing_off_the_wait(proofs):
    flow = """
        a: {type: send_email, subject: s, text: t, next: b}
        b: {type: send_sms, text: STOP, next: w}
        w: {type: wait_for_event, event: opened, message: a, within: 2 days, next: {happened: end, timed_out: c}}
        c: {type: send_sms, text: STOP}
        """
    assert most(proofs, flow) == ((2, 1, 1), (3, 1, 2))


@pytest.mark.parametrize(
    ("pause", "day"),
    [("for: 1 day", 1), ("for: 8 hours", 3), ("for: 1 hour", 24), ('until: "09:00"', 2), ("until: monday 09:00", 2),
     ("until: contact.birthday, time: 10:00", 2)],
)  # fmt: skip
def test_a_pause_bounds_the_rate_of_a_loop_and_not_its_sum(proofs, pause, day):
    """Who comes in just before a moment gets a message then and one at the moment."""
    found = proofs(f"a: {{type: send_sms, text: STOP, next: p}}\np: {{type: pause, {pause}, next: a}}")
    assert (found["day"].verdict, found["day"].figures["day"]) == ("holds", day)
    assert (found["all"].verdict, found["all"].figures["all"]) == ("fails", None)
    assert found["all"].again_from == 0


def test_who_begins_with_the_moment_gets_one_a_day(proofs):
    flow = 'p: {type: pause, until: "09:00", next: a}\na: {type: send_sms, text: STOP, next: p}'
    assert proofs(flow)["day"].figures["day"] == 1


def test_a_loop_that_others_may_hurry_has_no_most_a_day(proofs):
    proof = proofs("""
        a: {type: send_sms, text: STOP, next: w}
        w: {type: wait_for_event, event: visited, within: 2 days, next: {happened: a, timed_out: end}}
        """)["day"]
    assert (proof.verdict, proof.figures["day"]) == ("fails", None)
    assert (way(proof)[proof.again_from :], proof.path[-1].at) == ([("a", "sent"), ("w", "happened")], 0)


def test_more_than_a_hundred_a_day_are_not_counted_further(proofs):
    proof = proofs("a: {type: send_sms, text: STOP, next: p}\np: {type: pause, for: 1 minute, next: a}")["day"]
    assert proof.verdict == "fails"
    assert "more than 100 messages within 24 hours" in proof.says


def test_a_send_that_fails_in_a_loop_sends_nothing_more(proofs):
    flow = """
        a: {type: send_sms, text: STOP, next: {sent: end, failed: p}}
        p: {type: pause, for: 1 hour, next: a}
        """
    assert most(proofs, flow) == ((1, None, None), (1, None, None))


def test_no_message_is_none(proofs):
    assert most(proofs, "g: {type: goal, name: g}") == ((0, None, None), (0, None, None))


@pytest.mark.parametrize("again", ["never", "always", "after 30 days"])
def test_what_a_figure_means_for_a_contact_is_said(proofs, again):
    said = proofs("a: {type: send_sms, text: STOP}", entry={"event": "x", "again": again})["all"].says
    assert again.removeprefix("after ") in said


# --- The work --------------------------------------------------------------------------------------------------


def diamonds(number):
    """A flow with two to the power of `number` paths: each step sends by one channel or by the other, and waits."""
    lines = []
    for at in range(number):
        then = f"s{at + 1}" if at < number - 1 else "end"
        wait = f"type: wait_for_event, event: clicked, message: [a{at}, b{at}], within: 12 hours"
        lines += [
            f"s{at}: {{type: split, paths: {{a: 1, b: 1}}, next: {{a: a{at}, b: b{at}}}}}",
            f"a{at}: {{type: send_sms, text: STOP, next: w{at}}}",
            f"b{at}: {{type: send_email, subject: s, text: t, next: w{at}}}",
            f"w{at}: {{{wait}, next: {{happened: {then}, timed_out: {then}}}}}",
        ]
    return "\n".join(lines)


def test_a_flow_of_two_to_the_fortieth_paths_is_proved_at_once(proofs):
    began = time.process_time()
    found = proofs(diamonds(40))
    assert time.process_time() - began < 5  # most of it is loading; one path a microsecond would take two weeks
    assert found["time"].figures == {"shortest_ms": 0, "longest_ms": 40 * 12 * HOUR}
    assert found["day"].figures == {"day": 40, "day_sms": 40, "day_email": 40}
    assert found["all"].figures == {"all": 40, "all_sms": 40, "all_email": 40}
    assert found["opt-out"].verdict == "fails"  # twice by email, then again


def test_the_work_grows_with_the_flow(proofs):
    def steps(number):
        began = time.process_time()
        proofs(diamonds(number))
        return time.process_time() - began

    assert steps(200) < 30 * steps(20) + 1


def test_there_is_a_proof_for_every_claim_and_each_may_be_left_out(load):
    flow = load("flow: f\nelements:\n  g: {type: goal, name: g}\n").flow
    assert [proof.word for proof in prove(flow)] == list(CLAIMS)
    assert [proof.word for proof in prove(flow, without=["time", "day"])] == ["opt-out", "blocked", "end", "all"]
