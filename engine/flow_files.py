"""The flow files of a project: which there are, what they load to, and which changed.

A file that breaks keeps its last good version running: the new text is refused whole, with its problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tactful.elements.contract import Element
from tactful.engine.project import Project
from tactful.flows.load import Loaded, load_file
from tactful.flows.model import Flow, Place, Surroundings
from tactful.flows.problem import Problem

_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A flow file that is new or was changed, with what it loads to now. `is_new`: the last look, if there was one, did
    not see it."""

    path: Path
    loaded: Loaded
    is_new: bool = False


class FlowFiles:
    """Looks at a project's flow files, and again."""

    def __init__(self, project: Project, catalogue: Mapping[str, type[Element]]) -> None:
        self._project = project
        self._catalogue = catalogue
        self._stamps: dict[Path, _Stamp] = {}

    def changed(self) -> Iterator[Changed]:
        """The files that are new or changed since the last call, or had a text beside them changed; loaded."""
        stamps: dict[Path, _Stamp] = {}
        beside: dict[Path, _Stamp] = {}
        for path in self._project.flow_files():
            if path.parent not in beside:
                beside[path.parent] = _stamp(path.parent)
            stamps[path] = beside[path.parent]
        before, self._stamps = self._stamps, stamps
        for path, stamp in stamps.items():
            if before.get(path) != stamp:
                loaded = load_file(path, self._catalogue, self._project.surroundings())
                yield Changed(path, loaded, path not in before)


def load_flows(files: Iterable[Path], catalogue: Mapping[str, type[Element]], around: Surroundings) -> list[Changed]:
    """Flow files, loaded in their order; a flow id that two files claim is an error of the later one."""
    first: dict[str, Path] = {}
    all_files = []
    for path in files:
        loaded = load_file(path, catalogue, around)
        if loaded.flow is not None:
            other = first.setdefault(loaded.flow.id, path)
            if other != path:
                loaded = Loaded(None, (*loaded.problems, _claimed_twice(loaded.flow, path, other)))
        all_files.append(Changed(path, loaded))
    return all_files


def _claimed_twice(flow: Flow, path: Path, other: Path) -> Problem:
    lines = next(iter(flow.sources.values())).split("\n")
    number = next((number for number, line in enumerate(lines, 1) if line.startswith("flow:")), 1)
    message, hint = f"flow `{flow.id}` is in {other} already", "give one of them another id"
    return Problem(Place(str(path), number, 1), "error", "duplicate-flow", message, hint, lines[number - 1][:110])


def _stamp(folder: Path) -> _Stamp:
    """What tells that something in a folder changed: names, times, sizes."""
    found = []
    for path in folder.iterdir():
        try:
            stat = path.stat()
        except FileNotFoundError:  # gone between listing and looking; the next look sees it gone
            continue
        found.append((path.name, stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(found))
