"""`next`: where each exit of an element leads."""

from __future__ import annotations

from collections import Counter

from tactful.elements.contract import END
from tactful.elements.options.written import kind_of
from tactful.flows.draft import NOT_SENT, Draft, DraftNode
from tactful.flows.model import Node
from tactful.flows.pieces import Entry, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import listed, quoted
from tactful.flows.text import Spot


def read_next(node: DraftNode, draft: Draft) -> None:
    """Fill a node's exits from its `next`, and report what does not lead anywhere.

    One exit (and a send's `sent`) is written `next: id`, or left out, and the journey ends there. Several are named
    one by one, but for the optional ones and, here, `not_sent`; `next: end` ends the journey whichever it leaves by.
    """
    entry = node.piece.entries.get("next") if node.piece is not None else None
    ways_out = _ways_out(node, draft)
    if entry is None:
        named: dict[str, str] = {}
        required = _required(node, ways_out)
        if len(required) > 1:
            _tell_open(node, required, draft)
    elif isinstance(entry.piece, MapPiece):
        named = _read_named(entry.piece, node, ways_out, draft)
    else:
        named = _read_single(entry, node, ways_out, draft)
    node.named = frozenset(named)
    node.exits = named if ways_out is None else {way: named.get(way, END) for way in ways_out}


def goes_unsaid(node: Node, way: str) -> bool:
    """Whether an exit need not be named and ends the journey: pictures leave it out."""
    return node.exits.get(way, END) == END and way in (*node.element.optional_exits, NOT_SENT)


def _ways_out(node: DraftNode, draft: Draft) -> tuple[str, ...] | None:
    """The element's exits; None where they cannot be known."""
    if node.element is None:
        return None
    ways_out = node.element.ways_out()
    for way, times in Counter(ways_out).items():
        if times > 1:
            message = f"{quoted(node.id)} has two exits called {quoted(way)}"
            draft.report.error(node.spot, "duplicate-exit", message, "call the path otherwise")
    return tuple(dict.fromkeys(ways_out))


def _required(node: DraftNode, ways_out: tuple[str, ...] | None) -> list[str]:
    """The exits that a flow must name where there are several. Of an element whose options are at fault, those
    that every one of its kind has."""
    if node.kind is None:
        return []
    optional = {*node.kind.optional_exits, NOT_SENT}
    return [way for way in (node.kind.exits if ways_out is None else ways_out) if way not in optional]


def _read_single(entry: Entry, node: DraftNode, ways_out: tuple[str, ...] | None, draft: Draft) -> dict[str, str]:
    """`next: id`: the one exit that must lead somewhere; `next: end`: all of them."""
    spot = value_spot(entry.piece, entry.spot)
    target = _target(entry.piece, spot, "next", draft)
    required = _required(node, ways_out)
    if target is None:
        return dict.fromkeys(required, END)
    if ways_out is None:
        return {"": target, **dict.fromkeys(required, target)}
    if target == END:
        return dict.fromkeys(ways_out, END)
    if len(required) == 1:
        return {required[0]: target}
    ways = ", ".join(f"{way}: …" for way in required[:10])
    message = f"{quoted(node.id)} has the exits {listed(required)}: which of them leads to {quoted(target)}?"
    draft.report.error(spot, "unclear-next", message, f"write `next: {{{ways}}}`")
    return dict.fromkeys(required, target)


def _read_named(piece: MapPiece, node: DraftNode, ways_out: tuple[str, ...] | None, draft: Draft) -> dict[str, str]:
    """`next: {exit: id, …}`."""
    named: dict[str, str] = {}
    report = draft.report
    for entry in piece.all_entries():
        target = _target(entry.piece, value_spot(entry.piece, entry.spot), entry.key, draft)
        way = entry.key
        if ways_out is not None and way not in ways_out:
            likely = report.likely(way, (other for other in ways_out if other not in piece.entries))
            hint = f"did you mean {quoted(likely)}?" if likely else _exits_of(ways_out)
            report.error(entry.spot, "unknown-exit", f"{quoted(node.id)} has no exit {quoted(way)}", hint)
            if likely is None:
                continue
            way = likely
        named.setdefault(way, target or END)
    _tell_open(node, [way for way in _required(node, ways_out) if way not in named], draft)
    return named


def _exits_of(ways_out: tuple[str, ...]) -> str:
    return f"its exits are {listed(ways_out)}" if len(ways_out) > 1 else f"its only exit is {listed(ways_out)}"


def _tell_open(node: DraftNode, ways: list[str], draft: Draft) -> None:
    if not ways:
        return
    leads = "the exits lead" if len(ways) > 1 else "the exit leads"
    ends = ", ".join(f"{way}: end" for way in ways[:10])
    hint = f"if the journey shall end there, say so: `next: {{{ends}}}`"
    if ways == ["timed_out"]:
        hint = "what happens when nothing comes in time? `timed_out: end` ends the journey"
    message = f"{leads} nowhere: {listed(ways)} of {quoted(node.id)}"
    draft.report.error(node.spot, "open-exit", message, hint)


def _target(piece: Piece, spot: Spot, way: str, draft: Draft) -> str | None:
    """The id an exit leads to, or `end`; of a misspelt one, the one most likely meant. None: reported."""
    report = draft.report
    if not isinstance(piece, ScalarPiece):
        message = f"{quoted(way)} must name one element, not {kind_of(piece.plain())}"
        hint = "for example `next: offer` or `next: {happened: offer, timed_out: end}`"
        report.error(spot, "wrong-type", message, hint)
        return None
    if piece.value is None:
        report.error(spot, "empty", f"{quoted(way)} leads nowhere", "name an element, or `end`")
        return None
    if piece.text == END or piece.text in draft.nodes:
        return piece.text
    likely = report.likely(piece.text, [*draft.nodes, END])
    meant = f"did you mean {quoted(likely)}?" if likely else None
    report.error(spot, "unknown-element", f"there is no element {quoted(piece.text)}", meant)
    return likely
