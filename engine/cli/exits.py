"""How `tactful test` shows which exits no scenario took: as a table, as pictures, as a bar to be passed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tactful.engine.testing.coverage import Coverage, FlowCoverage
    from tactful.flows.model import Flow


def show(coverage: Coverage) -> None:
    """A line for each flow with what of its exits was taken, then every exit that was not."""
    from rich.text import Text

    from tactful.engine.cli.screen import count, out, plain, table

    screen = out()
    flows = table("flow", "exits taken", "", "file", right=("exits taken", ""))
    for flow in coverage.flows:
        exits, untaken = len(flow.exits), len(flow.untaken)
        style = "bad" if untaken == exits and exits else "warn" if untaken else "good"
        share = Text(f"{_whole(exits - untaken, exits)} %", style)
        flows.add_row(Text(plain(flow.flow), "name"), f"{exits - untaken} of {exits}", share, plain(flow.file))
    screen.print()
    screen.print(flows)
    if any(flow.untaken for flow in coverage.flows):
        screen.print(Text("\nNo scenario took", "head"))
        rows = table("element", "exit", "leads to", "")
        rows.show_header = False
        for flow in coverage.flows:
            for each in flow.untaken:
                place = plain(f"{flow.file}:{each.line}")
                rows.add_row(Text(plain(each.element), "name"), plain(each.exit), f"-> {plain(each.to)}", place)
        screen.print(rows)
    screen.print()
    in_all = f"{_whole(coverage.taken, coverage.exits)} %"
    screen.print(Text(f"{coverage.taken} of {count(coverage.exits, 'exit')} taken, {in_all}"))


def draw(coverage: Coverage, flows: Iterable[Flow], folder: Path) -> list[Path]:
    """A picture of each flow, `FLOW.svg` in the folder, with the exits that were not taken in red; the files."""
    from tactful.flows.draw import Highlight
    from tactful.flows.draw import draw as drawn

    loaded = {(Path(flow.nodes[flow.start].place.file).resolve(), flow.id): flow for flow in flows}
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for each in coverage.flows:
        exits = frozenset((untaken.element, untaken.exit) for untaken in each.untaken)
        flow = loaded[Path(each.file).resolve(), each.flow]
        path = folder / f"{each.flow}.svg"
        if path in made:  # two projects may each have a flow of this name
            path = folder / f"{each.flow}-{len(made) + 1}.svg"
        path.write_text(drawn(flow, "svg", highlight=Highlight(exits, _says(each))), encoding="utf-8")
        made.append(path)
    return made


def _says(flow: FlowCoverage) -> str:
    if not flow.untaken:
        return f"Every exit was taken by a scenario: {len(flow.exits)} of {len(flow.exits)}"
    return f"In red: what no scenario took, {len(flow.untaken)} of {len(flow.exits)} exits"


def passes(coverage: Coverage, percent: float) -> bool:
    """Whether so many percent of all exits were taken; where not, that is said."""
    from tactful.engine.cli.screen import warn

    if coverage.percent >= percent:
        return True
    warn(f"{coverage.percent:.4g} % of the exits were taken, and {percent:g} % are asked for")
    return False


def _whole(part: int, of: int) -> int:
    """A share in percent, rounded down: 100 is all."""
    return math.floor(100 * part / of) if of else 100
