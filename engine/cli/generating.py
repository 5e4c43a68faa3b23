"""`tactful test --generate FLOW`: scenarios for what none tried yet, written beside the flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tactful.engine.testing.generate import Generated


def generate(name: str, *, all_exits: bool, as_json: bool) -> bool:
    """Write them and say so; whether every exit is taken by some scenario afterwards."""
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import flow_file, load, project_file, shown, sound
    from tactful.engine.cli.screen import print_json, progress
    from tactful.engine.testing.generate import generate as made
    from tactful.flows.load import load_file
    from tactful.flows.model import LONE

    path = shown(flow_file(name, None))
    near = project_file(None, path.absolute())
    project = None if near is None else load(near)
    elements = catalogue()
    flow = sound(load_file(path, elements, LONE if project is None else project.surroundings()), path)
    with progress("trying out", sum(len(node.exits) for node in flow.nodes.values())) as bar:
        tried = iter(range(1, 1_000_000))
        generated = made(flow, path, project, elements, all_exits=all_exits, tell=lambda exit: bar(next(tried)))
    if as_json:
        print_json(generated.as_json())
    else:
        _show(generated, path)
    return not generated.unreached


def _show(generated: Generated, path: Path) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, out, plain, say, table, warn

    new = sum(1 + len(made.also) for made in generated.made)
    for made in generated.made:
        also = f"  also {made.also_shows(3)}" if made.also else ""
        out().print(Text.assemble(("made", "good"), "  ", (plain(made.name), "name"), (plain(also), "dim")))
    if generated.unreached:
        out().print(Text("\nNo scenario was found for", "head"))
        rows = table("exit", "why", "", free=("why",))
        rows.show_header = False
        for each in generated.unreached:
            exit = Text(plain(f"{each.exit.element} -> {each.exit.exit}"), "name")
            rows.add_row(exit, plain(each.why), f"{plain(str(path))}:{each.exit.line}")
        out().print(rows)
    if generated.made or generated.unreached:
        say()
    taken = f"{generated.before + new} of {count(generated.exits, 'exit')} taken, {generated.before} before"
    if generated.file is not None:
        say((f"{count(len(generated.made), 'scenario')} in {generated.file}", "good"), f": {taken}")
    elif generated.unreached:
        warn(f"nothing was written: {taken}")
    else:
        say(("every exit is taken by a scenario already", "good"), ", so nothing was written")
