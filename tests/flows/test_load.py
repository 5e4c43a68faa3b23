"""Loading: what a flow is made of, the files beside it, and the sources it is stored as."""

import os
import subprocess
import sys
import time

import pytest
import yaml

from tactful.elements.contract import QuietHours
from tactful.elements.options.duration import Duration
from tactful.flows.load import fingerprint, load_file, load_sources
from tactful.flows.model import LONE, ByEvent, ByHand, BySchedule, BySegment, Place, SenderFacts, Surroundings
from tactful.flows.source import read

WIN_BACK = """\
flow: win-back
language: 1
about: Win back people who left a basket.

entry:
  event: basket_abandoned
  where: event.value >= 20
  again: after 30 days

stop_when:
  - {event: purchased, where: event.value > 0, goal: true}
  - {when: contact.tier == "closed"}

settings:
  sender: {email: news@acme.example, sms: +38595000111}
  quiet_hours: {from: 21:00, until: 08:00}
  time_zone: Europe/Zagreb

elements:
  offer:
    type: send_email
    subject: "We kept your basket, {{ contact.first_name | default: 'friend' }}"
    html: {file: offer.html}
    next: opened

  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 48 hours
    next: {happened: end, timed_out: unopened}

  unopened:
    type: add_to_do_not_contact
    channel: email
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "flow.yaml").write_text(WIN_BACK, encoding="utf-8")
    (tmp_path / "offer.html").write_text("<p>Hello\r\nyou</p>", encoding="utf-8", newline="")
    return tmp_path


def flow_of(loaded):
    assert [problem.render() for problem in loaded.errors] == []
    assert loaded.flow is not None
    return loaded.flow


def minimal(*lines):
    return "flow: f\n" + "".join(line + "\n" for line in lines) + "elements:\n  a: {type: goal, name: x}\n"


def test_a_flow_is_read_whole(folder, elements):
    flow = flow_of(load_file(folder / "flow.yaml", elements))
    assert (flow.id, flow.about, flow.start) == ("win-back", "Win back people who left a basket.", "offer")
    assert isinstance(flow.entry, ByEvent)
    assert (flow.entry.event, str(flow.entry.where)) == ("basket_abandoned", "event.value >= 20")
    assert flow.again == Duration.parse("30 days")
    assert [(rule.event, rule.goal) for rule in flow.stop_when] == [("purchased", True), (None, False)]
    assert flow.settings.senders == {"email": "news@acme.example", "sms": "+38595000111"}
    assert flow.settings.quiet_hours == QuietHours(21 * 60, 8 * 60)
    assert flow.settings.time_zone == "Europe/Zagreb"
    assert flow.settings.purpose == "marketing"
    assert list(flow.nodes) == ["offer", "opened", "unopened"]
    assert flow.nodes["offer"].exits == {"sent": "opened", "failed": "end", "suppressed": "end"}
    assert flow.nodes["opened"].exits == {"happened": "end", "timed_out": "unopened", "not_sent": "end"}
    assert flow.nodes["opened"].place == Place(str(folder / "flow.yaml"), 26, 3)
    assert flow.sources == {"flow.yaml": WIN_BACK, "offer.html": "<p>Hello\nyou</p>"}


@pytest.mark.parametrize(
    ("written", "entry", "again"),
    [
        ([], ByHand, "never"),
        (["entry: {again: always}"], ByHand, "always"),
        (["entry: {segment: contact.orders > 3}"], BySegment, "never"),
        (["entry: {schedule: 0 9 * * MON, audience: contact.orders > 3, again: always}"], BySchedule, "always"),
        (["entry: {schedule: 0 9 * * MON}"], BySchedule, "never"),
    ],
)
def test_ways_to_enter(load, written, entry, again):
    flow = flow_of(load(minimal(*written)))
    assert isinstance(flow.entry, entry)
    assert flow.again == again


# --- Files beside a flow -------------------------------------------------------------------------


def send(name):
    return f"flow: f\nelements:\n  a: {{type: send_email, subject: x, html: {{file: {name!r}}}}}\n"


def codes_of(folder, elements, text):
    (folder / "flow.yaml").write_text(text, encoding="utf-8")
    loaded = load_file(folder / "flow.yaml", elements)
    return [(problem.place.line, problem.place.column, problem.code) for problem in loaded.problems]


def test_a_file_in_a_folder_below_is_found(folder, elements):
    (folder / "texts").mkdir()
    (folder / "texts" / "a.html").write_text("hello", encoding="utf-8")
    assert codes_of(folder, elements, send("texts/a.html")) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../secret.html", "file-outside"),
        ("texts/../../secret.html", "file-outside"),
        ("/etc/passwd", "file-outside"),
        ("C:\\\\secret.html", "file-outside"),
        ("link.html", "file-outside"),
        ("linked/secret.html", "file-outside"),
        ("nowhere.html", "file-missing"),
        ("nowhere/x.html", "file-missing"),
        (".", "file-missing"),
        ("circle.html", "file-unreadable"),
        ("x" * 300, "file-unreadable"),
        ("pipe", "file-missing"),
        ("binary.html", "encoding"),
        ("large.html", "too-large"),
    ],
)
def test_nothing_outside_the_folder_and_nothing_but_text_is_read(tmp_path, elements, name, code):
    (tmp_path / "secret.html").write_text("secret", encoding="utf-8")
    inside = tmp_path / "flows"
    inside.mkdir()
    (inside / "link.html").symlink_to(tmp_path / "secret.html")
    (inside / "linked").symlink_to(tmp_path)
    (inside / "circle.html").symlink_to(inside / "circle.html")
    (inside / "binary.html").write_bytes(b"\xff\xd8\xff")
    (inside / "large.html").write_bytes(b"x" * 1_100_000)
    os.mkfifo(inside / "pipe")
    column = send(name).splitlines()[2].index("{file: ") + len("{file: ") + 1
    assert codes_of(inside, elements, send(name)) == [(3, column, code)]


def test_a_missing_file_is_guessed_from_those_there(folder, elements):
    (folder / "flow.yaml").write_text(send("ofer.html"), encoding="utf-8")
    (problem,) = load_file(folder / "flow.yaml", elements).problems
    assert problem.hint == "did you mean `offer.html`?"


def test_a_mistake_in_a_file_is_told_in_that_file(folder, elements):
    (folder / "offer.html").write_text("<p>\n  {{ contact.first_name | upcas }}</p>", encoding="utf-8")
    (problem,) = load_file(folder / "flow.yaml", elements).problems
    assert problem.place.file == str(folder / "offer.html")
    assert problem.place.line == 2
    assert problem.source_line == "  {{ contact.first_name | upcas }}</p>"


def test_a_flow_file_that_is_none_is_a_problem(tmp_path, elements):
    for path in (tmp_path, tmp_path / "nowhere.yaml", tmp_path / ("x" * 300)):
        (problem,) = load_file(path, elements).problems
        assert problem.code == "file-unreadable"
        assert problem.render().startswith(f"{path}:1:1: error: ")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a" * 10_000_000)
    assert [problem.code for problem in load_file(large, elements).problems] == ["too-large"]


# --- Stored flows --------------------------------------------------------------------------------


def test_a_stored_flow_needs_no_disk(folder, elements):
    flow = flow_of(load_file(folder / "flow.yaml", elements))
    stored = flow_of(load_sources(dict(flow.sources), elements))
    assert stored.fingerprint == flow.fingerprint
    assert stored.sources == flow.sources
    assert {name: node.exits for name, node in stored.nodes.items()} == {
        name: node.exits for name, node in flow.nodes.items()
    }


def test_the_fingerprint_is_of_what_the_flow_says(folder, elements):
    def of(text, html="x", name="flow.yaml"):
        sources = {name: text, "offer.html": html, "unused.html": "u"}
        return flow_of(load_sources(sources, elements)).fingerprint

    first = of(WIN_BACK)
    assert len(first) == 64
    assert of(WIN_BACK, name="renamed.yaml") == first
    assert of("\ufeff" + WIN_BACK.replace("\n", "\r\n")) == first
    assert of(WIN_BACK, html="y") != first
    assert of(WIN_BACK + "# a comment\n") != first
    # Texts and names cannot run into each other.
    assert fingerprint({"f": "a", "b": "c"}) != fingerprint({"f": "ab", "": "c"})


def test_no_sources_are_no_flow(elements):
    with pytest.raises(ValueError, match="at least its YAML"):
        load_sources({}, elements)


# --- A number where text is wanted, and the reverse ----------------------------------------------


def test_a_number_is_its_spelling_where_text_is_wanted(load):
    loaded = load(
        "flow: 2024\nentry: {event: 5}\nelements:\n"
        "  1:\n    type: send_email\n    subject: 2024\n    text: 3.50\n    sender: 123\n    next: 2\n"
        "  2: {type: wait_for_event, event: 7, within: 1 day, next: {happened: 3, timed_out: end}}\n"
        "  3: {type: split, paths: {1: 1.10, 2: 2}, next: {1: end, 2: end}}\n"
    )
    flow = flow_of(loaded)
    assert flow.id == "2024"
    assert flow.entry.event == "5"
    first, second, third = (node.element for node in flow.nodes.values())
    assert (str(first.subject), str(first.text), first.sender) == ("2024", "3.50", "123")
    assert second.event == "7"
    assert third.paths == {"1": 1.1, "2": 2.0}


# --- Every element's own example -----------------------------------------------------------------


def example_of(element):
    lines = (element.__doc__ or "").partition("Example:\n")[2].splitlines()
    document, problems = read("example", "\n".join(line[8:] for line in lines))
    assert problems == []
    return document.data if document is not None else {}


def test_every_element_s_example_has_its_options_and_exits(elements, load):
    for word, element in elements.items():
        example = example_of(element)
        assert example, f"{word} has no example"
        for name, options in example.items():
            targets = options.get("next", "end")
            named = targets.values() if isinstance(targets, dict) else [targets]
            others = {id: {"type": "goal", "name": id} for id in named if id != "end"}
            message = options.get("message")
            if message:
                sends = {
                    "type": "send_whatsapp",
                    "text": "x",
                    "next": {"sent": name, "failed": name},
                }
                flow = {message: sends, name: options, **others}
            else:
                flow = {name: options, **others}
            text = yaml.safe_dump({"flow": "f", "entry": {"event": "e"}, "elements": flow}, sort_keys=False)
            loaded = load(text, offer="x")
            assert [problem.render() for problem in loaded.errors] == [], word


# --- Cost ----------------------------------------------------------------------------------------


def big_flow(elements):
    lines = ["flow: big", "settings: {sender: {email: a@b.example}}", "entry: {event: go}", "elements:"]
    for number in range(elements // 5):
        following = f"s{number + 1}" if number + 1 < elements // 5 else "end"
        lines.append(f"""\
  s{number}:
    type: send_email
    subject: "Hello {{{{ contact.first_name | default: 'friend' }}}}, number {number}"
    html: "<p>Offer {number} for {{{{ contact.first_name | default: 'you' }}}}</p>"
    next: w{number}
  w{number}:
    type: wait_for_event
    event: opened
    message: s{number}
    within: 48 hours
    next: {{happened: b{number}, timed_out: p{number}}}
  b{number}:
    type: branch
    paths: {{vip: contact.orders >= 5, big: entry.value > {number}}}
    next: {{vip: u{number}, big: p{number}, otherwise: p{number}}}
  u{number}:
    type: update_contact
    set: {{tier: gold}}
    next: p{number}
  p{number}: {{type: pause, for: 3 days, next: {following}}}""")
    return "\n".join(lines) + "\n"


PROJECT = Surroundings(
    attributes={"first_name": "text", "orders": "number", "tier": "text"},
    senders={"a@b.example": SenderFacts("email")},
    transactional=frozenset(),
)


@pytest.mark.parametrize("around", [LONE, PROJECT], ids=["lone", "project"])
def test_a_thousand_elements_are_checked_within_a_second(load, around):
    text, took = big_flow(1_000), []
    for _ in range(3):  # the best of three: a busy machine's processor time is not its own
        begin = time.process_time()
        loaded = load(text, around)
        took.append(time.process_time() - begin)
        assert loaded.problems == ()
    assert min(took) < 1


def chain(count, element):
    """A chain of elements, each written by a function of its name and the next one's."""
    names = [f"e{number}" for number in range(count)]
    return "".join(f"  {a}: {element(a, b)}\n" for a, b in zip(names, [*names[1:], "end"], strict=True))


def wait_far_away(name, following):
    return (
        "{type: wait_for_event, event: clicked, message: [s, t], within: 1 day, "
        f"next: {{happened: {following}, timed_out: {following}}}}}"
    )


HARD = {
    "every wait is for the first two sends": (
        "  s: {type: send_sms, text: x, next: {sent: e0, failed: t}}\n"
        "  t: {type: send_sms, text: x, next: {sent: e0, failed: e0}}\n" + chain(1_000, wait_far_away)
    ),
    "everything leads to everything near": chain(
        2_000,
        lambda name, following: (
            f"{{type: wait_for_event, event: x, within: 1 day, next: "
            f"{{happened: {following}, timed_out: e{int(name[1:]) // 2}}}}}"
        ),
    ),
    "a very long circle": chain(
        4_000, lambda name, to: f"{{type: goal, name: x, next: {to if to != 'end' else 'e0'}}}"
    ),
    "every element has blocks of its own": chain(
        2_000,
        lambda name, to: (
            f"{{type: add_to_do_not_contact, channel: sms, level: this_sender, sender: '{name}', next: {to}}}"
            if int(name[1:]) % 2
            else f"{{type: send_sms, text: x, sender: x{name}, next: {to}}}"
        ),
    ),
    "all unreachable": "  a: {type: goal, name: x}\n"
    + chain(3_000, lambda name, to: f"{{type: goal, name: x, next: {to}}}"),
    "all misspelt": chain(2_000, lambda name, to: f"{{type: pause, for: 1 day, next: x{to}}}"),
    "one branch with very many paths": "  a:\n    type: split\n    paths:\n"
    + "".join(f"      p{number}: 1\n" for number in range(5_000)),
    "one element with very many options": "  a:\n    type: goal\n"
    + "".join(f"    option{number}: {{x: 1}}\n" for number in range(5_000)),
    "one element with one option very often": "  a:\n    type: goal\n" + "    name: [x]\n" * 5_000,
}


@pytest.mark.parametrize("name", HARD)
def test_hard_flows_are_checked_within_seconds(load, name):
    text = "flow: f\nelements:\n" + HARD[name]
    begin = time.process_time()
    load(text)
    assert time.process_time() - begin < 5  # what is quadratic takes minutes


def test_importing_costs_no_graph_library():
    asked = "import sys, tactful.flows.load, tactful.flows.graph; print('networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
