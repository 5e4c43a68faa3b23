"""`tactful init`: a project that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SCHEMA_FILE = "flow.schema.json"
_NAMED = {"gitignore": ".gitignore"}  # files of the starter that are called otherwise once they are laid out


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made if it is not there.")],
) -> None:
    """Lay out a project that runs.

    A flow, its emails, some contacts, and a sender that shows messages on the screen. Nothing is overwritten: where
    a file of the same name stands, nothing is laid out.

    Example:
      tactful init my-shop
    """
    from rich.text import Text

    from tactful.engine.cli.screen import out

    made = lay_out(folder)
    screen = out()
    screen.print(Text.assemble(("A project is in ", "good"), (f"{folder}/", "head")))
    for path in made:
        screen.print(Text(f"  {path}", "dim"))
    here = "" if folder.resolve() == Path.cwd() else f"cd {folder}\n"
    screen.print(Text("\nNext", "head"))
    for line in (*here.splitlines(), *NEXT):
        command, _, why = line.partition("  # ")
        screen.print(Text.assemble("  ", (f"{command:<62}", "name") if why else (command, "name"), (why, "dim")))


NEXT = (
    "tactful check  # are all files right?",
    "tactful import contacts contacts.csv  # people to write to",
    "tactful serve --publish  # runs until Ctrl-C; go on in another terminal",
    "tactful event basket_abandoned -c ana --data '{\"value\": 120}'  # Ana leaves a basket",
    "tactful journeys  # where she is now",
)


def lay_out(folder: Path) -> list[PurePosixPath]:
    """Lay out the starter project in a folder; the files made, relative to it. Raises Trouble where one is there."""
    import json

    from tactful.elements import catalogue
    from tactful.engine.cli.trouble import wrong_use
    from tactful.flows.schema import flow_schema

    if folder.exists() and not folder.is_dir():
        raise wrong_use(f"{folder} is a file", "name a folder that is not there yet")
    texts = {_named(path): file.read_text(encoding="utf-8") for path, file in _walk(_starter(), PurePosixPath())}
    texts[PurePosixPath(SCHEMA_FILE)] = json.dumps(flow_schema(catalogue()), indent=2, ensure_ascii=False) + "\n"
    there = [path for path in texts if (folder / path).exists()]
    if there:
        names = ", ".join(str(path) for path in there[:5])
        raise wrong_use(f"{folder} has {names} already, and nothing is overwritten", "name another folder")
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return sorted(texts)


def _starter() -> Traversable:
    from importlib.resources import files

    return files("tactful.engine") / "starter"


def _walk(folder: Traversable, at: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _walk(each, at / each.name)
        else:
            yield at / each.name, each


def _named(path: PurePosixPath) -> PurePosixPath:
    return path.with_name(_NAMED.get(path.name, path.name))
