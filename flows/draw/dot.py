"""A flow as DOT text, for Graphviz and whatever reads it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tactful.flows.draw.cards import Card, Highlight, cards
from tactful.flows.draw.looks import DARK, LIGHT, Looks, mix
from tactful.flows.draw.text import plain
from tactful.flows.model import Flow


def to_dot(flow: Flow, *, dark: bool = False, highlight: Highlight | None = None) -> str:
    """The flow as a DOT digraph; every exit is a port of its node. All texts of the flow appear in HTML-like
    labels only, escaped."""
    return "\n".join(_lines(flow, DARK if dark else LIGHT, highlight)) + "\n"


def _lines(flow: Flow, looks: Looks, highlight: Highlight | None) -> Iterator[str]:
    everyone = cards(flow, highlight)
    red = "" if highlight is None else f'<BR/><FONT COLOR="{looks.bad}">{_text(plain(highlight.says))}</FONT>'
    yield "digraph flow {"
    yield (
        f'  graph [bgcolor="{looks.ground}", fontname="Helvetica", fontcolor="{looks.ink}", labelloc=t, '
        f"nodesep=0.4, ranksep=0.5, label=<<B>{_text(plain(flow.id))}</B>{red}>]"
    )
    yield f'  node [shape=plain, fontname="Helvetica", fontsize=11, fontcolor="{looks.ink}"]'
    yield f'  edge [color="{looks.line}", arrowsize=0.7]'
    for number, card in enumerate(everyone):
        yield f"  n{number} [label=<{_table(card, looks)}>]"
    for number, card in enumerate(everyone):
        for port, chip in enumerate(card.chips):
            target = f"n{chip.to}"
            if chip.to is None:
                target = f"e{number}_{port}"
                yield (
                    f'  {target} [shape=box, style="rounded,filled", fillcolor="{looks.panel}", '
                    f'color="{looks.rim}", fontcolor="{looks.quiet}", fontsize=9, height=0.2, width=0.5, '
                    f'margin="0.05,0.02", label="ends"]'
                )
            source = f"n{number}:p{port}:s" if card.named else f"n{number}"
            style = (["style=dashed"] if chip.failure else []) + ([f'color="{looks.bad}"'] if chip.red else [])
            yield f"  {source} -> {target}" + (f" [{', '.join(style)}]" if style else "")
    yield "}"


def _table(card: Card, looks: Looks) -> str:
    hue = looks.hues[card.tone]
    span = max(len(card.named), 1)
    said = "".join(
        f'<BR ALIGN="LEFT"/><FONT COLOR="{looks.quiet}" POINT-SIZE="10">{_text(line)}</FONT>'
        for line in (*card.lines, *card.stops)
    )
    rows = f'<TR><TD COLSPAN="{span}" ALIGN="LEFT" BALIGN="LEFT"><B>{_text(card.title)}</B>{said}</TD></TR>'
    if card.named:
        cells = ""
        for port, chip in enumerate(card.named):
            ground = mix(looks.bad, looks.panel, 0.08) if chip.red else looks.ground
            ink = looks.bad if chip.red else looks.quiet
            cells += (
                f'<TD PORT="p{port}" BGCOLOR="{ground}">'
                f'<FONT COLOR="{ink}" POINT-SIZE="10">{_text(chip.label)}</FONT></TD>'
            )
        rows += f"<TR>{cells}</TR>"
    return (
        f'<TABLE STYLE="ROUNDED" BORDER="1" CELLBORDER="0" CELLSPACING="4" CELLPADDING="5" '
        f'COLOR="{hue}" BGCOLOR="{looks.panel}">{rows}</TABLE>'
    )


def _text(said: str) -> str:
    return escape(said) or " "
