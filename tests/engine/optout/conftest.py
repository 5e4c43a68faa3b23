"""Shows the figures of the corpus at the end of a run."""

from __future__ import annotations

import pytest

FIGURES = "keywords"
"""The property of a test's report that holds one line of them."""


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
