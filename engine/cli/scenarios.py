"""`tactful test`: the scenarios beside the flows, run in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Json

if TYPE_CHECKING:
    from tactful.engine.testing.report import Ran, Report


def test(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files of scenarios, or folders; without any, from here downwards."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("-k", metavar="NAME", help="Only scenarios with this in their name.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML as well, for CI.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Say which exits of the flows no scenario took.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option("--coverage-picture", metavar="FOLDER", help="Draw each flow with those exits in red."),
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under", metavar="PERCENT", min=0, max=100, help="Fail where fewer of the exits were taken."
        ),
    ] = None,
    all_exits: Annotated[
        bool, typer.Option("--all-exits", help="Count also exits that need no name and end the journey.")
    ] = False,
    generate: Annotated[
        str | None,
        typer.Option("--generate", metavar="FLOW", help="Write scenarios for the exits of a flow that none takes yet."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run scenarios: what flows do, tried out in virtual time.

    Each runs on the real engine with a database of its own; nobody is written to. A step that does not hold is shown
    with what was expected, what stood instead, and all that happened up to there. The exit code is 1 where a scenario
    fails, a file is broken, or there is nothing to run.

    With --coverage, also which exits of which elements no scenario took: what was never tried out. Flows in the
    folders that no scenario names count too. Exits that need not be named (`failed` and `suppressed` of a send, say)
    and end the journey are left out, as in pictures; --all-exits counts them.

    With --generate, nothing else is run: for each exit of the flow that no scenario beside it takes, one is looked for,
    tried out, and written to FLOW.generated.flowtest.yaml beside the flow, to be read and kept. No file is ever written
    over. The exit code is 1 where no scenario was found for some exit; which, and why, stands in the file too.

    Example:
      tactful test
      tactful test flows/win-back -k "not opened"
      tactful test --junit report.xml
      tactful test --coverage --fail-under 90
      tactful test --generate win-back

    With --json: {"passed", "failed", "broken", "seconds", "missing": [path], "files": [{"file", "problems": [as `check`
    has them], "scenarios": [{"name", "line", "passed", "seconds", "failure": null or {"line", "column", "step",
    "expected", "instead", "trace": [{"at", "text", "journey"}]}}]}]}; with --coverage also "coverage": {"taken",
    "exits", "percent", "flows": [{"flow", "file", "taken", "exits", "percent", "untaken": [{"element", "exit", "to",
    "line", "unsaid"}]}]}. With --generate: {"flow", "file": null where nothing was written, "exits", "before": how many
    were taken already, "scenarios": [{"name", "takes": [exits as above]}], "unreached": [exits, each with "why"]}.
    """
    from tactful.engine.cli import exits, problems
    from tactful.engine.cli.screen import note, print_json
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.testing.command import run_paths, untried_flows

    if generate is not None:
        if paths or name or junit or coverage or pictures or fail_under is not None:
            raise wrong_use("--generate goes with --all-exits and --json only", "run the scenarios afterwards")
        from tactful.engine.cli import generating

        reached = generating.generate(generate, all_exits=all_exits, as_json=as_json)
        raise typer.Exit(FINE if reached else PROBLEMS)
    asked = paths or [Path()]
    for path in asked:
        if not path.exists():
            raise wrong_use(f"there is no file or folder {path}")
    report = run_paths(asked, name=name, ran=_ignore if as_json else _show)
    if junit is not None:
        junit.write_bytes(report.as_junit())
    fine = report.ok
    said = report.as_json() if as_json else {}
    if not as_json:
        _sum_up(report, name)
    if coverage or pictures is not None or fail_under is not None:
        untried, broken = untried_flows(asked, report)
        taken = report.coverage(untried, all_exits=all_exits)
        problems.show(broken, to_stderr=True)
        if as_json:
            said["coverage"] = taken.as_json()
        else:
            exits.show(taken)
        if pictures is not None:
            flows = [*untried, *(flow for file in report.files for flow in file.flows)]
            for path in exits.draw(taken, flows, pictures):
                note(f"drawn to {path}")
        fine = fine and not broken and (fail_under is None or exits.passes(taken, fail_under))
    if as_json:
        print_json(said)
    raise typer.Exit(FINE if fine else PROBLEMS)


def _ignore(path: Path, ran: Ran) -> None:
    """JSON comes at the end, all in one piece."""


def _show(path: Path, ran: Ran) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out, plain

    word = ("passed", "good") if ran.failure is None else ("failed", "bad")
    out().print(Text.assemble(word, f"  {plain(str(path))}:{ran.line}  ", (plain(ran.name), "name")))
    if ran.failure is not None:
        out().print(Text(plain(ran.failure.render(), lines=True)), soft_wrap=True)


def _sum_up(report: Report, name: str | None) -> None:
    from rich.text import Text

    from tactful.engine.cli.problems import show
    from tactful.engine.cli.screen import count, out, warn

    for file in report.broken:
        show(file.problems)
    for path in report.missing:
        warn(f"there are no scenarios (*.flowtest.yaml) in {path}")
    if name is not None and not report.scenarios:
        warn(f"no scenario has {name!r} in its name")
    ran = len(report.scenarios)
    said = [Text.assemble((f"{ran - len(report.failed)} passed", "good" if report.ok else ""))]
    if report.failed:
        said.append(Text(f"{len(report.failed)} failed", "bad"))
    if report.broken:
        said.append(Text(f"{count(len(report.broken), 'file')} broken", "bad"))
    out().print(Text(", ").join(said))
