"""Random flows: every type of element, loops, waits that follow messages; valid ones and broken ones.

    @given(flow_texts())
    def test_it_loads(text): ...

A valid flow loads without an error (warnings it may have), all of its elements can be reached, and every circle lets
time pass. Elements are called `e0`, `e1`, …; `e0` is where journeys start.
"""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

from tactful.elements.options.channel import CHANNELS

SENDS = {"send_email": "email", "send_sms": "sms", "send_whatsapp": "whatsapp", "send_push": "push"}
OWN_EVENTS = ("purchased", "visited", "called")
SENDERS = {
    "email": "news@acme.example",
    "sms": "+38595000111",
    "whatsapp": "+38595000222",
    "push": "app",
}
MOST_ELEMENTS = 15

CONTACT_CONDITIONS = (
    'contact.country == "HR"',
    "contact.orders >= 5",
    'contact.country in ["DE", "AT"] or not contact.vip',
    'has_tag("club") and not is_empty(contact.city)',
    "days_since(contact.joined) < 30",
)
TEMPLATES = (
    "Hello",
    "Hello {{ contact.first_name | default: 'you' }}",
    "{% if contact.vip %}Dear{% else %}Hi{% endif %} friend {{ opt_out_link }}",
    "Zdravo, šefe: 50 % 🎉",
)
WITHIN_ANY = ("1 hour", "48 hours", "2 days", "1 day 2 hours", "forever")
WITHIN_LONG = ("60 days", "10 weeks", "forever")  # longer than all pauses of a flow together
PAUSES = ("30 minutes", "2 hours", "1 day", "36 hours")
MOMENTS = ("09:00", "monday 09:00", "contact.birthday", "2026-12-24 18:00")


@st.composite
def flow_data(draw: st.DrawFn, most_elements: int = MOST_ELEMENTS) -> dict[str, Any]:
    """A valid flow as the plain data of its YAML."""
    entry = draw(_entries())
    conditions: tuple[str, ...] = CONTACT_CONDITIONS
    if "event" in entry:
        conditions += ("entry.value > 100", 'event.shop == "web" and contact.orders < 2')
    data: dict[str, Any] = {"flow": draw(st.sampled_from(("win-back", "f", "flow_2")))}
    if draw(st.booleans()):
        data["language"] = 1
    if entry:
        data["entry"] = entry
    if draw(st.booleans()):
        data["stop_when"] = draw(st.lists(_stop_rules(), min_size=1, max_size=2))
    data["settings"] = draw(_settings())
    data["elements"] = _elements(draw, conditions, most_elements)
    return data


def flow_texts(most_elements: int = MOST_ELEMENTS) -> st.SearchStrategy[str]:
    """Valid flows as YAML."""
    return flow_data(most_elements).map(as_yaml)


@st.composite
def broken_flow_texts(draw: st.DrawFn) -> str:
    """YAML of a flow in which something was left out, misspelt, swapped or scribbled over. Now and then it is still
    valid."""
    data = draw(flow_data())
    for _ in range(draw(st.integers(0, 3))):
        _break_data(draw, data)
    text = as_yaml(data)
    for _ in range(draw(st.integers(0, 2))):
        text = _break_text(draw, text)
    return text


def as_yaml(data: dict[str, Any]) -> str:
    """Plain data as a flow file."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1_000)


# --- The parts of a flow -------------------------------------------------------------------------


def _entries() -> st.SearchStrategy[dict[str, Any]]:
    again = {"again": st.sampled_from(("never", "always", "after 30 days", "after 1 hour"))}
    by_event = {"event": st.sampled_from((*OWN_EVENTS, "basket_abandoned"))}
    where = {"where": st.sampled_from(("event.value >= 20", "contact.orders > 1 and event.value < 500"))}
    condition = st.sampled_from(CONTACT_CONDITIONS)
    cron = {"schedule": st.sampled_from(("0 9 * * MON", "*/15 8-17 1 * *")), "audience": condition}
    return st.one_of(
        st.fixed_dictionaries(by_event, optional={**where, **again}),
        st.fixed_dictionaries({"segment": condition}, optional=again),
        st.fixed_dictionaries(cron, optional=again),
        st.just({}),
    )


def _stop_rules() -> st.SearchStrategy[dict[str, Any]]:
    goal = {"goal": st.booleans()}
    where = {"where": st.just("event.value > 0")}
    return st.one_of(
        st.fixed_dictionaries({"event": st.sampled_from(OWN_EVENTS)}, optional={**where, **goal}),
        st.fixed_dictionaries({"when": st.just('contact.tier == "closed"')}, optional=goal),
    )


def _settings() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"sender": st.just(dict(SENDERS))},
        optional={
            "quiet_hours": st.sampled_from(({"from": "21:00", "until": "08:00"}, {"from": "00:00", "until": "06:30"})),
            "time_zone": st.sampled_from(("Europe/Zagreb", "America/New_York", "UTC")),
        },
    )


def _elements(draw: st.DrawFn, conditions: tuple[str, ...], most: int) -> dict[str, Any]:
    """Elements one after the other; each is led to by an exit of one before it that was still open."""
    elements: dict[str, dict[str, Any]] = {}
    open_exits: list[tuple[str, str]] = []  # (element, exit)
    targets: dict[tuple[str, str], str] = {}
    patient: set[str] = set()  # may lead back: every visit lets time pass
    sends: dict[str, str] = {}
    lengths = draw(st.booleans())  # pauses by their length, and so no short waits
    for number in range(draw(st.integers(1, most))):
        name = f"e{number}"
        if number:
            if not open_exits:
                break
            targets[open_exits.pop(draw(st.integers(0, len(open_exits) - 1)))] = name
        kind = draw(st.sampled_from(KINDS))
        element, exits, waits = _element(draw, kind, conditions, sends, lengths)
        elements[name] = element
        if element["type"] in SENDS:
            sends[name] = SENDS[element["type"]]
        if waits:
            patient.add(name)
        # Whoever was put on the list is sent nothing more, so such a path ends.
        if kind == "add_to_do_not_contact":
            targets[name, "done"] = "end"
        else:
            open_exits += [(name, way) for way in exits]
    for name, way in open_exits:
        order = int(name[1:])
        ahead = [other for other in elements if int(other[1:]) > order]
        behind = [other for other in elements if int(other[1:]) <= order] if name in patient else []
        targets[name, way] = draw(st.sampled_from(["end", *ahead, *behind]))
    for name, element in elements.items():
        ways = {way: to for (source, way), to in targets.items() if source == name}
        _write_next(draw, element, ways)
    return elements


KINDS = (
    *SENDS,
    "wait_for_event",
    "wait_for_message",
    "wait_for_reply",
    "wait_for_change",
    "pause",
    "branch",
    "split",
    "update_contact",
    "add_to_do_not_contact",
    "remove_from_do_not_contact",
    "goal",
)


def _element(
    draw: st.DrawFn, kind: str, conditions: tuple[str, ...], sends: dict[str, str], lengths: bool
) -> tuple[dict[str, Any], tuple[str, ...], bool]:
    """Its options, its exits, and whether every visit lets time pass."""
    template, condition = st.sampled_from(TEMPLATES), st.sampled_from(conditions)
    within = {"within": draw(st.sampled_from(WITHIN_LONG if lengths else WITHIN_ANY))}
    if kind in SENDS:
        element: dict[str, Any] = {"type": kind, "text": draw(template)}
        if kind == "send_email":
            element |= {"subject": draw(template)}
        if draw(st.booleans()):
            element["valid_for"] = draw(st.sampled_from(("2 days", "3 hours")))
        return element, ("sent", "failed", "suppressed"), False
    if kind == "wait_for_message" and sends:
        named = draw(st.lists(st.sampled_from(sorted(sends)), min_size=1, max_size=2, unique=True))
        events = frozenset.intersection(*(CHANNELS[sends[name]].reports for name in named))
        event = draw(st.sampled_from(sorted(events)))
        message = named[0] if len(named) == 1 else named
        element = {"type": "wait_for_event", "event": event, "message": message, **within}
        return element, ("happened", "timed_out", "not_sent"), False
    if kind in ("wait_for_event", "wait_for_message"):
        element = {"type": "wait_for_event", "event": draw(st.sampled_from(OWN_EVENTS)), **within}
        if draw(st.booleans()):
            element["where"] = "event.value > 10"
        return element, ("happened", "timed_out"), True
    if kind == "wait_for_reply":
        answers = {"agree": ["yes", "ok", "sure"], "later": 'contains(event.text, "later")'}
        element = {"type": kind, **within, "paths": answers}
        able = sorted(name for name, channel in sends.items() if "replied" in CHANNELS[channel].reports)
        send = draw(st.sampled_from([None, *able]))
        if send is not None:
            element["message"] = send
            return element, (*answers, "otherwise", "timed_out", "not_sent"), False
        return element, (*answers, "otherwise", "timed_out"), True
    if kind == "wait_for_change":
        return {"type": kind, "when": draw(condition), **within}, ("happened", "timed_out"), False
    if kind == "pause":
        if lengths:
            return {"type": kind, "for": draw(st.sampled_from(PAUSES))}, ("done",), True
        until = draw(st.sampled_from(MOMENTS))
        element = {"type": kind, "until": until}
        if until == "contact.birthday":
            element["time"] = "09:00"
        return element, ("done",), ":" in until and "-" not in until
    if kind == "branch":
        paths = {"big": draw(condition), "small": draw(condition)}
        return {"type": kind, "paths": paths}, ("big", "small", "otherwise"), False
    if kind == "split":
        return {"type": kind, "paths": {"a": 1, "b": draw(st.sampled_from((1, 0.5, 99)))}}, ("a", "b"), False
    if kind == "update_contact":
        element = {"type": kind, "set": {"tier": "gold", "seen": 3}, "add_tags": ["club"]}
        return element, ("done",), False
    if kind in ("add_to_do_not_contact", "remove_from_do_not_contact"):
        channel = draw(st.sampled_from((*CHANNELS, "all")))
        level = draw(st.sampled_from(("any_sender", "this_sender"))) if channel != "all" else "any_sender"
        covers = draw(st.sampled_from(("marketing", "everything")))
        return {"type": kind, "channel": channel, "level": level, "covers": covers}, ("done",), False
    return {"type": "goal", "name": draw(st.sampled_from(("bought", "came back")))}, ("done",), False


def _write_next(draw: st.DrawFn, element: dict[str, Any], ways: dict[str, str]) -> None:
    if element["type"] in SENDS:
        for way in ("failed", "suppressed"):
            if ways[way] == "end" and draw(st.booleans()):
                del ways[way]
    if set(ways) == {"done"} or set(ways) == {"sent"}:
        (target,) = ways.values()
        if target != "end" or draw(st.booleans()):
            element["next"] = target
    else:
        element["next"] = ways


# --- Breaking them -------------------------------------------------------------------------------

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.sampled_from(("e0", "e99", "end", "otherwise", "48", "3 dayz", "{{ contact.x", "contact.x ==", "-", "*x")),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def _break_data(draw: st.DrawFn, data: dict[str, Any]) -> None:
    """One change at a random depth: a key left out, misspelt or added, a value replaced."""
    holder: Any = data
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            holder = inner
            continue
        break
    what = draw(st.sampled_from(("leave out", "replace", "misspell", "add")))
    if what == "leave out":
        del holder[key]
    elif what == "replace" or not isinstance(holder, dict):
        holder[key] = draw(JUNK)
    elif what == "misspell":
        holder[str(key)[:-1] + draw(st.sampled_from(("", "x", "_")))] = holder.pop(key)
    else:
        holder[draw(st.text(max_size=8))] = draw(JUNK)


def _break_text(draw: st.DrawFn, text: str) -> str:
    """A line left out, repeated or indented; or a few characters written somewhere."""
    lines = text.splitlines(keepends=True) or ["\n"]
    at = draw(st.integers(0, len(lines) - 1))
    what = draw(st.sampled_from(("leave out", "repeat", "indent", "write")))
    if what == "leave out":
        del lines[at]
    elif what == "repeat":
        lines.insert(at, lines[at])
    elif what == "indent":
        lines[at] = draw(st.sampled_from((" ", "  ", "\t"))) + lines[at]
    else:
        column = draw(st.integers(0, len(lines[at])))
        scribble = draw(st.one_of(st.text(max_size=3), st.text("{}[]:-&*!|>'\"%@`#,? \n\t", max_size=3)))
        lines[at] = lines[at][:column] + scribble + lines[at][column:]
    return "".join(lines)
