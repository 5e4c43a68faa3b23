"""The page of a simulation: whole, well-formed, self-contained, and safe whatever the names in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.engine.simulation.test_simulate import FLOW, told, trial

from tactful.engine.simulation.page import page
from tactful.engine.simulation.plots import Series, bars
from tactful.engine.simulation.report import Figure

VOID = {"meta", "path", "rect", "polyline", "polygon", "br"}


class Reader(HTMLParser):
    """Fails on tags that are not closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID or tag in ("rect", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Closed already."""

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID and tag not in ("rect", "path"):
            return
        while self.open and self.open[-1] == "path" != tag:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return " ".join(reader.text.split())


@pytest.mark.parametrize("seeds", [[1], [1, 2, 3]])
def test_one_report(seeds):
    found = told(trial(500), seeds)
    html = page([found], ["entry.value: 1, 2"])
    said = read(html)
    assert f"{found.totals['messages'].middle:,.0f}" in said
    assert "Guessed, for want of a word about it: entry.value: 1, 2." in said
    for each in found.elements:
        assert each.id in said


def test_two_reports_stand_beside_each_other():
    one = told(trial(500), [1, 2])
    other = told(trial(500, FLOW.replace("within: 48 hours", "within: 9 hours")), [1, 2])
    said = read(page([one, other]))
    assert f"A: f {one.version}" in said
    assert f"B: f {other.version}" in said
    assert "from A" in said


def test_nothing_comes_from_elsewhere():
    html = page([told(trial(200))])
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)


def test_names_are_data():
    flow = FLOW.replace("name: agreed", "name: '<script>alert(1)</script>'")
    html = page([told(trial(500, flow))], ["<b>"])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;" in html


def test_a_flow_nobody_came_into_has_a_page_as_well():
    found = told(trial(50, FLOW.replace("event.value >= 20", "event.value >= 2000")))
    assert "0" in read(page([found]))


def test_bars_grow_with_their_numbers_and_never_over_the_top():
    svg = bars([Series("A", [Figure(1, 1, 1), Figure(3, 5, 9)])], str, "day", str)
    heights = [float(each) for each in re.findall(r'height="([\d.]+)"', svg)]
    tops = [float(each) for each in re.findall(r' y="([\d.]+)" width', svg)]
    assert heights[1] == pytest.approx(5 * heights[0], rel=0.02)
    assert all(top >= 0 for top in tops)
