"""Runs all scenarios of files and folders: what `tactful test` does, without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tactful.elements import catalogue
from tactful.elements.contract import Element
from tactful.engine.project import find_project, flow_files_in, load_project
from tactful.engine.testing.report import FileRan, Ran, Report
from tactful.engine.testing.scenario_file import is_scenario_file, read_scenarios
from tactful.engine.testing.scenario_run import run_scenario
from tactful.flows.load import load_file
from tactful.flows.model import LONE, Flow
from tactful.flows.problem import Problem


def run_paths(
    paths: Sequence[Path],
    *,
    name: str | None = None,
    elements: Mapping[str, type[Element]] | None = None,
    ran: Callable[[Path, Ran], None] = lambda path, ran: None,
) -> Report:
    """Run every scenario of the files, and of all `*.flowtest.yaml` in the folders and below, by name.

    With `name`, only scenarios that have it in theirs, whatever its case; a file that is broken is reported all the
    same. `ran` is called with each scenario as soon as it was run. `elements` is the catalogue, by default all that
    are installed. Nothing is raised for what stands in files.
    """
    known = catalogue() if elements is None else elements
    files: dict[Path, Path] = {}
    missing = []
    for path in paths:
        found = list(scenario_files(path))
        files.update({file.resolve(): file for file in found if file.resolve() not in files})
        if not found:
            missing.append(path)
    return Report(tuple(_run(file, name, known, ran) for file in files.values()), tuple(missing))


def untried_flows(paths: Sequence[Path], report: Report) -> tuple[tuple[Flow, ...], tuple[Problem, ...]]:
    """The flows in the folders asked for that no file of scenarios names, and what keeps some of them from loading."""
    named = {Path(flow.nodes[flow.start].place.file).resolve() for file in report.files for flow in file.flows}
    elements = catalogue()
    flows: dict[Path, Flow] = {}
    problems: list[Problem] = []
    for path in (file for folder in paths if folder.is_dir() for file in flow_files_in(folder)):
        if path.resolve() in named | flows.keys():
            continue
        project_file = find_project(path.parent)
        project = None if project_file is None else load_project(project_file)[0]
        loaded = load_file(path, elements, LONE if project is None else project.surroundings())
        problems += [problem for problem in loaded.problems if problem.severity == "error"]
        if loaded.flow is not None:
            flows[path.resolve()] = loaded.flow
    return tuple(flows.values()), tuple(problems)


def scenario_files(path: Path) -> Iterator[Path]:
    """The files of scenarios a path stands for: itself, or those in it and below but in hidden folders."""
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.flowtest.y*ml")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if not hidden and is_scenario_file(file) and file.is_file():
            yield file


def _run(
    path: Path, name: str | None, elements: Mapping[str, type[Element]], ran: Callable[[Path, Ran], None]
) -> FileRan:
    file, problems = read_scenarios(path, elements)
    if file is None:
        return FileRan(path, (), problems)
    done = []
    for scenario in file.scenarios:
        if name is None or name.casefold() in scenario.name.casefold():
            done.append(run_scenario(scenario, file, elements))
            ran(path, done[-1])
    return FileRan(path, tuple(done), flows=file.flows)
