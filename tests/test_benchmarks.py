"""The benchmarks run: all of them, with hardly anything to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent
PAGE = "# Ours\n\nBefore.\n<!-- figures: begin -->\nof the last run\n<!-- figures: end -->\nAfter.\n"


def bench(*arguments):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--divide", "100", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    page = tmp_path_factory.mktemp("bench") / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    done = bench("--json", "--write", page)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), page


def test_every_benchmark_measures_something(ran):
    found, _ = ran
    assert len(found["chapters"]) == 9
    for chapter in found["chapters"]:
        assert chapter["figures"], chapter["title"]
        assert all(figure["value"] >= 0 for figure in chapter["figures"])


def test_both_databases_are_measured_beside_their_floors(ran):
    found, _ = ran
    ratios = {each["what"]: each["ratio"] for each in found["chapters"][0]["figures"]}
    assert ratios["SQLite: whole journey"] > 0
    assert ratios["PostgreSQL: whole journey"] > 0


def test_nothing_that_was_due_is_lost(ran):
    found, _ = ran
    lost = [each["value"] for each in found["chapters"][3]["figures"] if each["what"].endswith(": lost")]
    assert lost == [0, 0]


def test_a_page_is_renewed_between_its_marks_with_a_plot_beside_it(ran):
    _, page = ran
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Ours\n\nBefore.\n")
    assert text.endswith("\nAfter.\n")
    assert "of the last run" not in text
    assert "SQLite: whole journey" in text
    assert "](page.svg)" in text
    picture = ET.parse(page.with_suffix(".svg"))
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}polyline")) == 2


def test_a_benchmark_nobody_knows_is_named():
    done = bench("jurney")
    assert done.returncode == 2
    assert "there is no benchmark 'jurney'" in done.stderr
