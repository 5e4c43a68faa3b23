"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = """
flow: flow.yaml
scenarios:
  - name: it goes well
    contact: {email: a@example.com}
    steps: [{enter: {}}, {sent: offer}]
  - name: it does not
    contact: {email: a@example.com}
    steps:
      - enter: {}
      - not_sent: offer
"""

TESTS = """
import pytest
from datetime import timedelta
from freezegun import freeze_time

def test_a_world_of_its_own(world):
    world.flow("flow.yaml")
    world.contact("ana@example.com")
    world.enter("win-back", "ana@example.com")
    world.advance(hours=48)
    assert world.journey().path == ["offer", "opened", "unopened"]

def test_another(world):
    assert world.journeys() == []
    assert world.clock.now() == 1_767_603_600_000

@pytest.mark.world("2026-03-02 09:00", time_zone="Europe/Zagreb")
def test_at_a_time(world):
    assert world.clock.now() == 1_772_438_400_000

@pytest.mark.world(now=None)
def test_by_the_machines_clock(world):
    with freeze_time("2026-03-02 09:00") as frozen:
        world.flow("flow.yaml")
        world.contact("ana@example.com")
        world.enter("win-back", "ana@example.com")
        frozen.tick(timedelta(hours=48))
        world.settle()
        assert world.journey().ended == "unopened"
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What pytest does there, with warnings as errors."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_scenarios_are_tests(folder: Path) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS)
    ran = pytest_in(folder, "-v")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "it.flowtest.yaml::it goes well PASSED" in ran.stdout
    assert "it.flowtest.yaml::it does not FAILED" in ran.stdout
    assert "it.flowtest.yaml:11:9: not_sent failed" in ran.stdout
    assert "  expected: no message of `offer` since `enter` on line 10\n  instead:  one was sent\n" in ran.stdout
    assert "Mon 2026-01-05 09:00  offer -> sent" in ran.stdout
    assert "Traceback" not in ran.stdout
    assert "1 failed, 1 passed" in ran.stdout


def test_scenarios_are_chosen_as_tests_are(folder: Path) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS)
    assert "1 passed, 1 deselected" in pytest_in(folder, "-k", "goes and well").stdout


@pytest.mark.full
def test_a_scenario_is_named_as_a_test_is(folder: Path) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS)
    assert "1 passed in" in pytest_in(folder, "it.flowtest.yaml::it goes well").stdout


def test_a_broken_file_is_an_error_with_its_places(folder: Path) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS.replace("sent:", "sned:"))
    ran = pytest_in(folder)
    assert ran.returncode == 2
    assert "it.flowtest.yaml:6:27: error: there is no step `sned` [unknown-step]" in ran.stdout
    assert "it.flowtest.yaml:11:9: error: there is no step `not_sned` [unknown-step]" in ran.stdout
    assert "hint: did you mean `not_sent`?" in ran.stdout


def test_a_test_asks_for_a_world(folder: Path) -> None:
    (folder / "test_it.py").write_text(TESTS)
    ran = pytest_in(folder, "--strict-markers")
    assert "4 passed" in ran.stdout, ran.stdout + ran.stderr


@pytest.mark.full
def test_workers_share_the_scenarios(folder: Path) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS)
    assert "1 failed, 1 passed" in pytest_in(folder, "-n", "2").stdout


def test_the_plugin_brings_nothing_in_before_it_is_needed() -> None:
    code = (
        "import sys, tactful.engine.testing.plugin; "
        "heavy = {'sqlalchemy', 'pydantic', 'networkx', 'yaml', 'liquid'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_brings_what_is_asked_for() -> None:
    from tactful.engine import testing

    assert testing.World.__module__ == "tactful.engine.testing.world"
    with pytest.raises(AttributeError, match="no attribute 'Wrold'"):
        _ = testing.Wrold


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.full)])
def test_the_exits_nobody_took_are_summed_up(folder: Path, workers: str) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS)
    (folder / "test_it.py").write_text(TESTS)
    said = pytest_in(folder, "--flow-coverage", "-n", workers).stdout
    # The scenarios take `offer -> sent`, the tests with a world `opened -> timed_out` and `unopened -> done`.
    assert "win-back: 3 of 13 exits taken\n  flow.yaml:11: offer -> failed -> by_text\n" in said, said
    assert "flow.yaml:16: opened -> timed_out" not in said
    assert said.count("\n3 of 13 exits taken\n") == 1
    assert "exits taken" not in pytest_in(folder, "-n", workers).stdout
