"""Pictures of flows: what is on them, that nothing on them gets into each other's way, and that they are safe."""

import hashlib
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements import catalogue
from tactful.flows.draw import KINDS, Highlight, PngUnavailable, draw, frames, looks, text
from tactful.flows.draw.cards import cards
from tactful.flows.draw.layout import Box, Layout, Link, lay_out
from tactful.flows.load import load_sources
from tactful.flows.model import ByEvent, Flow

WIN_BACK = """
flow: win-back
about: Win back people who left a basket, and take no for an answer.
entry: {event: basket_abandoned, where: event.value >= 20, again: after 30 days}
stop_when:
  - {event: purchased, where: event.value > 0, goal: true}
  - {when: contact.tier == "closed"}
settings: {sender: {email: news@acme.example}}
elements:
  offer: {type: send_email, subject: We kept your basket, text: "{{ opt_out_link }}", next: opened}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 48 hours
    next: {happened: how_big, timed_out: unopened}
  how_big:
    type: branch
    paths: {vip: contact.orders >= 5, big: entry.value > 100}
    next: {vip: voucher, big: voucher, otherwise: end}
  voucher: {type: send_email, subject: A voucher, text: "{{ opt_out_link }}"}
  unopened: {type: add_to_do_not_contact, channel: email, level: any_sender}
"""

WELCOME = """
flow: welcome
entry: {event: signed_up}
settings: {sender: {email: news@acme.example, sms: "+38595000111"}}
elements:
  subject_test: {type: split, paths: {plain: 50, warm: 50}, next: {plain: hello, warm: hello_you}}
  hello: {type: send_email, subject: Welcome, text: "{{ opt_out_link }}", next: first_look}
  hello_you: {type: send_email, subject: So good to have you, text: "{{ opt_out_link }}", next: first_look}
  first_look: {type: wait_for_event, event: visited, within: 3 days, next: {happened: welcomed, timed_out: nudge}}
  nudge: {type: send_sms, text: Need a hand? STOP ends this, next: {sent: welcomed, failed: give_up}}
  give_up: {type: add_to_do_not_contact, channel: sms}
  welcomed: {type: goal, name: welcomed}
"""

AGAIN = """
flow: again-and-again
entry: {event: asked}
settings: {sender: {sms: "+38595000111"}}
elements:
  ask: {type: send_sms, text: How was it? STOP ends this, next: answer}
  answer:
    type: wait_for_reply
    within: 2 days
    paths: {good: [good, fine], bad: [bad], later: [later]}
    next: {good: pleased, bad: sorry, later: rest, otherwise: answer, timed_out: rest}
  rest: {type: pause, for: 3 days, next: ask}
  pleased: {type: goal, name: pleased}
  sorry: {type: update_contact, add_tags: [unhappy]}
"""


def load(source: str) -> Flow:
    loaded = load_sources({"flow.yaml": source}, catalogue())
    assert loaded.flow is not None, [problem.render() for problem in loaded.problems]
    return loaded.flow


@pytest.fixture(scope="module", params=[WIN_BACK, WELCOME, AGAIN], ids=["win-back", "welcome", "again"])
def flow(request) -> Flow:
    return load(request.param)


def laid_out(flow: Flow) -> tuple[list[frames.Frame], list[Box], list[Link], Layout]:
    framed = frames.frames(cards(flow))
    links = [
        Link(number, port, chip.to, chip.failure)
        for number, frame in enumerate(framed)
        for port, chip in enumerate(frame.card.chips)
        if chip.to is not None
    ]
    boxes = [frame.box for frame in framed]
    return framed, boxes, links, lay_out(boxes, links)


def middles(flow: Flow) -> dict[str, float]:
    """The middle of each card, by the element's id; the entry card's as ""."""
    framed, boxes, _, layout = laid_out(flow)
    return {
        frame.card.id: corner[0] + box.width / 2
        for frame, box, corner in zip(framed, boxes, layout.corners, strict=True)
    }


# --- Geometry ------------------------------------------------------------------------------------


def faults(boxes: list[Box], links: list[Link], layout: Layout) -> list[str]:
    """Whatever overlaps on a layout, runs through a box, leaves its place, or is not at right angles."""
    found = []
    areas = [
        (x, y, x + box.width, y + box.height, y + box.height + box.below)
        for box, (x, y) in zip(boxes, layout.corners, strict=True)
    ]
    for one, (left, top, right, _, clear) in enumerate(areas):
        if left < -0.01 or top < -0.01 or right > layout.width + 0.01 or clear > layout.height + 0.01:
            found.append(f"box {one} stands outside")
        for other, (begin, over, end, _, under) in enumerate(areas[:one]):
            if left < end and begin < right and top < under and over < clear:
                found.append(f"boxes {one} and {other} overlap")
    stretches = []
    for number, (link, points) in enumerate(zip(links, layout.points, strict=True)):
        found += ends(number, link, boxes, layout)
        for (x1, y1), (x2, y2) in pairwise(points):
            if abs(x1 - x2) > 0.01 and abs(y1 - y2) > 0.01:
                found.append(f"link {number} is oblique")
            stretch = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
            stretches.append((number, *stretch))
            for box, (left, top, right, bottom, clear) in enumerate(areas):
                inside = stretch[0] < right - 0.1 and stretch[2] > left + 0.1
                limit = bottom if box == link.source else clear
                if inside and stretch[1] < limit - 0.1 and stretch[3] > top + 0.1:
                    found.append(f"link {number} runs through box {box}")
    stretches.sort(key=lambda stretch: stretch[1])
    for at, (one, left, top, right, bottom) in enumerate(stretches):
        for other, begin, over, end, under in stretches[at + 1 :]:
            if over > bottom + 6:
                break
            if links[one].target == links[other].target:
                continue
            level = bottom - top < 0.01 and under - over < 0.01
            upright = right - left < 0.01 and end - begin < 0.01 and bottom - top > 0.01 and under - over > 0.01
            if level and abs(top - over) < 6 and min(right, end) - max(left, begin) > 0.5:
                found.append(f"links {one} and {other} lie on each other")
            if upright and abs(left - begin) < 6 and min(bottom, under) - max(top, over) > 0.5:
                found.append(f"links {one} and {other} lie on each other")
    return found


def ends(number: int, link: Link, boxes: list[Box], layout: Layout) -> list[str]:
    """Whether a link leaves its port and arrives at its target's edge."""
    points = layout.points[number]
    box, (left, top) = boxes[link.source], layout.corners[link.source]
    port = box.ports[layout.slots[link.source].index(link.port)]
    good = abs(points[0][0] - (left + box.width / 2 + port)) < 0.01 and abs(points[0][1] - top - box.height) < 0.01
    box, (left, top), (x, y) = boxes[link.target], layout.corners[link.target], points[-1]
    if number in layout.beside:
        good &= min(abs(x - left), abs(x - left - box.width)) < 0.01 and top < y < top + box.height
    else:
        good &= abs(y - top) < 0.01 and left + 10 < x < left + box.width - 10
        good &= abs(points[-2][0] - x) < 0.01 and points[-2][1] < y
    return [] if good else [f"link {number} does not join its boxes"]


@st.composite
def graphs(draw) -> tuple[list[Box], list[Link]]:
    count = draw(st.integers(1, 22))
    boxes, links = [], []
    for number in range(count):
        ports = draw(st.sampled_from([0, 1, 1, 2, 2, 3, 6]))
        width = max(252.0, 10 + ports * 72.0)
        slots = tuple((at + 0.5) / ports * (width - 10) - (width - 10) / 2 for at in range(ports))
        boxes.append(Box(width, 66 if ports < 2 else 100, slots, draw(st.sampled_from([0, 32]))))
        for port in range(ports):
            near = st.integers(number, min(count - 1, number + 4))
            target = draw(st.one_of(st.none(), near, near, near, st.integers(0, count - 1)))
            if target is not None:
                links.append(Link(number, port, target, draw(st.booleans()) and draw(st.booleans())))
    return boxes, links


@given(graphs())
def test_nothing_is_in_the_way_of_anything(graph):
    boxes, links = graph
    layout = lay_out(boxes, links)
    assert faults(boxes, links, layout) == []
    assert all(sorted(slots) == list(range(len(box.ports))) for slots, box in zip(layout.slots, boxes, strict=True))


def test_nothing_is_in_the_way_on_real_flows(flow):
    _, boxes, links, layout = laid_out(flow)
    assert faults(boxes, links, layout) == []


def tangle(count: int) -> tuple[list[Box], list[Link]]:
    """A big graph with many long ways, some backward, always the same."""
    boxes = [Box(252, 100, (-80.0, 0.0, 80.0), 32)] * count
    links = []
    for number in range(count - 1):
        for port, seed in enumerate((7, 11, 13)):
            step = (number * seed * 31 + port) % 17 - 3
            if step:
                links.append(Link(number, port, max(0, min(count - 1, number + step)), (number + port) % 9 == 0))
    return boxes, links


@pytest.mark.parametrize("count", [150, pytest.param(600, marks=pytest.mark.full)])
def test_nothing_is_in_the_way_of_anything_on_a_big_flow(count):
    boxes, links = tangle(count)
    assert faults(boxes, links, lay_out(boxes, links)) == []


def test_a_box_alone():
    layout = lay_out([Box(252, 66)], [])
    assert (layout.width, layout.height, layout.corners) == (252, 66, ((0, 0),))


def test_the_main_way_is_one_straight_column():
    at = middles(load(WIN_BACK))
    assert at["offer"] == at["opened"] == at["how_big"] == at["voucher"] == at[""]
    assert at["unopened"] > at["opened"]


def test_equal_ways_stand_evenly_and_meet_below_where_they_part():
    at = middles(load(WELCOME))
    assert at["subject_test"] == at["first_look"] == at[""]
    assert at["subject_test"] - at["hello"] == at["hello_you"] - at["subject_test"] > 0


def test_lines_back_run_at_the_side():
    framed, _, links, layout = laid_out(load(AGAIN))
    back = {(framed[links[number].source].card.id, framed[links[number].target].card.id) for number in layout.beside}
    assert back == {("rest", "ask"), ("answer", "answer")}


def test_exits_keep_their_order_unless_that_saves_a_crossing():
    box = Box(252, 100, (-60.0, 60.0))
    straight = [Link(0, 0, 1), Link(0, 1, 2), Link(1, 0, 3), Link(2, 0, 3)]
    assert lay_out([box] * 4, straight).slots[0] == (0, 1)
    # Two exits lead to one box; the line of the one between them would cross one of theirs.
    three = Box(252, 100, (-80.0, 0.0, 80.0))
    crossing = [Link(0, 0, 1), Link(0, 1, 2), Link(0, 2, 1)]
    assert lay_out([three] * 3, crossing).slots[0] in {(0, 2, 1), (1, 0, 2)}


# --- What is on the picture ------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def svg(flow: Flow, *, dark: bool = False) -> ET.Element:
    return ET.fromstring(draw(flow, "svg", dark=dark))


def words(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def test_the_entry_card_says_who_comes_in_and_what_takes_them_out():
    said = words(svg(load(WIN_BACK)))
    assert said[:7] == [
        "win-back",
        "Win back people who left a basket, and take no for an answer.",
        "When basket_abandoned happens",
        "where event.value >= 20",
        "again after 30 days",
        "Stops at purchased where event.value > 0 · goal",
        'Stops when contact.tier == "closed"',
    ]


def test_an_element_says_its_name_its_summary_and_its_exits():
    said = words(svg(load(WIN_BACK)))
    here = said.index("How big")
    assert said[here + 2 : here + 6] == ["vip", "big", "otherwise", "ends"]
    assert said[said.index("Opened") + 1] == load(WIN_BACK).nodes["opened"].element.summary()


def test_exits_that_need_no_name_and_end_are_not_drawn():
    said = words(svg(load(WIN_BACK)))
    assert not {"sent", "failed", "suppressed", "not sent"} & set(said)
    assert said.count("ends") == 3  # voucher, otherwise, unopened


def test_failures_are_dashed_and_red():
    drawn = draw(load(WELCOME), "svg")
    assert drawn.count("stroke-dasharray") == 1
    assert f'stroke="{looks.LIGHT.bad}" stroke-width="1.5" stroke-dasharray' in drawn


def test_do_not_contact_has_a_colour_of_its_own():
    tones = {card.id: card.tone for card in cards(load(WELCOME))}
    assert tones["give_up"] == "do_not_contact"
    assert list(tones.values()).count("do_not_contact") == 1


def test_screen_readers_hear_title_and_description():
    picture = svg(load(WIN_BACK))
    title, told = picture[0], picture[1]
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"
    assert title.text == "win-back"
    assert "timed out: goes on to Unopened" in (told.text or "")


def test_text_stays_on_its_card():
    long = WIN_BACK.replace("We kept your basket", "W" * 80).replace("how_big", "how_" + "big_" * 20)
    long = long.replace("big:", "b" * 40 + ":").replace("basket_abandoned", "basket_" * 20 + "abandoned")
    picture = svg(load(long))
    group = picture.find(f"{SVG}g")
    assert group is not None
    checked = 0
    for card in group.findall(f"{SVG}g[@transform]"):
        panels = [rect for rect in card.findall(f"{SVG}rect") if rect.get("x") is None]
        if not panels:
            continue
        room = float(panels[0].attrib["width"])
        for element in card.findall(f"{SVG}text"):
            size = float(element.attrib["font-size"])
            taken = text.width(element.text or "", size, strong="font-weight" in element.attrib)
            left = float(element.attrib["x"]) - (taken / 2 if element.get("text-anchor") else 0)
            assert left >= 0
            assert left + taken <= room
            checked += 1
    assert checked > 20


def test_dark_is_the_same_picture_in_other_colours(flow):
    light, dark = draw(flow, "svg"), draw(flow, "svg", dark=True)
    assert light != dark
    assert re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)


@pytest.mark.parametrize("theme", [looks.LIGHT, looks.DARK], ids=["light", "dark"])
def test_contrast_is_enough(theme):
    for ground in (theme.ground, theme.panel):
        assert contrast(theme.ink, ground) >= 7
        assert contrast(theme.quiet, ground) >= 4.5
        assert contrast(theme.line, ground) >= 3
    assert contrast(theme.bad, looks.mix(theme.bad, theme.panel, 0.08)) >= 4.5
    assert contrast(theme.bad, theme.ground) >= 3
    for tone, hue in theme.hues.items():
        assert contrast(hue, theme.tint(tone)) >= 3


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_element_of_ours_has_its_icon_and_colour(flow):
    for card in cards(flow):
        assert card.icon in looks.ICONS
        assert card.tone in looks.LIGHT.hues
        assert card.tone in looks.DARK.hues


# --- All formats -----------------------------------------------------------------------------------

NASTY = (
    "\"]; click n1 'javascript:x' --> <script>x()</script> </svg> ]]> &amp; `code` #quot; \\\" %%{init} \x00\x1b \u202e"
)


def nasty(flow: Flow) -> Flow:
    """The flow with nasty text wherever it has text, as no loader would let through."""
    nodes = {
        NASTY + name: replace(
            node,
            id=NASTY + name,
            exits=MappingProxyType({way: to if to == "end" else NASTY + to for way, to in node.exits.items()}),
        )
        for name, node in flow.nodes.items()
    }
    return replace(
        flow, id=NASTY, about=NASTY, entry=ByEvent(NASTY), start=NASTY + flow.start, nodes=MappingProxyType(nodes)
    )


def test_svg_takes_any_text(flow):
    picture = svg(nasty(flow))
    known = {"svg", "title", "desc", "g", "rect", "path", "circle", "text"}
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} == known
    assert not [
        name for element in picture.iter() for name in element.attrib if name.startswith("on") or "href" in name
    ]
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", ET.tostring(picture, "unicode"))


def test_mermaid_takes_any_text(flow):
    drawn = draw(nasty(flow), "mmd")
    head, title, tail, chart, *lines = drawn.splitlines()
    assert (head, tail, chart) == ("---", "---", "flowchart TD")
    assert title.startswith('title: "')
    label = r'"[^"<>`\[\]{};\\]*(?:(?:<br/>|</?b>|#\d+;)[^"<>`\[\]{};\\]*)*"'
    shapes = rf'n\d+(?:\(\[{label}\]\)|\({label}\)|{{{{{label}}}}})|e\d+_\d+\(\["ends"\]\)'
    arrows = rf"n\d+ -\.?->(?:\|{label}\|)? [ne]\d+(?:_\d+)?"
    styles = r"(?:classDef|class|linkStyle) [\w,]+ [\w:#,-]+"
    for line in lines:
        assert re.fullmatch(rf"  (?:{shapes}|{arrows}|{styles})", line), line


def test_dot_takes_any_text(flow):
    drawn = draw(nasty(flow), "dot")
    labels = re.findall(r"label=<(.*)>\]$", drawn, re.MULTILINE)
    assert len(labels) == len(flow.nodes) + 2  # and the entry, and the whole
    for label in labels:
        ET.fromstring(label)
    for line in drawn.splitlines():
        plain = re.sub(r"label=<.*>\]$", "label=x]", line)
        assert re.fullmatch(r'digraph flow {|}|  [\w: >-]+(?: \[[\w=#", .]+\])?', plain), line


def test_mermaid_and_dot_have_every_element_and_line(flow):
    _, boxes, links, _ = laid_out(flow)
    for drawn, arrow in ((draw(flow, "mmd"), r" -\.?->"), (draw(flow, "dot"), " -> ")):
        assert len(re.findall(rf"^  n\d+\S*{arrow}.*n\d+", drawn, re.MULTILINE)) == len(links)
        assert {f"n{number}" for number in range(len(boxes))} <= set(re.findall(r"\bn\d+\b", drawn))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_flow_is_the_same_picture(flow, kind):
    if kind == "png":
        pytest.importorskip("resvg_py")
    assert draw(flow, kind) == draw(flow, kind)


def test_pictures_do_not_depend_on_the_process(tmp_path: Path):
    script = (
        "import hashlib, sys; from tactful.elements import catalogue; from tactful.flows.draw import draw;"
        "from tactful.flows.load import load_sources;"
        "flow = load_sources({'flow.yaml': sys.stdin.read()}, catalogue()).flow;"
        "sys.stdout.write(hashlib.sha256(draw(flow, 'svg').encode()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        input=WELCOME, capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )  # fmt: skip
    drawn = draw(load(WELCOME), "svg")
    assert run.stdout == hashlib.sha256(drawn.encode()).hexdigest()


def test_png_is_a_picture_twice_as_fine():
    pytest.importorskip("resvg_py")
    flow = load(WIN_BACK)
    drawn = draw(flow, "png")
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    width = float(svg(flow).attrib["width"])
    assert int.from_bytes(drawn[16:20], "big") == pytest.approx(2 * width, abs=2)


def test_png_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(PngUnavailable, match=r"pip install 'tactful\[png\]'"):
        draw(load(WIN_BACK), "png")


def test_no_other_kind_is_drawn():
    with pytest.raises(ValueError, match="only as svg, png, mmd, dot"):
        draw(load(WIN_BACK), "pdf")  # type: ignore[call-overload]


# --- Text ------------------------------------------------------------------------------------------


@given(st.text(), st.floats(0, 300), st.booleans())
def test_fitted_text_fits(said, room, strong):
    fitted = text.fit(said, 14, room, strong=strong)
    assert text.width(fitted, 14, strong=strong) <= room + 1e-6
    assert fitted == said or fitted.endswith("…") or fitted == ""


@given(st.text())
def test_plain_text_is_fit_for_xml_and_one_line(said):
    kept = text.plain(said)
    ET.fromstring(f"<a>{kept.replace('&', '').replace('<', '')}</a>")
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in kept)
    assert text.plain(kept) == kept


def test_text_in_any_script_has_a_sensible_width():
    for said in ("Привет мир", "Καλημέρα", "Čćžšđ ąęłż", "Hello there"):
        assert 0.45 < text.width(said, 1) / len(said) < 0.85
    assert text.width("你好世界", 10) == pytest.approx(42)
    assert text.width("e\u0301", 10) == text.width("e", 10)
    assert text.width("🛒", 10) == 13


def test_an_ellipsis_does_not_part_a_letter_from_its_accent():
    fitted = text.fit("abce\u0301e\u0301e\u0301", 10, text.width("abce…", 10))
    assert fitted == "abce\u0301…"


def test_ids_become_words():
    assert text.readable("not_opened_yet") == "Not opened yet"
    assert text.readable("vip") == "Vip"


@given(st.lists(st.text("abc ", min_size=1), max_size=30), st.integers(1, 4))
def test_wrapped_text_stays_in_its_lines(said, lines):
    wrapped = text.wrap(" ".join(said), 13, 120, lines)
    assert len(wrapped) <= lines
    assert all(text.width(line, 13) <= 120 + 1e-6 for line in wrapped)


def test_a_highlight_is_all_that_is_red_and_says_why() -> None:
    flow = _flow_with_a_failure()
    red = looks.LIGHT.bad
    plain, marked = (
        {kind: draw(flow, kind, highlight=highlight) for kind in ("svg", "mmd", "dot")}
        for highlight in (None, Highlight(frozenset({("offer", "sent")}), "In red: <new>"))
    )
    nothing = draw(flow, "svg", highlight=Highlight(frozenset(), ""))
    assert plain["svg"].count("stroke-dasharray") == marked["svg"].count("stroke-dasharray") == 1
    assert f'stroke="{red}" stroke-width="1.5" stroke-dasharray' in plain["svg"]
    assert f'stroke="{red}" stroke-width="1.5" stroke-dasharray' not in marked["svg"]
    assert f'stroke="{red}" stroke-width="1.5"/>' in marked["svg"]
    assert "In red: &lt;new&gt;" in marked["svg"]
    assert f'stroke="{red}"' not in nothing
    assert f"linkStyle 2 stroke:{red}" in plain["mmd"]
    assert f"linkStyle 1 stroke:{red}" in marked["mmd"]
    assert "style=dashed, color=" in plain["dot"]
    assert f'[color="{red}"]' in marked["dot"]
    assert "[style=dashed]" in marked["dot"]


def test_a_highlighted_exit_is_drawn_though_it_only_ends() -> None:
    flow = _flow_with_a_failure()
    highlight = Highlight(frozenset({("offer", "suppressed")}), "")
    assert ">suppressed<" not in draw(flow, "svg")
    assert ">suppressed<" in draw(flow, "svg", highlight=highlight)


def _flow_with_a_failure() -> Flow:
    text = """
flow: f
settings: {sender: {email: a@acme.example, sms: "+38595000111"}}
elements:
  offer: {type: send_email, subject: s, text: t, next: {sent: end, failed: by_text}}
  by_text: {type: send_sms, text: t}
"""
    flow = load_sources({"flow.yaml": text}, catalogue()).flow
    assert flow is not None
    return flow
