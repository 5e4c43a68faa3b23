"""`tactful check`: every mistake of the project's files in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Json, Project

if TYPE_CHECKING:
    from tactful.engine.cli.prove import Proved
    from tactful.engine.project import Project as ProjectFile
    from tactful.flows.load import Loaded
    from tactful.flows.problem import Problem


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Flow files, project files or folders; without any, the whole project."),
    ] = None,
    prove: Annotated[bool, typer.Option("--prove", help="Prove what holds on every path of the flows.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="WORD", help="With --prove: a proof to leave out, such as `time`."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save-scenario", metavar="FILE", help="With --prove: write counter-examples as scenarios."),
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Check flows and the project file for mistakes.

    Each mistake is told as file:line:column with a hint where there is one. Warnings do not fail: the exit code is 1
    only where there are errors. A flow file with no project around it is checked by itself.

    With --prove, each flow is proved to keep its word on every path, however many there are: `opt-out` (before the
    third marketing message), `blocked` (no send after blocking), `end` (every path ends or waits), `time` (the
    longest and the shortest), `day` (the most messages in 24 hours), `all` (the most in all). One that does not hold
    is shown with a path on which it does not, and the exit code is 1.

    Example:
      tactful check
      tactful check flows/win-back/flow.yaml
      tactful check --prove --except time

    With --json: {"files": [{"file", "flow", "errors", "warnings"}], "problems": [{"file", "line", "column", "severity",
    "code", "message", "hint", "source_line"}], "errors", "warnings"}. A file's "flow" is its id, or null where it
    did not load or is a project file. With --prove also {"proofs": [{"file", "flow", "proof", "verdict": "holds" |
    "fails" | "unknown", "says", "figures", "path": [{"element", "exit", "at_ms", "note"}], "again_from", "counted"}]};
    a figure of null has no bound, and a round leads from the end of the path back to the place "again_from".
    """
    from tactful.engine.cli.screen import print_json
    from tactful.engine.cli.trouble import wrong_use

    left_out = _what_is_proved(prove, without or [], save)
    checked = _check(paths or [], project)
    problems = [problem for each in checked for problem in each.problems]
    errors = _number(problems, "error")
    proved = _prove(checked, left_out) if prove else []
    if save is not None and len(proved) != 1:
        raise wrong_use("counter-examples are saved of one flow at a time", "name it: `tactful check FILE --prove …`")
    if as_json:
        print_json(_as_json(checked, problems, errors, proved if prove else None))
    else:
        _show(checked, problems, errors)
        if prove:
            _show_proofs(checked, proved, save)
    if save is not None:
        _save(proved, save)
    fails = errors or any(proof.verdict == "fails" for each in proved for proof in each.proofs)
    raise typer.Exit(PROBLEMS if fails else FINE)


@dataclass(frozen=True, slots=True)
class Checked:
    """A file with its problems; of a flow, what it loaded to, and the project around it."""

    path: Path
    problems: tuple[Problem, ...]
    loaded: Loaded | None = None
    project: ProjectFile | None = None

    @property
    def flow(self) -> str | None:
        """The id of its flow, None where it did not load or is none."""
        return None if self.loaded is None or self.loaded.flow is None else self.loaded.flow.id


def _check(paths: list[Path], given: Path | None) -> list[Checked]:
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import project_file, the_project
    from tactful.engine.flow_files import load_flows
    from tactful.engine.project import load_project
    from tactful.flows.model import LONE

    projects, flows = _files(paths or [project_file(given) or the_project(given).file], whole=not paths)
    loaded = {file: load_project(file) for file in projects}
    checked = [Checked(file, found) for file, (_, found) in loaded.items()]
    by_project: dict[Path | None, list[Path]] = {}
    for path in flows:
        by_project.setdefault(project_file(given, path.absolute()), []).append(path)
    words = catalogue() if flows else {}
    for file, members in by_project.items():
        project = None
        if file is not None:
            if file not in loaded:  # asked about flows alone: of the project, what keeps it from being of use here
                loaded[file] = load_project(file)
                broken = tuple(problem for problem in loaded[file][1] if problem.severity == "error")
                checked += [Checked(file, broken)] if broken else []
            project, _ = loaded[file]
        around = LONE if project is None else project.surroundings()
        for each in load_flows(members, words, around):
            checked.append(Checked(each.path, each.loaded.problems, each.loaded, project))
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


def _as_json(
    checked: list[Checked], problems: list[Problem], errors: int, proved: list[Proved] | None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "files": [
            {
                "file": str(each.path),
                "flow": each.flow,
                "errors": _number(each.problems, "error"),
                "warnings": _number(each.problems, "warning"),
            }
            for each in checked
        ],
        "problems": [problem.as_json() for problem in problems],
        "errors": errors,
        "warnings": len(problems) - errors,
    }
    if proved is not None:
        from tactful.engine.cli.prove import as_json

        found["proofs"] = as_json(proved)
    return found


def _show(checked: list[Checked], problems: list[Problem], errors: int) -> None:
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


# --- What holds on every path ----------------------------------------------------------------------


def _what_is_proved(prove: bool, without: list[str], save: Path | None) -> list[str]:
    """The proofs to leave out. Raises Trouble where the options do not fit together."""
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.project import SCENARIO_ENDINGS

    if not prove and (without or save is not None):
        raise wrong_use("`--except` and `--save-scenario` go with `--prove`")
    if save is not None and not save.name.endswith(SCENARIO_ENDINGS):
        raise wrong_use(f"{save} is no name of a file of scenarios", "end it in `.flowtest.yaml`")
    if save is not None and save.exists():
        raise wrong_use(f"{save} is there already", "name a new file, or take that away first")
    if without:
        from tactful.engine.cli.opening import one_of
        from tactful.flows.prove import CLAIMS

        for word in without:
            one_of(word, list(CLAIMS), "--except")
    return without


def _prove(checked: list[Checked], without: list[str]) -> list[Proved]:
    from tactful.engine.cli.prove import prove_flow

    return [
        prove_flow(each.path, each.loaded.whole, each.project, runs=each.flow is not None, without=without)
        for each in checked
        if each.loaded is not None and each.loaded.whole is not None
    ]


def _show_proofs(checked: list[Checked], proved: list[Proved], save: Path | None) -> None:
    from tactful.engine.cli.prove import show, sum_up
    from tactful.engine.cli.screen import warn

    show(proved)
    if proved:
        sum_up(proved, saved=save is not None)
    for each in checked:
        if each.loaded is not None and each.loaded.whole is None:
            warn(f"{each.path} is not proved: its mistakes come first")


def _save(proved: list[Proved], file: Path) -> None:
    from tactful.engine.cli import prove
    from tactful.engine.cli.screen import count, note

    if not proved[0].runs:
        note(f"{file} is not written: a flow with errors does not run, not even in a scenario")
        return
    written, running = prove.save(proved[0], file)
    if not written:
        note(f"{file} is not written: there is no counter-example")
        return
    rest = "" if running == written else f"; {written - running} of them by your hand: see the comments in it"
    note(f"{count(written, 'scenario')} written to {file}, for `tactful test {file}`{rest}")
