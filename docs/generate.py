"""Writes what of the documentation is made from the program: `elements.md` and the pictures of the examples.

    .venv/bin/python docs/generate.py

The tests fail while these files differ from what this would write.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tactful.elements import catalogue
from tactful.elements.contract import Element, Family
from tactful.engine.project import load_project
from tactful.flows.draw import draw
from tactful.flows.load import load_file
from tactful.flows.source import read

ROOT = Path(__file__).parent.parent

CHAPTERS: Mapping[Family, str] = {
    "talk": "Sending",
    "wait": "Waiting",
    "decide": "Choosing a path",
    "act": "Changing something",
    "finish": "Counting",
}
"""The families of elements in the order of the page."""

HEAD = """\
# The elements

<!-- Written by docs/generate.py from the elements' docstrings: change those, and run it. -->

Every kind of element a flow may use, with its options and its exits. [The flow language](flows.md) says how they are
joined. `tactful elements` shows the same in the terminal.

Any text may print `{{ opt_out_link }}`, the message's own [opt-out link](do-not-contact.md#opt-out-links); texts that
nobody can answer must.
"""

TAIL = """\
## Your own element

A project adds elements of its own. Each is one class in one file:

- the class is a subclass of `tactful.elements.contract.Element`, a frozen pydantic model;
- its fields are the options, each with a description;
- its docstring is the manual, with an `Example:` at the end;
- `exits` are the ways out of it;
- `enter` says what happens when a journey arrives, `resume` when an awaited event came, `time_up` when its moment came.

An element is told everything in a `Visit` and answers with `Leave` or `Stay`. It reads no clock, draws no random
number, opens no file and calls nobody: what it wants done, it says as an effect (`SendMessage`, `UpdateContact`, and so
on). `elements/contract.py` is the whole vocabulary.

```python
from tactful.elements.contract import Element, Leave, Stay, UpdateContact, Visit
from pydantic import Field


class AddPoints(Element):
    \"\"\"Gives the contact points.

    The points are added to the attribute `points`, which counts as 0 where it is missing. The journey goes on
    by `done`.

    Example:
        thank_you:
          type: add_points
          points: 10
          next: end
    \"\"\"

    points: int = Field(gt=0, description="How many points.")

    def summary(self) -> str:
        return f"+ {self.points} points"

    def enter(self, visit: Visit) -> Leave | Stay:
        had = visit.contact.attributes.get("points", 0)
        return Leave(effects=(UpdateContact({"points": had + self.points}),))
```

The package names it as an entry point, and from then on flows may say `type: add_points`:

```toml
[project.entry-points."tactful.elements"]
add_points = "our_elements.add_points:AddPoints"
```

Flows in which an element stands are stored and go on for months. So let options be added, not renamed, and let what an
exit is called stay what it is.
"""


def elements_page(elements: Mapping[str, type[Element]]) -> str:
    """`elements.md`: a chapter for each family, a section for each element."""
    lines = [HEAD]
    for family, title in CHAPTERS.items():
        lines.append(f"## {title}\n")
        for word, element in elements.items():
            if element.family == family:
                lines.extend(_section(word, element))
    lines.append(TAIL)
    return "\n".join(lines)


def _section(word: str, element: type[Element]) -> Iterator[str]:
    manual, _, example = inspect.cleandoc(element.__doc__ or "").partition("Example:\n")
    example = textwrap.dedent(example)
    yield f"### `{word}`\n"
    yield manual.strip() + "\n"
    yield f"Exits: {_exits(element, _options(word, example))}\n"
    yield "| option | | what it says |\n|---|---|---|"
    own = [name for name in element.model_fields if name in element.__annotations__]
    for name in dict.fromkeys([*own, *element.model_fields]):
        field = element.model_fields[name]
        needed = "needed" if field.is_required() else ""
        said = (field.description or "").replace("|", r"\|")
        yield f"| `{field.alias or name}` | {needed} | {said} |"
    yield f"\n```yaml\n{example.strip()}\n```\n"


def _options(word: str, example: str) -> dict[str, Any]:
    document, problems = read(f"{word}.yaml", example)
    if document is None:
        raise ValueError("\n".join(problem.render() for problem in problems))
    [written] = document.data.values()
    return {name: value for name, value in written.items() if name not in ("type", "next")}


def _exits(element: type[Element], options: dict[str, Any]) -> str:
    made = element.model_validate(options, context={"read": lambda name: name})
    own = set(made.ways_out()) - set(options.get("paths", ()))
    exits = ["each path"] if "paths" in options else []
    exits += [f"`{exit}`" for exit in made.ways_out() if exit in own]
    if made.optional_exits:
        left_out = " and ".join(f"`{exit}`" for exit in made.optional_exits)
        return f"{', '.join(exits)}. {left_out} may be left out and then end the journey."
    return ", ".join(exits) + "."


def pictures() -> Iterator[tuple[str, str]]:
    """The pictures of the examples, by the name of the file."""
    project, problems = load_project(ROOT / "examples" / "tactful.yaml")
    if project is None:
        raise ValueError("\n".join(problem.render() for problem in problems))
    for folder in ("win-back", "welcome", "birthday", "tasting"):
        loaded = load_file(ROOT / "examples" / folder / "flow.yaml", catalogue(), project.surroundings())
        if loaded.flow is None:
            raise ValueError("\n".join(problem.render() for problem in loaded.problems))
        for name, dark in ((folder, False), (f"{folder}-dark", True)):
            yield f"pictures/{name}.svg", str(draw(loaded.flow, "svg", dark=dark))


def pages() -> dict[str, str]:
    """Everything that is generated, by its path below `docs/`."""
    ours = {word: each for word, each in catalogue().items() if each.__module__.startswith("tactful.")}
    return {"elements.md": elements_page(ours), **dict(pictures())}


if __name__ == "__main__":
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")
