"""Reads `*.flowtest.yaml`: its scenarios, each step in its place, or all that is wrong with it in one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from tactful.elements.contract import Element
from tactful.elements.options.mistake import did_you_mean
from tactful.elements.options.written import kind_of
from tactful.engine.project import PROJECT_FILE, SCENARIO_ENDINGS, Project, find_project, load_project
from tactful.engine.testing.scenario_contact import read_contact
from tactful.engine.testing.step_reading import StepReader
from tactful.engine.testing.steps import Scenario
from tactful.flows.load import load_file
from tactful.flows.model import LONE, Flow, Place
from tactful.flows.pieces import Entry, ListPiece, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Problem, Report, listed, quoted
from tactful.flows.source import read
from tactful.flows.text import LARGEST, Spot

KEYS = ("flow", "flows", "project", "scenarios")
"""The keys of a scenario file."""

SCENARIO_KEYS = ("name", "contact", "at", "steps")
"""The keys of a scenario."""

_P = TypeVar("_P", bound=Piece)
_EXAMPLE = "such as `contact: {email: ana@example.com}`"


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """A file that was read, with the flows and the project its scenarios run with."""

    path: Path
    flows: tuple[Flow, ...]
    project: Project | None
    scenarios: tuple[Scenario, ...]


class ReadScenarios(NamedTuple):
    """What came of reading: the file, or None, and every mistake in it, its flows and its project."""

    file: ScenarioFile | None
    problems: tuple[Problem, ...]


def is_scenario_file(path: Path) -> bool:
    """Whether a file is one of scenarios, by its name."""
    return path.name.endswith(SCENARIO_ENDINGS)


def read_scenarios(path: Path, elements: Mapping[str, type[Element]]) -> ReadScenarios:
    """Read a file of scenarios. A file that cannot be read is a problem too; nothing is raised."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        problem = Problem(Place(str(path), 1, 1), "error", "file-unreadable", f"the file cannot be read: {why}")
        return ReadScenarios(None, (problem,))
    document, found = read(str(path), raw)
    report = Report(found)
    scenarios = None
    if document is not None:
        if isinstance(document.root, MapPiece):
            scenarios = _Reading(path, document.root, report, elements).file()
        else:
            hint = "begin with `flow: flow.yaml`, then `scenarios:`"
            message = f"the file is {kind_of(document.data)}, not a mapping (`key: value`)"
            report.error(document.root.spot, "wrong-type", message, hint)
    return ReadScenarios(None if report.failed else scenarios, report.problems(str(path)))


class _Reading:
    """The mutable middle of a reading: used once, then thrown away."""

    def __init__(self, path: Path, root: MapPiece, report: Report, elements: Mapping[str, type[Element]]) -> None:
        self._path = path
        self._root = root
        self._report = report
        self._elements = elements
        self._project: Project | None = None

    def file(self) -> ScenarioFile | None:
        """The file; None, or one with parts left out, where something is reported."""
        self._check_keys(self._root, KEYS, "a file of scenarios")
        self._project = self._read_project()
        flows = self._flows()
        listed_here = self._take(self._root, "scenarios", ListPiece, "a list (`- name: …`)", self._root.spot)
        if listed_here is None:
            return None
        if not listed_here.items:
            self._report.error(listed_here.spot, "empty", "there is no scenario here")
        reader = StepReader(flows, self._project, self._report)
        names: dict[str, Spot] = {}
        found = [self._scenario(item, reader, names) for item in listed_here.items]
        scenarios = tuple(each for each in found if each is not None)
        return ScenarioFile(self._path, flows or (), self._project, scenarios)

    # --- what it runs with

    def _read_project(self) -> Project | None:
        entry = self._root.entries.get("project")
        if entry is None:
            file = find_project(self._path.parent)
            file = None if file is None else _shown(file)
        else:
            file = self._beside(entry)
        if file is None:
            return None
        project, problems = load_project(file)
        self._pass_on(problems)
        return project

    def _flows(self) -> tuple[Flow, ...] | None:
        """The flows; None where one is missing or broken."""
        one, several = self._root.entries.get("flow"), self._root.entries.get("flows")
        if one is not None and several is not None:
            self._report.error(several.spot, "two-options", "a file has `flow` or `flows`, not both")
        if one is None and several is None:
            hint = "such as `flow: flow.yaml`, relative to this file"
            self._report.error(self._root.spot, "missing-option", "say which flow this is about", hint)
            return None
        entries = [one] if one is not None else []
        if several is not None:
            piece = self._take(self._root, "flows", ListPiece, "a list of files", several.spot)
            entries += [Entry("flows", item.start, item) for item in (piece.items if piece is not None else ())]
        flows: dict[str, Flow] = {}
        for entry in entries:
            file = self._beside(entry)
            if file is None:
                continue
            loaded = load_file(file, self._elements, self._project.surroundings() if self._project else LONE)
            self._pass_on(loaded.problems)
            if loaded.flow is not None and loaded.flow.id in flows:
                self._report.error(entry.piece.spot, "duplicate-flow", f"flow {quoted(loaded.flow.id)} is here already")
            elif loaded.flow is not None:
                flows[loaded.flow.id] = loaded.flow
        return tuple(flows.values()) if flows and len(flows) == len(entries) else None

    def _beside(self, entry: Entry) -> Path | None:
        """The file a key names, relative to this one."""
        spot = value_spot(entry.piece, entry.spot)
        if not isinstance(entry.piece, ScalarPiece) or not entry.piece.text:
            self._report.error(spot, "wrong-type", f"{quoted(entry.key)} must be the name of a file")
            return None
        path = self._path.parent / entry.piece.text
        if path.is_file():
            return path
        there = [each.name for each in path.parent.glob("*.y*ml") if not is_scenario_file(each)]
        near = did_you_mean(path.name, there) or (there[0] if len(there) == 1 and path.name != PROJECT_FILE else None)
        hint = None if near is None else f"did you mean {quoted(near)}?"
        self._report.error(spot, "no-file", f"there is no file {quoted(entry.piece.text)} beside this one", hint)
        return None

    def _pass_on(self, problems: tuple[Problem, ...]) -> None:
        for problem in problems:
            if problem.severity == "error":  # warnings are for `tactful check`
                self._report.add(problem)

    # --- a scenario

    def _scenario(self, item: Piece, reader: StepReader, names: dict[str, Spot]) -> Scenario | None:
        if not isinstance(item, MapPiece):
            message = f"a scenario is a mapping, not {kind_of(item.plain())}"
            self._report.error(item.spot, "wrong-type", message, "begin it with `- name: …`")
            return None
        self._check_keys(item, SCENARIO_KEYS, "a scenario")
        name = self._take(item, "name", ScalarPiece, "text: what the scenario shows", item.spot)
        if name is not None:
            self._check_name(name, names)
        who = self._take(item, "contact", MapPiece, f"a mapping, {_EXAMPLE}", item.spot)
        contact = None if who is None else read_contact(who, self._project, self._report)
        at = self._take(item, "at", ScalarPiece, "a moment, such as `2026-03-02 09:00`", None)
        begins = at is None or reader.is_moment(at)
        steps = self._take(item, "steps", ListPiece, "a list (`- sent: offer`)", item.spot)
        if steps is not None and not steps.items:
            self._report.error(steps.spot, "empty", "the scenario has no steps")
        done = [reader.step(step) for step in (steps.items if steps is not None else ())]
        if name is None or contact is None or not begins or None in done:
            return None
        taken = tuple(step for step in done if step is not None)
        return Scenario(name.text, contact, None if at is None else at.text, taken, item.spot.place)

    def _check_name(self, name: ScalarPiece, names: dict[str, Spot]) -> None:
        first = names.setdefault(name.text, name.spot)
        if first.offset != name.spot.offset:
            message = f"there is a scenario {quoted(name.text)} already"
            hint = f"the first one is on line {first.place.line}"
            self._report.error(name.spot, "duplicate-name", message, hint)

    # --- pieces

    def _check_keys(self, piece: MapPiece, keys: tuple[str, ...], what: str) -> None:
        for entry in piece.all_entries():
            if entry.key not in keys:
                hint = self._report.meant(entry.key, keys) or f"{what} has {listed(keys)}"
                self._report.error(entry.spot, "unknown-key", f"{what} has no {quoted(entry.key)}", hint)

    def _take(self, piece: MapPiece, key: str, kind: type[_P], wanted: str, needed: Spot | None) -> _P | None:
        """The value of a key, which must be of a kind; where it is missing, that is an error at `needed`."""
        entry = piece.entries.get(key)
        if entry is None:
            if needed is not None:
                self._report.error(needed, "missing-option", f"{quoted(key)} is missing", f"it is {wanted}")
            return None
        found = entry.piece
        spot = value_spot(found, entry.spot)
        if isinstance(found, ScalarPiece) and (found.value is None or not found.text.strip()):
            self._report.error(spot, "empty", f"{quoted(key)} is empty", f"it is {wanted}")
            return None
        if not isinstance(found, kind):
            message = f"{quoted(key)} must be {wanted}, not {kind_of(found.plain())}"
            self._report.error(spot, "wrong-type", message)
            return None
        return found


def _shown(path: Path) -> Path:
    """A path as messages show it: from where we are, where it lies below."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
