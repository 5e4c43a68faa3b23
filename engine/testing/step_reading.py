"""Reads the steps of a scenario, or tells what is wrong with them: one method for each form a step can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from tactful.elements.contract import Send
from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.written import kind_of
from tactful.engine.instants import parse_instant
from tactful.engine.project import Project
from tactful.engine.rules.permission import ALL_CHANNELS
from tactful.engine.testing.scenario_contact import read_change, read_values
from tactful.engine.testing.steps import (
    Act,
    After,
    Changes,
    ContactIs,
    Ended,
    Enter,
    Expectation,
    Fails,
    GoalReached,
    Happens,
    Listed,
    NotEntered,
    OptsOut,
    Replies,
    Reported,
    Restart,
    StandsAt,
    Step,
    Took,
    Until,
    WasHeld,
    WasNotSent,
    WasSent,
    WasSuppressed,
)
from tactful.flows.fit import Owner, fit
from tactful.flows.model import Flow
from tactful.flows.pieces import Entry, ListPiece, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Report, listed, quoted

What = Act | Expectation

REPORTED: Mapping[str, str] = MappingProxyType(
    {"opens": "opened", "clicks": "clicked", "bounces": "bounced", "complains": "complained"}
)
"""The acts that are a message's event, with its name."""


OF_MESSAGES: Mapping[str, type[WasNotSent] | type[WasHeld] | type[WasSuppressed]] = MappingProxyType(
    {"not_sent": WasNotSent, "held": WasHeld, "suppressed": WasSuppressed}
)
"""The expectations of an element's message that name nothing but the element."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReplyOptions(_Options):
    """The contact answers a message, or a sender."""

    to: str | None = Field(None, description="The element whose message is answered.")
    sender: str | None = Field(None, description="The sender that is answered, where it is no message in particular.")
    text: str = Field(description="What they write.")


class SentOptions(_Options):
    """Exactly one message of the element, since the last act."""

    element: str = Field(description="The element that sent it.")
    contains: str = Field(min_length=1, description="A text its rendered subject or one of its bodies holds.")


class ListedOptions(_Options):
    """An entry of the Do Not Contact list, at either level, that stops this sender."""

    channel: str = Field(description="A channel, or `all`.")
    sender: str = Field(description="The sender it stops.")


class StepReader:
    """Reads steps. `flows` are the scenario's; None where they are broken themselves: then elements are not looked up.

    What is wrong goes to `report`.
    """

    def __init__(self, flows: Sequence[Flow] | None, project: Project | None, report: Report) -> None:
        self._flows = flows
        self._project = project
        self._report = report
        self._nodes = {id: node for flow in flows or () for id, node in flow.nodes.items()}

    def step(self, item: Piece) -> Step | None:
        """One step of the list; None where it is reported."""
        if not isinstance(item, MapPiece) or not item.entries:
            word = item.text if isinstance(item, ScalarPiece) else ""
            hint = f"write `- {word}: {{}}`" if word in _TAKING_NOTHING else "such as `- sent: offer`"
            self._report.error(item.spot, "wrong-type", f"a step is one act or expectation, not {_kind(item)}", hint)
            return None
        entry, *others = item.all_entries()
        for other in others:
            hint = "begin every step with `-`; or does this line belong deeper?"
            message = f"a step is one act or expectation, and {quoted(other.key)} is a second one"
            self._report.error(other.spot, "two-steps", message, hint)
        reader = WORDS.get(entry.key)
        if reader is None:
            hint = self._report.meant(entry.key, WORDS) or f"there are {', '.join(WORDS)}"
            self._report.error(entry.spot, "unknown-step", f"there is no step {quoted(entry.key)}", hint)
            return None
        what = reader(self, entry)
        line, _ = item.source.excerpt(entry.at)
        return None if what is None or others else Step(entry.key, what, entry.spot.place, line.strip())

    # --- what a step takes

    def _text(self, entry: Entry, wanted: str) -> str | None:
        piece = entry.piece
        if isinstance(piece, ScalarPiece) and piece.value is not None:
            return piece.text
        self._wrong(entry, wanted)
        return None

    def _mapping(self, entry: Entry, wanted: str) -> MapPiece | None:
        if isinstance(entry.piece, MapPiece):
            return entry.piece
        self._wrong(entry, wanted)
        return None

    def _wrong(self, entry: Entry, wanted: str) -> None:
        empty = isinstance(entry.piece, ScalarPiece) and entry.piece.value is None
        message = f"{quoted(entry.key)} is empty" if empty else f"{quoted(entry.key)} cannot be {_kind(entry.piece)}"
        spot = value_spot(entry.piece, entry.spot)
        self._report.error(spot, "empty" if empty else "wrong-type", message, f"write {wanted}")

    def _nothing(self, entry: Entry) -> bool:
        if isinstance(entry.piece, MapPiece) and not entry.piece.entries:
            return True
        self._wrong(entry, f"`{entry.key}: {{}}`")
        return False

    def _element(self, piece: Piece, label: str, key: Entry, *, sends: bool = False, event: str = "") -> str | None:
        """The id of an element of the flows; `sends`: of one that sends, on a channel that may report the `event`."""
        spot = value_spot(piece, key.spot)
        if not isinstance(piece, ScalarPiece) or piece.value is None:
            self._wrong(key, f"the id of an element: `{label}: offer`")
            return None
        if self._flows is None:
            return piece.text
        node = self._nodes.get(piece.text)
        senders = [id for id, each in self._nodes.items() if isinstance(each.element, Send)]
        if node is None:
            hint = self._report.meant(piece.text, senders if sends else self._nodes)
            self._report.error(spot, "unknown-element", f"there is no element {quoted(piece.text)}", hint)
            return None
        if not sends:
            return node.id
        if not isinstance(node.element, Send):
            hint = f"there are {listed(senders)}" if senders else None
            self._report.error(spot, "not-a-send", f"{quoted(node.id)} ({node.type}) sends nothing", hint)
            return None
        channel = CHANNELS.get(node.element.sends or "")
        if event and channel is not None and event not in channel.reports:
            message = f"nobody ever learns that a message on {channel.name} was {event}"
            self._report.error(spot, "never-reported", message)
            return None
        return node.id

    # --- acts

    def enter(self, entry: Entry) -> What | None:
        piece = self._mapping(entry, "`enter: {}`, or what the journey is to know: `enter: {value: 35}`")
        if piece is None:
            return None
        data = piece.plain()
        ids = [flow.id for flow in self._flows or ()]
        flow = data.pop("flow", ids[0] if len(ids) == 1 else None)
        if self._flows is not None and flow not in ids:
            spot = entry.spot if flow is None else value_spot(piece.entries["flow"].piece, piece.entries["flow"].spot)
            message = "say which flow" if flow is None else f"there is no flow {quoted(str(flow))}"
            hint = self._report.meant(str(flow), ids) or f"write `enter: {{flow: {ids[0]}}}`"
            self._report.error(spot, "unknown-flow", message, hint)
            return None
        return Enter(str(flow), data)

    def happens(self, entry: Entry) -> What | None:
        piece = self._mapping(entry, "`happens: {event: basket_abandoned}`")
        if piece is None:
            return None
        name = piece.entries.get("event")
        if name is None:
            hint = "such as `happens: {event: basket_abandoned, value: 35}`"
            self._report.error(entry.spot, "missing-option", "`happens` needs `event`", hint)
            return None
        event = self._text(name, "the name of an event")
        if event in MESSAGE_EVENTS:
            act = next((word for word, reported in REPORTED.items() if reported == event), None)
            act = act or {"opted_out": "opts_out", "replied": "replies"}.get(event)
            hint = f"write `{act}: …`" if act else "every message counts as accepted"
            self._report.error(name.piece.spot, "not-an-event", f"{quoted(event)} is a message's event", hint)
            return None
        data = {key: value for key, value in piece.plain().items() if key != "event"}
        return None if event is None else Happens(event, data)

    def reported(self, entry: Entry) -> What | None:
        event = REPORTED[entry.key]
        element = self._element(entry.piece, entry.key, entry, sends=True, event=event)
        return None if element is None else Reported(event, element)

    def replies(self, entry: Entry) -> What | None:
        piece = self._mapping(entry, "`replies: {to: offer, text: yes please}`")
        options = None if piece is None else fit(ReplyOptions, piece, Owner("replies", entry.spot), self._report)
        if piece is None or options is None:
            return None
        if (options.to is None) == (options.sender is None):
            message = "`replies` needs `to`, an element, or `sender`"
            message = message if options.to is None else "`replies` is to an element or to a sender, not to both"
            self._report.error(entry.spot, "missing-option" if options.to is None else "two-options", message)
            return None
        if options.sender is not None:
            return Replies(options.text, sender=options.sender) if self._sender(piece) else None
        to = self._element(piece.entries["to"].piece, "to", piece.entries["to"], sends=True, event="replied")
        return None if to is None else Replies(options.text, to=to)

    def opts_out(self, entry: Entry) -> What | None:
        element = self._element(entry.piece, entry.key, entry, sends=True)
        return None if element is None else OptsOut(element)

    def fails(self, entry: Entry) -> What | None:
        element = self._element(entry.piece, entry.key, entry, sends=True)
        return None if element is None else Fails(element)

    def changes(self, entry: Entry) -> What | None:
        piece = self._mapping(entry, "`changes: {tier: gold}`")
        if piece is None:
            return None
        if "id" in piece.entries:
            self._report.error(piece.entries["id"].spot, "bad-contact", "the id of a contact never changes")
            return None
        before = self._report.count
        fields = read_change(piece, self._project, self._report, "")
        return None if self._report.count > before else Changes(fields)

    def after(self, entry: Entry) -> What | None:
        text = self._text(entry, "a duration: `after: 48 hours`")
        if text is None:
            return None
        assert isinstance(entry.piece, ScalarPiece)
        try:
            return After(Duration.read(entry.piece.value))
        except Mistake as mistake:
            self._tell(mistake, entry.piece)
            return None

    def until(self, entry: Entry) -> What | None:
        text = self._text(entry, "a moment: `until: 2026-03-04 09:00`")
        return Until(text) if text is not None and self.is_moment(entry.piece) else None

    def restart(self, entry: Entry) -> What | None:
        return Restart() if self._nothing(entry) else None

    # --- expectations

    def sent(self, entry: Entry) -> What | None:
        if not isinstance(entry.piece, MapPiece):
            element = self._element(entry.piece, entry.key, entry, sends=True)
            return None if element is None else WasSent(element)
        options = fit(SentOptions, entry.piece, Owner("sent", entry.spot), self._report)
        if options is None:
            return None
        key = entry.piece.entries["element"]
        element = self._element(key.piece, "element", key, sends=True)
        return None if element is None else WasSent(element, options.contains)

    def of_message(self, entry: Entry) -> What | None:
        element = self._element(entry.piece, entry.key, entry, sends=True)
        return None if element is None else OF_MESSAGES[entry.key](element)

    def goal(self, entry: Entry) -> What | None:
        name = self._text(entry, "the name of a goal")
        return None if name is None else GoalReached(name)

    def not_entered(self, entry: Entry) -> What | None:
        return NotEntered() if self._nothing(entry) else None

    def stands_at(self, entry: Entry) -> What | None:
        element = self._element(entry.piece, entry.key, entry)
        return None if element is None else StandsAt(element)

    def ended(self, entry: Entry) -> What | None:
        element = self._element(entry.piece, entry.key, entry)
        return None if element is None else Ended(element)

    def path(self, entry: Entry) -> What | None:
        if not isinstance(entry.piece, ListPiece):
            self._wrong(entry, "a list of elements: `path: [offer, opened]`")
            return None
        found = [self._element(item, "path", Entry("path", item.start, item)) for item in entry.piece.items]
        return None if None in found else Took(tuple(id for id in found if id is not None))

    def contact(self, entry: Entry) -> What | None:
        piece = self._mapping(entry, "attributes: `contact: {tier: gold}`")
        before = self._report.count
        values = {} if piece is None else read_values(piece, self._project, self._report)
        return None if piece is None or self._report.count > before else ContactIs(values)

    def listed(self, entry: Entry) -> What | None:
        there = entry.key == "on_do_not_contact"
        if not isinstance(entry.piece, MapPiece):
            channel = self._text(entry, f"a channel: `{entry.key}: email`")
            return Listed(channel, None, there) if channel is not None and self._channel(entry) else None
        options = fit(ListedOptions, entry.piece, Owner(entry.key, entry.spot), self._report)
        if options is None or not self._channel(entry.piece.entries["channel"]) or not self._sender(entry.piece):
            return None
        return Listed(options.channel, options.sender, there)

    # --- what is looked up

    def is_moment(self, piece: Piece) -> bool:
        """Whether this is a moment as people write it; else that is reported."""
        assert isinstance(piece, ScalarPiece)
        try:
            parse_instant(piece.text, ZoneInfo("UTC"))
        except Mistake as mistake:
            self._tell(mistake, piece)
            return False
        return True

    def _tell(self, mistake: Mistake, piece: ScalarPiece) -> None:
        self._report.error(piece.spot_at(mistake.at or 0), mistake.code, mistake.message, mistake.hint)

    def _channel(self, entry: Entry) -> bool:
        choices = (*CHANNELS, ALL_CHANNELS)
        text = entry.piece.text if isinstance(entry.piece, ScalarPiece) else ""
        if text in choices:
            return True
        hint = self._report.meant(text, choices) or f"there are {listed(choices)}"
        self._report.error(entry.piece.spot, "unknown-channel", f"there is no channel {quoted(text)}", hint)
        return False

    def _sender(self, piece: MapPiece) -> bool:
        """Whether `sender` is one of the project's, where it declares any."""
        sender, known = piece.entries["sender"].piece, self._project.senders if self._project else None
        assert isinstance(sender, ScalarPiece)
        if known is None or sender.text in known:
            return True
        hint = self._report.meant(sender.text, known) or f"there are {listed(known)}"
        self._report.error(sender.spot, "unknown-sender", f"there is no sender {quoted(sender.text)}", hint)
        return False


def _kind(piece: Piece) -> str:
    return quoted(piece.text) if isinstance(piece, ScalarPiece) and piece.value is not None else kind_of(piece.plain())


_TAKING_NOTHING = ("enter", "restart", "not_entered")

WORDS: Mapping[str, Callable[[StepReader, Entry], What | None]] = MappingProxyType(
    {
        "enter": StepReader.enter,
        "happens": StepReader.happens,
        **dict.fromkeys(REPORTED, StepReader.reported),
        "replies": StepReader.replies,
        "opts_out": StepReader.opts_out,
        "fails": StepReader.fails,
        "changes": StepReader.changes,
        "after": StepReader.after,
        "until": StepReader.until,
        "restart": StepReader.restart,
        "sent": StepReader.sent,
        **dict.fromkeys(OF_MESSAGES, StepReader.of_message),
        "goal": StepReader.goal,
        "not_entered": StepReader.not_entered,
        "stands_at": StepReader.stands_at,
        "ended": StepReader.ended,
        "path": StepReader.path,
        "contact": StepReader.contact,
        "on_do_not_contact": StepReader.listed,
        "not_on_do_not_contact": StepReader.listed,
    }
)
"""Every word a step may begin with, acts first."""
