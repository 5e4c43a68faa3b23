"""`tactful draw`: a flow as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.frame import FlowName, Project

if TYPE_CHECKING:
    from tactful.flows.draw import Kind


def draw(
    flow: FlowName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The picture: .svg, .png, .mmd (Mermaid) or .dot."),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Light on dark.")] = False,
    project: Project = None,
) -> None:
    """Draw a flow as a picture.

    Without -o, as Mermaid text, which GitHub and many wikis show as a picture.

    Example:
      tactful draw win-back -o win-back.svg
    """
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import load_flow
    from tactful.engine.cli.screen import note

    kind = "mmd" if output is None else _kind(output)
    loaded = load_flow(flow, project, catalogue())
    from tactful.flows.draw import draw as drawn

    picture = drawn(loaded, kind, dark=dark)
    if output is None:
        assert isinstance(picture, str)
        sys.stdout.write(picture.rstrip("\n") + "\n")
        return
    output.write_bytes(picture if isinstance(picture, bytes) else picture.encode())
    note(f"drawn to {output}")


def _kind(output: Path) -> Kind:
    from tactful.engine.cli.trouble import wrong_use
    from tactful.flows.draw import KINDS

    found = next((kind for kind in KINDS if output.suffix.lower() == f".{kind}"), None)
    if found is None:
        raise wrong_use(f"a flow cannot be drawn as `{output}`", f"end the name in .{', .'.join(KINDS)}")
    return found
