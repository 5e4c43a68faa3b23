"""`tactful check`: every mistake of the project's files in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Json, Project

if TYPE_CHECKING:
    from tactful.flows.problem import Problem


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Flow files, project files or folders; without any, the whole project."),
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Check flows and the project file for mistakes.

    Each mistake is told as file:line:column with a hint where there is one. Warnings do not fail: the exit code is 1
    only where there are errors. A flow file with no project around it is checked by itself.

    Example:
      tactful check
      tactful check flows/win-back/flow.yaml

    With --json: {"files": [{"file", "flow", "errors", "warnings"}], "problems": [{"file", "line", "column", "severity",
    "code", "message", "hint", "source_line"}], "errors", "warnings"}. A file's "flow" is its id, or null where it
    did not load or is a project file.
    """
    from tactful.engine.cli.screen import print_json

    checked = _check(paths or [], project)
    problems = [problem for _, _, found in checked for problem in found]
    errors = _number(problems, "error")
    if as_json:
        print_json(_as_json(checked, problems, errors))
    else:
        _show(checked, problems, errors)
    raise typer.Exit(PROBLEMS if errors else FINE)


Checked = list[tuple[Path, str | None, tuple["Problem", ...]]]
"""Files with the id of their flow, where there is one, and their problems."""


def _check(paths: list[Path], given: Path | None) -> Checked:
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import project_file, the_project
    from tactful.engine.flow_files import load_flows
    from tactful.engine.project import load_project
    from tactful.flows.model import LONE

    projects, flows = _files(paths or [project_file(given) or the_project(given).file], whole=not paths)
    loaded = {file: load_project(file) for file in projects}
    checked: Checked = [(file, None, found) for file, (_, found) in loaded.items()]
    by_project: dict[Path | None, list[Path]] = {}
    for path in flows:
        by_project.setdefault(project_file(given, path.absolute()), []).append(path)
    words = catalogue() if flows else {}
    for file, members in by_project.items():
        around = LONE
        if file is not None:
            if file not in loaded:  # asked about flows alone: of the project, what keeps it from being of use here
                loaded[file] = load_project(file)
                broken = tuple(problem for problem in loaded[file][1] if problem.severity == "error")
                checked += [(file, None, broken)] if broken else []
            project, _ = loaded[file]
            around = LONE if project is None else project.surroundings()
        for each in load_flows(members, words, around):
            flow = each.loaded.flow
            checked.append((each.path, None if flow is None else flow.id, each.loaded.problems))
    return checked


def _files(paths: list[Path], *, whole: bool) -> tuple[list[Path], list[Path]]:
    """The project files and the flow files that are meant, each once. A folder with a project file in it is that
    project as a whole."""
    from tactful.engine.cli.opening import shown
    from tactful.engine.project import PROJECT_FILE, flow_files_in, load_project

    projects: list[Path] = []
    flows: list[Path] = []
    for path in paths:
        file = path / PROJECT_FILE if (path / PROJECT_FILE).is_file() else path
        if whole or file != path:
            projects.append(file)
            project, _ = load_project(file)
            folder = file.absolute().parent if project is None else project.flows
            flows += [shown(flow) for flow in flow_files_in(folder)]
        elif path.name == PROJECT_FILE and path.is_file():
            projects.append(path)
        else:
            flows += _flows_at(path)
    return list(dict.fromkeys(projects)), list({flow.resolve(): flow for flow in flows}.values())


def _flows_at(path: Path) -> list[Path]:
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.project import RATES_ENDINGS, SCENARIO_ENDINGS, flow_files_in

    if path.is_dir():
        found = flow_files_in(path)
        if not found:
            raise wrong_use(f"there are no flow files in {path}")
        return found
    if not path.exists():
        raise wrong_use(f"there is no file or folder {path}")
    if path.name.endswith(SCENARIO_ENDINGS):
        raise wrong_use(f"{path} is a file of scenarios, not a flow", "`tactful test` runs them")
    if path.name.endswith(RATES_ENDINGS):
        raise wrong_use(f"{path} is a file of rates, not a flow", f"`tactful simulate FLOW --rates {path}` reads it")
    return [path]


def _number(problems: list[Problem] | tuple[Problem, ...], severity: str) -> int:
    return sum(problem.severity == severity for problem in problems)


def _as_json(checked: Checked, problems: list[Problem], errors: int) -> dict[str, Any]:
    return {
        "files": [
            {
                "file": str(path),
                "flow": flow,
                "errors": _number(found, "error"),
                "warnings": _number(found, "warning"),
            }
            for path, flow, found in checked
        ],
        "problems": [problem.as_json() for problem in problems],
        "errors": errors,
        "warnings": len(problems) - errors,
    }


def _show(checked: Checked, problems: list[Problem], errors: int) -> None:
    from tactful.engine.cli.problems import show
    from tactful.engine.cli.screen import count, say

    show(problems)
    warnings = len(problems) - errors
    files = count(len(checked), "file")
    if problems:
        say()
    if errors:
        say((count(errors, "error"), "bad"), f" and {count(warnings, 'warning')} in {files}")
    elif warnings:
        say((count(warnings, "warning"), "warn"), f" and no errors in {files}")
    else:
        say((f"{files} checked", "good"), ", nothing to complain of")
