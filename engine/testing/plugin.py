"""The pytest plugin: scenarios (`*.flowtest.yaml`) are tests, and every test may ask for a `world`.

Every run of pytest where tactful is installed loads this file, so the engine is imported by the first scenario or
the first `world`, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tactful.elements.contract import Element
    from tactful.engine.testing.coverage import FlowCoverage, Taken
    from tactful.engine.testing.report import Failure
    from tactful.engine.testing.scenario_file import ScenarioFile
    from tactful.engine.testing.steps import Scenario
    from tactful.engine.testing.world import World
    from tactful.flows.model import Flow

_CATALOGUE = pytest.StashKey["Mapping[str, type[Element]]"]()


_COVERAGE = "tactful coverage"
_LAST = "teardown"  # the report of a test with all that was noted in it


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--flow-coverage`."""
    about = "say at the end which exits of flows neither a scenario nor a test with a `world` took"
    parser.getgroup("tactful").addoption("--flow-coverage", action="store_true", help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    if config.getoption("--flow-coverage"):
        config.pluginmanager.register(_FlowCoverage(), _COVERAGE)
    config.addinivalue_line(
        "markers",
        "world(now, **settings): how the test's `world` is made; now=None goes by the machine's clock, for freezegun",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take files of scenarios."""
    if file_path.name.endswith((".flowtest.yaml", ".flowtest.yml")):
        file: pytest.Collector = FlowTestFile.from_parent(parent, path=file_path)
        return file
    return None


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world of the test's own. Time stands at Monday 2026-01-05 09:00 UTC until the test moves it; flow files are
    looked for in the test's folder. `@pytest.mark.world("2026-03-02 09:00", time_zone="Europe/Zagreb")` sets `World`'s
    arguments."""
    from tactful.engine.testing.scenario_run import START
    from tactful.engine.testing.world import World

    marker = request.node.get_closest_marker("world")
    settings: dict[str, Any] = {"now": START, "folder": request.path.parent, "elements": _elements(request.config)}
    if marker is not None:
        settings.update(zip(("now",), marker.args, strict=False), **marker.kwargs)
    with World(**settings) as world:
        yield world
        _note(request.node, world.flows.values(), world.taken)


class FlowTestFile(pytest.File):
    """A file of scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        from tactful.engine.testing.scenario_file import read_scenarios

        elements = _elements(self.config)
        file, problems = read_scenarios(_shown(self.path), elements)
        if file is None:
            raise self.CollectError("\n".join(problem.render() for problem in problems))
        for scenario in file.scenarios:
            yield FlowTest.from_parent(self, name=scenario.name, scenario=scenario, file=file)


class FlowTest(pytest.Item):
    """A scenario."""

    def __init__(self, *, scenario: Scenario, file: ScenarioFile, **more: Any) -> None:
        super().__init__(**more)
        self._scenario = scenario
        self._file = file

    def runtest(self) -> None:
        from tactful.engine.testing.scenario_run import run_scenario

        ran = run_scenario(self._scenario, self._file, _elements(self.config))
        _note(self, self._file.flows, lambda: ran.taken)
        if ran.failure is not None:
            raise ScenarioFailed(ran.failure)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, ScenarioFailed):
            return excinfo.value.failure.render()
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._scenario.place.line - 1, self.name


class ScenarioFailed(Exception):
    """A step did not hold."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"line {failure.step.place.line}: expected {failure.expected}; instead: {failure.instead}")
        self.failure = failure


class _FlowCoverage:
    """Gathers what was taken, also from other processes (pytest-xdist): with the reports of tests come plain lists."""

    def __init__(self) -> None:
        self._seen: list[FlowCoverage] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        from tactful.engine.testing.coverage import Exit, FlowCoverage

        properties: list[tuple[str, Any]] = report.user_properties if report.when == _LAST else []
        for noted in (noted for name, noted in properties if name == _COVERAGE):
            for flow, file, exits, taken in noted:
                pairs = frozenset((element, exit) for element, exit in taken)
                self._seen.append(FlowCoverage(flow, file, tuple(Exit(*each) for each in exits), pairs))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        from tactful.engine.testing.coverage import Coverage

        terminalreporter.section("flow coverage")
        coverage = Coverage.of(self._seen)
        for flow in coverage.flows:
            terminalreporter.write_line(flow.said())
        terminalreporter.write_line(f"{coverage.taken} of {coverage.exits} exits taken")


def _note(test: pytest.Item, flows: Iterable[Flow], taken: Callable[[], Iterable[Taken]]) -> None:
    """Note what a test took, where that is asked for."""
    if not test.config.getoption("--flow-coverage"):
        return
    from tactful.engine.testing.coverage import cover

    found = [cover(flow, taken()) for flow in flows]
    noted = [
        [each.flow, each.file, [list(exit) for exit in each.exits], [list(pair) for pair in sorted(each.taken)]]
        for each in found
    ]
    test.user_properties.append((_COVERAGE, noted))


def _elements(config: pytest.Config) -> Mapping[str, type[Element]]:
    """The catalogue, looked for once a run."""
    if _CATALOGUE not in config.stash:
        from tactful.elements import catalogue

        config.stash[_CATALOGUE] = catalogue()
    return config.stash[_CATALOGUE]


def _shown(path: Path) -> Path:
    """A path as messages show it: from where we are, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
