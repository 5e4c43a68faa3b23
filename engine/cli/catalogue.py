"""`tactful elements` and `tactful schema`: what a flow may be written with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import Json

if TYPE_CHECKING:
    from rich.text import Text

    from tactful.elements.contract import Element

Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of the screen.")
]


def elements(
    word: Annotated[str | None, typer.Argument(metavar="WORD", help="One element: its manual page.")] = None,
    as_json: Json = False,
) -> None:
    """List the elements of flows; show the manual of one.

    Example:
      tactful elements
      tactful elements wait_for_event

    With --json: a list of {"word", "summary", "family", "sends", "exits", "optional_exits"}; of one element that
    object, with "manual" and "options": [{"name", "required", "default", "description"}] as well. Exits that options
    decide are not among "exits".
    """
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import one_of
    from tactful.engine.cli.screen import out, plain, print_json, table

    words = catalogue()
    if word is not None:
        word = word.strip().replace("-", "_").lower()
        kind = words[one_of(word, list(words), "the element")]
        if as_json:
            print_json({**_line(word, kind), "manual": inspect.getdoc(kind), "options": _options(kind)})
        else:
            _show_page(word, kind)
        return
    if as_json:
        print_json([_line(each, kind) for each, kind in words.items()])
        return
    from rich.text import Text

    screen = out()
    columns = ("element", "what it does", *(("exits",) if screen.width >= 100 else ()))
    rows = table(*columns, free=("what it does", "exits"))
    for each, kind in words.items():
        cells = (Text(each, "name"), Text(plain(_summary(kind))), Text(", ".join(_exits(kind)), "dim"))
        rows.add_row(*cells[: len(columns)])
    screen.print(rows)
    screen.print(Text("\ntactful elements WORD shows the manual page of one.", "dim"))


def schema(
    scenarios: Annotated[
        bool, typer.Option("--scenarios", help="Of files of scenarios (*.flowtest.yaml) instead.")
    ] = False,
    output: Output = None,
) -> None:
    """Print the JSON Schema of flows or scenarios, for editors.

    By it they complete and explain. Put the line `# yaml-language-server: $schema=flow.schema.json` at the top of a
    flow, and VS Code and others know every element and option. The schema includes the elements that installed
    packages add.

    Example:
      tactful schema -o flow.schema.json
      tactful schema --scenarios -o flowtest.schema.json
    """
    import json

    from tactful.elements import catalogue
    from tactful.engine.cli.screen import note, print_json
    from tactful.engine.testing.scenario_schema import scenario_schema
    from tactful.flows.schema import flow_schema

    found = scenario_schema() if scenarios else flow_schema(catalogue())
    if output is None:
        print_json(found)
    else:
        output.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        note(f"written to {output}")


def _summary(kind: type[Element]) -> str:
    paragraph = (inspect.getdoc(kind) or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).partition(". ")[0].rstrip(".")


def _exits(kind: type[Element]) -> tuple[str, ...]:
    paths = ("each path",) if "paths" in kind.model_fields else ()
    return (*paths, *(exit for exit in kind.exits if not (paths and exit == "done")))


def _line(word: str, kind: type[Element]) -> dict[str, Any]:
    return {
        "word": word, "summary": _summary(kind), "family": kind.family, "sends": kind.sends,
        "exits": [exit for exit in _exits(kind) if exit != "each path"], "optional_exits": list(kind.optional_exits),
    }  # fmt: skip


def _options(kind: type[Element]) -> list[dict[str, Any]]:
    options = []
    for name, field in kind.model_fields.items():
        default = field.default
        if field.is_required() or field.default_factory is not None:
            default = None
        shown = default if isinstance(default, str | int | float | bool | type(None)) else str(default)
        if isinstance(default, tuple | list | Mapping) and not default:
            shown = None
        options.append(
            {
                "name": field.alias or name,
                "required": field.is_required(),
                "default": shown,
                "description": field.description,
            }
        )
    return options


# --- The manual page -----------------------------------------------------------------------------


def _show_page(word: str, kind: type[Element]) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out, table

    manual, _, example = (inspect.getdoc(kind) or "").partition("\nExample:\n")
    screen = out()
    width = min(screen.width, 88)
    screen.print(Text.assemble((word, "bold cyan"), ("   exits: ", "dim"), ", ".join(_exits(kind))))
    for paragraph in manual.strip().split("\n\n"):
        screen.print()
        screen.print(_words(" ".join(paragraph.split()), screen.is_terminal), width=width)
    screen.print(Text("\nOptions", "head"))
    rows = table("", "", free=("",))
    rows.show_header = False
    rows.columns[0].no_wrap = True
    rows.columns[0].overflow = "ellipsis"
    for option in _options(kind):
        name = Text(f"  {option['name']}", "name")
        said = _words(option["description"] or "", screen.is_terminal)
        if option["required"]:
            said.append(" Needed.", "warn")
        elif option["default"] is not None:
            said.append(f" Without it: {option['default']}.", "dim")
        rows.add_row(name, said)
    screen.print(rows, width=width)
    if example:
        screen.print(Text("\nExample", "head"))
        for line in example.rstrip().split("\n"):
            screen.print(Text("  " + line.removeprefix("    ")), soft_wrap=True)


def _words(text: str, colour: bool) -> Text:
    """Text whose words in backticks stand out, by colour where there is any."""
    from rich.text import Text

    if not colour:
        return Text(text)
    made = Text()
    for number, part in enumerate(text.split("`")):
        made.append(part, "name" if number % 2 else "")
    return made
