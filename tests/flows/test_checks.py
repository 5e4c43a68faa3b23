"""What the checks prove, against simulations that try every path."""

from itertools import count

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements import catalogue
from tactful.flows.load import load_sources

CATALOGUE = catalogue()
SENDS = ("send_sms", "send_email")


def told(elements, code):
    """The elements (or the element an option belongs to) that the loader tells a problem of."""
    text = yaml.safe_dump({"flow": "f", "elements": elements}, sort_keys=False, default_flow_style=None, width=10_000)
    line_of = {line.split(":")[0].strip(): number for number, line in enumerate(text.splitlines(), 1)}
    name_at = {number: name for name, number in line_of.items()}
    loaded = load_sources({"flow.yaml": text}, CATALOGUE)
    lines = [problem.place.line for problem in loaded.problems if problem.code == code]
    return [next(name_at[at] for at in count(line, -1) if name_at.get(at) in elements) for line in lines]


@st.composite
def graphs(draw, kinds):
    """Elements of some kinds, led to each other at random."""
    size = draw(st.integers(2, 7))
    names = [f"e{number}" for number in range(size)]
    target = st.sampled_from([*names, "end"])
    elements = {}
    for name in names:
        kind = draw(st.sampled_from(kinds))
        element: dict[str, object] = {"type": kind}
        ways: tuple[str, ...] = ("done",)
        if kind in SENDS:
            element |= {"text": "x", "subject": "x"} if kind == "send_email" else {"text": "x"}
            ways = ("sent", "failed")
        elif kind == "split":
            element["paths"] = {"a": 1, "b": 1}
            ways = ("a", "b")
        elif kind == "goal":
            element["name"] = "x"
        elif kind == "pause":
            element["for"] = "1 day"
        elif kind in ("add_to_do_not_contact", "remove_from_do_not_contact"):
            element["channel"] = draw(st.sampled_from(("sms", "email", "all")))
            element["covers"] = draw(st.sampled_from(("marketing", "everything")))
        elements[name] = {**element, "next": {way: draw(target) for way in ways}}
    return elements


def walk(elements, state, change):
    """All (element, state) pairs a journey may arrive with; `change` gives the state behind an exit."""
    begin = (next(iter(elements)), state)
    seen, stack = {begin}, [begin]
    while stack:
        name, state = stack.pop()
        ways = (
            {"failed": "end", **elements[name]["next"]} if elements[name]["type"] in SENDS else elements[name]["next"]
        )
        for way, target in ways.items():
            arrived = (target, change(name, way, state))
            if target in elements and arrived not in seen:
                seen.add(arrived)
                stack.append(arrived)
    return seen


@given(graphs(("send_sms", "send_email", "split", "pause")), st.data())
def test_a_wait_may_leave_out_not_sent_just_where_the_message_was_always_sent(elements, data):
    sends = [name for name, element in elements.items() if element["type"] in SENDS]
    if not sends:
        return
    named = data.draw(st.lists(st.sampled_from(sends), min_size=1, max_size=3, unique=True))
    place = data.draw(st.integers(0, len(elements)))
    back = data.draw(st.sampled_from([*elements, "end"]))
    wait = {"type": "wait_for_event", "event": "clicked", "message": named, "within": "forever"}
    items = list(elements.items())
    items.insert(place, ("w", {**wait, "next": {"happened": back, "timed_out": "end"}}))
    elements = dict(items)
    if place:
        lead = elements[data.draw(st.sampled_from([name for name, _ in items[:place]]))]["next"]
        lead[data.draw(st.sampled_from(sorted(lead)))] = "w"

    def newest(name, way, sent):
        if elements[name]["type"] not in SENDS:
            return sent
        return sent | {name} if way == "sent" else sent - {name}

    arrivals = [sent for name, sent in walk(elements, frozenset(), newest) if name == "w"]
    unsent = any(not sent & set(named) for sent in arrivals)
    assert told(elements, "not-always-sent") == (["w"] if unsent else [])


@given(graphs((*SENDS, "split", "pause", "add_to_do_not_contact", "remove_from_do_not_contact")))
def test_a_send_is_refused_just_where_a_path_blocks_it_first(elements):
    def listed(name, way, blocks):
        element = elements[name]
        if not element["type"].endswith("do_not_contact"):
            return blocks
        channels = ("sms", "email") if element["channel"] == "all" else (element["channel"],)
        entries = {(channel, element["covers"]) for channel in channels}
        return blocks | entries if element["type"].startswith("add") else blocks - entries

    blocked = {
        name
        for name, blocks in walk(elements, frozenset(), listed)
        if elements[name]["type"] in SENDS
        and elements[name]["type"].removeprefix("send_") in {channel for channel, _ in blocks}
    }
    assert set(told(elements, "send-after-opt-out")) == blocked


@given(graphs(("goal", "split", "pause")))
def test_unreachable_elements_and_circles_are_just_those_there_are(elements):
    arrived = {name for name, _ in walk(elements, None, lambda name, way, state: None)}
    assert set(told(elements, "unreachable")) == set(elements) - arrived

    quick = {name for name, element in elements.items() if element["type"] != "pause"}

    def beyond(name):
        seen, stack = set(), [name]
        while stack:
            for target in elements[stack.pop()]["next"].values():
                if target in quick and target not in seen:
                    seen.add(target)
                    stack.append(target)
        return seen

    round_and_round = {name for name in quick if name in beyond(name)}
    knots = {frozenset(other for other in beyond(name) if name in beyond(other)) for name in round_and_round}
    order = list(elements)
    assert sorted(told(elements, "circle")) == sorted(min(knot, key=order.index) for knot in knots)


@given(graphs(("pause", "split")), st.data())
def test_a_wait_is_refused_just_where_pauses_always_take_all_of_its_time(elements, data):
    """Each pause is a day; the wait has as many days as were drawn."""
    names = list(elements)
    days = data.draw(st.integers(1, 3))
    wait = {"type": "wait_for_event", "event": "clicked", "message": "s", "within": f"{days * 24} hours"}
    elements = {
        "s": {"type": "send_sms", "text": "x", "next": names[0]},
        **elements,
        "w": {**wait, "next": {"happened": "end", "timed_out": "end"}},
    }
    lead = elements[data.draw(st.sampled_from(names))]["next"]
    lead[data.draw(st.sampled_from(sorted(lead)))] = "w"

    least = {"s": 0}
    for _ in elements:
        for name, passed in list(least.items()):
            targets = elements[name]["next"]
            for target in targets.values() if isinstance(targets, dict) else [targets]:
                longer = passed + (elements[name]["type"] == "pause")
                if target in elements and longer < least.get(target, 99):
                    least[target] = longer
    expected = []
    # A day is 22 to 26 hours, so a wait of as many hours is only certainly gone when one day more has passed.
    if least.get("w", 0) * 22 >= days * 24 and "w" in least:
        expected = ["w"]
    assert told(elements, "pause-eats-wait") == expected


def far_wait(failed):
    """A wait for `s`, hundreds of elements behind it; `failed` is where the send leads when it fails."""
    way = [f"e{number}" for number in range(400)]
    goals = {name: {"type": "goal", "name": "x", "next": to} for name, to in zip(way, [*way[1:], "w"], strict=True)}
    wait = {"type": "wait_for_event", "event": "clicked", "message": "s", "within": "forever"}
    return {
        "first": {"type": "goal", "name": "x", "next": "s"},
        "s": {"type": "send_sms", "text": "x", "next": {"sent": "e0", "failed": failed}},
        **goals,
        "w": {**wait, "next": {"happened": "end", "timed_out": "end"}},
    }


def test_a_wait_far_behind_its_send_is_judged_alike():
    assert told(far_wait("end"), "not-always-sent") == []
    assert told(far_wait("e1"), "not-always-sent") == ["w"]
    assert told(far_wait("w"), "not-always-sent") == ["w"]
