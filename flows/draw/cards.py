"""What a picture of a flow says, before any format: a card for how contacts enter and one for each element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tactful.elements.contract import END, Element
from tactful.flows.draw.text import plain, readable
from tactful.flows.exits import goes_unsaid
from tactful.flows.model import ByEvent, ByHand, BySchedule, BySegment, Entry, Flow, Node, StopRule

_ICONS = {
    "send_email": "mail", "send_sms": "phone", "send_whatsapp": "chat", "send_push": "bell",
    "wait_for_event": "hourglass", "wait_for_reply": "reply", "wait_for_change": "watch", "pause": "clock",
    "branch": "branch", "split": "flask", "update_contact": "pencil", "add_to_do_not_contact": "ban",
    "remove_from_do_not_contact": "check", "goal": "flag",
}  # fmt: skip
_FAMILY_ICONS = {"talk": "chat", "wait": "hourglass", "decide": "branch", "act": "cog", "finish": "flag"}


@dataclass(frozen=True, slots=True)
class Highlight:
    """The exits to show in red, each as (element, exit), and what red means, for a line below the flow's name.

    Without a highlight red are the exits by which something failed.
    """

    exits: frozenset[tuple[str, str]]
    says: str


@dataclass(frozen=True, slots=True)
class Chip:
    """An exit that is drawn. `to` is the number of the card it leads to, None where the journey ends.

    `failure`: what was meant to happen did not; its line is dashed. `red`: it is highlighted.
    """

    exit: str
    label: str
    to: int | None
    failure: bool = False
    red: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One card. All texts are plain (`text.plain`) and not yet escaped for any format.

    `tone` is a key of `looks.Looks.hues`, `icon` one of `looks.ICONS`. `lines` stand below the title;
    `stops` say what takes contacts out wherever they are (the entry card only). `id` and `type` are those of
    the element, empty on the entry card.
    """

    title: str
    lines: tuple[str, ...]
    tone: str
    icon: str
    chips: tuple[Chip, ...]
    id: str = ""
    type: str = ""
    stops: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[Chip, ...]:
        """The exits worth naming: none where there is only one."""
        return self.chips if len(self.chips) > 1 else ()


def cards(flow: Flow, highlight: Highlight | None = None) -> tuple[Card, ...]:
    """The entry card, then a card for each element in the order of the file."""
    numbers = {name: number for number, name in enumerate(flow.nodes, start=1)}
    return (_entry(flow, numbers[flow.start]), *(_card(node, numbers, highlight) for node in flow.nodes.values()))


def _card(node: Node, numbers: dict[str, int], highlight: Highlight | None) -> Card:
    element = node.element
    chips = []
    for way in element.ways_out():
        target = node.exits.get(way, END)
        highlighted = highlight is not None and (node.id, way) in highlight.exits
        # Ways out that need not be named, and end, say nothing: drawn, they would be most of the picture.
        if highlighted or not goes_unsaid(node, way):
            failure = element.sends is not None and way in element.optional_exits
            to = None if target == END else numbers[target]
            red = failure if highlight is None else highlighted
            chips.append(Chip(plain(way), plain(way.replace("_", " ")), to, failure, red))
    summary = plain(element.summary()) or readable(node.type)
    return Card(
        title=readable(node.id),
        lines=(summary,),
        tone="do_not_contact" if _guards(element) else element.family,
        icon=_ICONS.get(node.type, _FAMILY_ICONS.get(element.family, "cog")),
        chips=tuple(chips),
        id=plain(node.id),
        type=plain(node.type),
    )


def _guards(element: Element) -> bool:
    return bool(element.blocks() or element.unblocks())


def _entry(flow: Flow, start: int) -> Card:
    title, icon, *lines = _coming_in(flow.entry)
    match flow.again:
        case "never":
            lines.append("once for each contact")
        case "always":
            lines.append("every time, also in parallel")
        case duration:
            lines.append(f"again after {duration}")
    return Card(
        title=plain(title),
        lines=tuple(map(plain, lines)),
        tone="start",
        icon=icon,
        chips=(Chip("enters", "enters", start),),
        stops=tuple(plain(_stop(rule)) for rule in flow.stop_when),
    )


def _coming_in(entry: Entry) -> tuple[str, ...]:
    """Title, icon and lines for who comes in."""
    match entry:
        case ByEvent(event=event, where=None):
            return f"When {event} happens", "bolt"
        case ByEvent(event=event, where=where):
            return f"When {event} happens", "bolt", f"where {where}"
        case BySegment(holds=holds):
            return "When this begins to hold", "people", str(holds)
        case BySchedule(cron=cron, audience=None):
            return f"On schedule: {cron}", "calendar", "everybody"
        case BySchedule(cron=cron, audience=audience):
            return f"On schedule: {cron}", "calendar", f"all for whom {audience}"
        case ByHand():
            return "Entered by hand", "play"


def _stop(rule: StopRule) -> str:
    if rule.event is None:
        text = f"Stops when {rule.when}"
    else:
        text = f"Stops at {rule.event}" + (f" where {rule.where}" if rule.where is not None else "")
    return text + (" · goal" if rule.goal else "")


def described(flow: Flow) -> Iterator[str]:
    """The flow in sentences, one for each card, for those who hear a picture instead of seeing it."""
    everyone = cards(flow)
    for card in everyone:
        kind = f" ({card.type.replace('_', ' ')})" if card.type else ""
        ways = [
            (f"{chip.label}: " if card.named else "")
            + ("ends" if chip.to is None else f"goes on to {everyone[chip.to].title}")
            for chip in card.chips
        ]
        yield "; ".join([f"{card.title}{kind}, {', '.join(card.lines)}", *card.stops, *ways]) + "."
