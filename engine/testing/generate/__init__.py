"""Writes scenarios: one for every exit of a flow that none took so far, to be read and kept.

For each exit: plans, the easiest first (`plans`); values with which a plan is followed (`values`, `solve`,
`rehearsal`); then it is played in a world of its own (`play`), and kept only where the exit is truly taken there
(`making`). What is written is read again and run as every file of scenarios, and what does not hold then is not kept
either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from textwrap import wrap
from typing import Any

from tactful.elements.contract import Element
from tactful.engine.project import Project
from tactful.engine.testing.command import run_paths, scenario_files
from tactful.engine.testing.coverage import Exit, Taken, cover
from tactful.engine.testing.generate import writing
from tactful.engine.testing.generate.making import Made, Maker, Unreached
from tactful.engine.testing.generate.play import Stage
from tactful.engine.testing.scenario_file import read_scenarios
from tactful.engine.testing.scenario_run import run_scenario
from tactful.flows.model import Flow

AT = "2026-01-05 10:00"
"""When scenarios begin: on a Monday morning, when messages may go nearly everywhere."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of it. `before` are the exits taken already, `exits` how many there are; `file` is None where nothing
    was to be written."""

    flow: str
    file: Path | None
    exits: int
    before: int
    made: tuple[Made, ...]
    unreached: tuple[Unreached, ...]

    def as_json(self) -> dict[str, Any]:
        """flow, file, exits, before, scenarios (name, takes), unreached (element, exit, to, line, unsaid, why)."""
        return {
            "flow": self.flow,
            "file": None if self.file is None else str(self.file),
            "exits": self.exits,
            "before": self.before,
            "scenarios": [
                {"name": made.name, "takes": [each._asdict() for each in (made.exit, *made.also)]} for made in self.made
            ],
            "unreached": [{**each.exit._asdict(), "why": each.why} for each in self.unreached],
        }


def generate(
    flow: Flow,
    path: Path,
    project: Project | None,
    elements: Mapping[str, type[Element]],
    *,
    all_exits: bool = False,
    tell: Callable[[Exit], None] = lambda exit: None,
) -> Generated:
    """Write scenarios for the exits of a flow, which is in the file `path`, that no scenario beside it takes.

    They go into a new file beside it, `FLOW.generated.flowtest.yaml`; where that is there already, into the first of
    `FLOW.generated-2.flowtest.yaml` and so on that is not. `tell` is called with each exit before it is looked for.
    """
    before = cover(flow, _taken_beside(path, elements), all_exits=all_exits)
    maker = Maker(Stage(flow, AT, project, elements))
    found, unreached = maker.make(before.untaken, tell)
    taken = len(before.exits) - len(before.untaken)
    made: list[Made] = []
    file = None
    if found:
        file = _new_file(path, flow.id)
        made = _kept(flow, path, file, found, unreached, elements)
        unreached += [
            Unreached(each.exit, "the scenario did not hold when it was run") for each in found if each not in made
        ]
        if not made:
            file.unlink()
            file = None
    return Generated(flow.id, file, len(before.exits), taken, tuple(made), tuple(unreached))


def _taken_beside(path: Path, elements: Mapping[str, type[Element]]) -> Iterator[Taken]:
    """What the scenarios take that stand in the flow's folder, or below, and name its file."""
    for each in scenario_files(path.parent):
        file, _ = read_scenarios(each, elements)
        if file is not None and any(
            Path(flow.nodes[flow.start].place.file).resolve() == path.resolve() for flow in file.flows
        ):
            for scenario in file.scenarios:
                yield from run_scenario(scenario, file, elements).taken


# --- The file ------------------------------------------------------------------------------------


def _new_file(path: Path, flow: str) -> Path:
    """A file beside the flow that is not there yet."""
    names = (f"{flow}.generated{'' if number == 1 else f'-{number}'}.flowtest.yaml" for number in count(1))
    return next(file for name in names if not (file := path.with_name(name)).exists())


def _kept(
    flow: Flow,
    path: Path,
    file: Path,
    made: Sequence[Made],
    unreached: Sequence[Unreached],
    elements: Mapping[str, type[Element]],
) -> list[Made]:
    """Write the file, run it as any other, and write it again with only what then passes and takes its exit."""
    kept = list(made)
    while kept:
        file.write_text(_text(flow, path, kept, unreached), encoding="utf-8")
        ran = {each.name: each for each in run_paths([file], elements=elements).scenarios}
        held = [
            each
            for each in kept
            if (one := ran.get(each.name)) is not None
            and one.failure is None
            and Taken(flow.id, each.exit.element, each.exit.exit) in one.taken
        ]
        if len(held) == len(kept):
            break
        kept = held
    return kept


def _text(flow: Flow, path: Path, made: Sequence[Made], unreached: Sequence[Unreached]) -> str:
    head = writing.comment(
        f"Written by `tactful test --generate {flow.id}`: what no scenario had tried yet, as the flow does it now.\n"
        "Read them: is that what should happen? Then keep them, under names that say what they show."
    )
    scenarios = []
    for each in made:
        also = each.also_shows(10)
        about = wrap(f"also shows {also}", 100) if also else []
        scenarios.append(writing.scenario(each.name, about, each.played.contact, AT, each.played.steps))
    text = f"{head}flow: {writing.scalar(path.name)}\nscenarios:\n" + "\n".join(scenarios)
    if unreached:
        lines = [f"{each.exit.element} -> {each.exit.exit} (line {each.exit.line}): {each.why}" for each in unreached]
        text += "\n" + writing.comment("No scenario was found for\n  " + "\n  ".join(lines))
    return text
