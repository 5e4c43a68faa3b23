"""Pictures of flows: SVG and PNG to look at, Mermaid and DOT to put into other people's tools."""

from __future__ import annotations

from typing import Literal, get_args, overload

from tactful.flows.draw.cards import Highlight
from tactful.flows.draw.dot import to_dot
from tactful.flows.draw.mermaid import to_mermaid
from tactful.flows.draw.png import PngUnavailable, to_png
from tactful.flows.draw.svg import to_svg
from tactful.flows.model import Flow

__all__ = ["KINDS", "Highlight", "Kind", "PngUnavailable", "draw"]

Kind = Literal["svg", "png", "mmd", "dot"]
"""What a flow can be drawn as, named as the files' suffixes."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@overload
def draw(flow: Flow, kind: Literal["png"], *, dark: bool = ..., highlight: Highlight | None = ...) -> bytes: ...
@overload
def draw(
    flow: Flow, kind: Literal["svg", "mmd", "dot"], *, dark: bool = ..., highlight: Highlight | None = ...
) -> str: ...
@overload
def draw(flow: Flow, kind: Kind, *, dark: bool = ..., highlight: Highlight | None = ...) -> bytes | str: ...
def draw(flow: Flow, kind: Kind, *, dark: bool = False, highlight: Highlight | None = None) -> bytes | str:
    """A picture of a flow: bytes for `png`, text for the others. `dark` chooses the colours, `highlight` what is red.

    The same flow always gives the same text (and the same PNG from one version of resvg, if all its letters
    are in the bundled font). Raises PngUnavailable for `png` where the extra `png` is not installed, and
    ValueError for any other kind.
    """
    match kind:
        case "svg":
            return to_svg(flow, dark=dark, highlight=highlight).text
        case "png":
            svg = to_svg(flow, dark=dark, highlight=highlight)
            return to_png(svg.text, svg.width, svg.height)
        case "mmd":
            return to_mermaid(flow, dark=dark, highlight=highlight)
        case "dot":
            return to_dot(flow, dark=dark, highlight=highlight)
    raise ValueError(f"a flow cannot be drawn as {kind!r}, only as {', '.join(KINDS)}")
