"""Mistakes and warnings of files as people see them: `file:line:col`, the line, a caret, a hint."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tactful.engine.cli.screen import err, json_log, out
from tactful.flows.problem import printable

if TYPE_CHECKING:
    from rich.text import Text

    from tactful.flows.problem import Problem


def show(problems: Iterable[Problem], *, to_stderr: bool = False, of_flows: bool = True) -> None:
    """Print problems, in colour on a terminal; without, they are exactly what `Problem.render` gives. In a log of JSON
    lines each is one of them; those `of_flows` in short, for the log holds nothing of what people are told."""
    log = json_log() if to_stderr else None
    file = sys.stderr if to_stderr else sys.stdout
    for problem in problems:
        if log is not None:
            said = {} if of_flows else {"why": problem.message}
            hint = None if of_flows else problem.hint
            log.error("a file has a mistake", problem=problem.in_short(), **said, hint=hint or "tactful check")
        elif file.isatty():
            (err() if to_stderr else out()).print(coloured(problem), soft_wrap=True)
        else:
            file.write(problem.render() + "\n")


def coloured(problem: Problem) -> Text:
    """`Problem.render`, with the place, the kind and the caret in colour."""
    from rich.text import Text

    head, *rest = problem.render().split("\n")
    style = "bad" if problem.severity == "error" else "warn"
    place, kind, said = head.partition(f": {problem.severity}: ")
    text = Text.assemble((place, "head"), (kind, style))
    message = printable(problem.message)
    text.append(said[: len(message)], "bold").append(said[len(message) :], "dim")
    if problem.source_line is not None and problem.source_line.strip():
        text.append("\n" + rest.pop(0)).append("\n" + rest.pop(0), style)
    for line in rest:
        text.append("\n" + line, "name")
    return text
