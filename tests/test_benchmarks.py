"""The benchmarks run, with hardly anything to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent

QUICK = ("journey", "growth", "due", "flows", "peers")
PAGE = "<!-- targets -->\n<!-- end -->\n" + "".join(
    f"Before {name}.\n<!-- figures: {name} -->\nof the last run\n<!-- end -->\n" for name in (*QUICK, "idle")
)
SLOW = ("waiting", "answer", "idle", "simulator")  # they start processes, and wait


def bench(*arguments):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--divide", "100", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    page = tmp_path_factory.mktemp("bench") / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    done = bench(*QUICK, "--json", "--write", page)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), page


def all_measured_something(found, names):
    assert tuple(found["benchmarks"]) == names
    for name, each in found["benchmarks"].items():
        assert each["figures"], name
        assert all(figure["value"] >= 0 for figure in each["figures"])


def test_benchmarks_measure_something(ran):
    found, _ = ran
    all_measured_something(found, QUICK)


@pytest.mark.full
def test_those_that_take_longer_measure_something():
    done = bench(*SLOW, "--json")
    assert done.returncode == 0, done.stderr
    all_measured_something(json.loads(done.stdout), SLOW)


def test_a_benchmark_nobody_knows_is_named_and_all_there_are():
    done = bench("jurney")
    assert done.returncode == 2
    said, _, known = done.stderr.strip().partition("; there are ")
    assert said.endswith("there is no benchmark 'jurney'")
    assert sorted(known.split(", ")) == sorted((*QUICK, *SLOW))


def test_both_databases_are_measured_beside_their_floors(ran):
    found, _ = ran
    ratios = {each["what"]: each["ratio"] for each in found["benchmarks"]["journey"]["figures"]}
    assert ratios["SQLite: whole journey"] > 0
    assert ratios["PostgreSQL: whole journey"] > 0


def test_nothing_that_was_due_is_lost(ran):
    found, _ = ran
    lost = [each["value"] for each in found["benchmarks"]["due"]["figures"] if each["what"].endswith(": lost")]
    assert lost == [0, 0]


def test_a_page_is_renewed_between_its_marks_with_a_plot_beside_it(ran):
    _, page = ran
    text = page.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("Before")] == [
        f"Before {name}." for name in (*QUICK, "idle")
    ]
    assert text.count("of the last run") == 1, "of the one that did not run"
    assert "| SQLite: whole journey |" in text
    assert "have a target" in text.partition("Before")[0]
    assert "](page.svg)" in text
    picture = ET.parse(page.with_suffix(".svg"))
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}polyline")) == 2
