"""What the steps of a scenario are made of: texts, elements, channels, moments, each read or told what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from tactful.elements.contract import Send
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.written import kind_of
from tactful.engine.instants import parse_instant
from tactful.engine.project import Project
from tactful.engine.rules.permission import ALL_CHANNELS
from tactful.flows.model import Flow
from tactful.flows.pieces import Entry, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Report, listed, quoted


class PieceReader:
    """Reads the parts of steps. `flows` are the scenario's; None where they are broken themselves: then elements are
    not looked up.

    What is wrong goes to `report`.
    """

    def __init__(self, flows: Sequence[Flow] | None, project: Project | None, report: Report) -> None:
        self.flows = flows
        self.project = project
        self.report = report
        self.nodes = {id: node for flow in flows or () for id, node in flow.nodes.items()}

    # --- what a step takes

    def text(self, entry: Entry, wanted: str) -> str | None:
        """A text; None where there is none, which is reported, as by all that follow."""
        piece = entry.piece
        if isinstance(piece, ScalarPiece) and piece.value is not None:
            return piece.text
        self.wrong(entry, wanted)
        return None

    def mapping(self, entry: Entry, wanted: str) -> MapPiece | None:
        """A mapping."""
        if isinstance(entry.piece, MapPiece):
            return entry.piece
        self.wrong(entry, wanted)
        return None

    def wrong(self, entry: Entry, wanted: str) -> None:
        """Report that here stands something else than what is `wanted`."""
        empty = isinstance(entry.piece, ScalarPiece) and entry.piece.value is None
        message = f"{quoted(entry.key)} is empty" if empty else f"{quoted(entry.key)} cannot be {kind(entry.piece)}"
        spot = value_spot(entry.piece, entry.spot)
        self.report.error(spot, "empty" if empty else "wrong-type", message, f"write {wanted}")

    def nothing(self, entry: Entry) -> bool:
        """Whether it is `{}`, as what takes nothing must be."""
        if isinstance(entry.piece, MapPiece) and not entry.piece.entries:
            return True
        self.wrong(entry, f"`{entry.key}: {{}}`")
        return False

    def element(self, piece: Piece, label: str, key: Entry, *, sends: bool = False, event: str = "") -> str | None:
        """The id of an element of the flows; `sends`: of one that sends, on a channel that may report the `event`."""
        spot = value_spot(piece, key.spot)
        if not isinstance(piece, ScalarPiece) or piece.value is None:
            self.wrong(key, f"the id of an element: `{label}: offer`")
            return None
        if self.flows is None:
            return piece.text
        node = self.nodes.get(piece.text)
        senders = [id for id, each in self.nodes.items() if isinstance(each.element, Send)]
        if node is None:
            hint = self.report.meant(piece.text, senders if sends else self.nodes)
            self.report.error(spot, "unknown-element", f"there is no element {quoted(piece.text)}", hint)
            return None
        if not sends:
            return node.id
        if not isinstance(node.element, Send):
            hint = f"there are {listed(senders)}" if senders else None
            self.report.error(spot, "not-a-send", f"{quoted(node.id)} ({node.type}) sends nothing", hint)
            return None
        channel = CHANNELS.get(node.element.sends or "")
        if event and channel is not None and event not in channel.reports:
            message = f"nobody ever learns that a message on {channel.name} was {event}"
            self.report.error(spot, "never-reported", message)
            return None
        return node.id

    # --- what is looked up

    def is_moment(self, piece: Piece) -> bool:
        """Whether this is a moment as people write it; else that is reported."""
        assert isinstance(piece, ScalarPiece)
        try:
            parse_instant(piece.text, ZoneInfo("UTC"))
        except Mistake as mistake:
            self.tell(mistake, piece)
            return False
        return True

    def tell(self, mistake: Mistake, piece: ScalarPiece) -> None:
        """Report a mistake in a text, at its place there."""
        self.report.error(piece.spot_at(mistake.at or 0), mistake.code, mistake.message, mistake.hint)

    def channel(self, entry: Entry) -> bool:
        """Whether it is a channel, or `all`."""
        choices = (*CHANNELS, ALL_CHANNELS)
        text = entry.piece.text if isinstance(entry.piece, ScalarPiece) else ""
        if text in choices:
            return True
        hint = self.report.meant(text, choices) or f"there are {listed(choices)}"
        self.report.error(entry.piece.spot, "unknown-channel", f"there is no channel {quoted(text)}", hint)
        return False

    def sender(self, piece: MapPiece) -> bool:
        """Whether `sender` is one of the project's, where it declares any."""
        sender, known = piece.entries["sender"].piece, self.project.senders if self.project else None
        assert isinstance(sender, ScalarPiece)
        if known is None or sender.text in known:
            return True
        hint = self.report.meant(sender.text, known) or f"there are {listed(known)}"
        self.report.error(sender.spot, "unknown-sender", f"there is no sender {quoted(sender.text)}", hint)
        return False


def kind(piece: Piece) -> str:
    """What stands there, for a message: the text itself, or what kind of value it is."""
    return quoted(piece.text) if isinstance(piece, ScalarPiece) and piece.value is not None else kind_of(piece.plain())
