"""A flow as Mermaid text, for READMEs, wikis and issues that render it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tactful.flows.draw.cards import Card, Highlight, cards
from tactful.flows.draw.looks import DARK, LIGHT, Looks
from tactful.flows.draw.text import plain
from tactful.flows.model import Flow

_SAFE = frozenset(" ,.-_/()%+!?“”…·—")


def to_mermaid(flow: Flow, *, dark: bool = False, highlight: Highlight | None = None) -> str:
    """The flow as a Mermaid flowchart. Ids and texts of the flow appear in quoted labels only."""
    return "\n".join(_lines(flow, DARK if dark else LIGHT, highlight)) + "\n"


def _lines(flow: Flow, looks: Looks, highlight: Highlight | None) -> Iterator[str]:
    everyone = cards(flow, highlight)
    title = plain(flow.id) if highlight is None else f"{plain(flow.id)}. {plain(highlight.says)}"
    yield from ("---", f"title: {json.dumps(title)}", "---", "flowchart TD")
    for number, card in enumerate(everyone):
        yield f"  n{number}{_shape(card)}"
    ends: list[str] = []
    red: list[int] = []
    drawn = 0
    for number, card in enumerate(everyone):
        for port, chip in enumerate(card.chips):
            target = f"n{chip.to}"
            if chip.to is None:
                target = f"e{number}_{port}"
                ends.append(target)
                yield f'  {target}(["ends"])'
            label = f'|"{_escaped(chip.label)}"|' if card.named else ""
            yield f"  n{number} {'-.->' if chip.failure else '-->'}{label} {target}"
            if chip.red:
                red.append(drawn)
            drawn += 1
    for tone, hue in looks.hues.items():
        members = ",".join(f"n{number}" for number, card in enumerate(everyone) if card.tone == tone)
        if members:
            yield f"  classDef {tone} fill:{looks.tint(tone)},stroke:{hue},color:{looks.ink}"
            yield f"  class {members} {tone}"
    if ends:
        yield f"  classDef ends fill:{looks.panel},stroke:{looks.rim},color:{looks.quiet},font-size:11px"
        yield f"  class {','.join(ends)} ends"
    if red:
        yield f"  linkStyle {','.join(map(str, red))} stroke:{looks.bad},color:{looks.bad}"


def _shape(card: Card) -> str:
    label = "<br/>".join([f"<b>{_escaped(card.title)}</b>", *map(_escaped, (*card.lines, *card.stops))])
    if card.tone == "decide":
        return f'{{{{"{label}"}}}}'
    if card.tone in ("start", "finish"):
        return f'(["{label}"])'
    return f'("{label}")'


def _escaped(text: str) -> str:
    """As the inside of a quoted label: whatever could mean something to Mermaid, HTML or Markdown becomes a number."""
    return "".join(
        character if character.isalnum() or character in _SAFE else f"#{ord(character)};" for character in text
    )
