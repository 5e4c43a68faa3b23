"""What tests of opting out share; and the figures of the corpus, shown at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.optout.site import Site, new_world, served

from tactful.engine.store.database import IN_MEMORY
from tactful.engine.testing import World

FIGURES = "keywords"
"""The property of a test's report that holds one line of them."""


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The world of a project that sends messages with links, on each kind of database."""
    url = request.getfixturevalue("postgresql").new_database() if request.param == "postgresql" else IN_MEMORY
    with new_world(tmp_path, database=url) as world:
        yield world


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A project that sends messages, and its opt-out pages, served."""
    with new_world(tmp_path) as world, served(world) as site:
        yield site


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        str(line)
        for report in terminalreporter.stats.get("passed", [])
        for name, line in report.user_properties
        if name == FIGURES
    ]
    if lines:
        terminalreporter.section("keyword rules on the corpus")
        for line in lines:
            terminalreporter.write_line(line)
