"""Reads the steps of a scenario, or tells what is wrong with them: one method for each form a step can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import Mistake
from tactful.engine.testing.scenario_contact import read_change, read_values
from tactful.engine.testing.step_pieces import PieceReader, kind
from tactful.engine.testing.steps import (
    Act,
    After,
    Blocks,
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
    WasAnswered,
    WasHeld,
    WasNotSent,
    WasSent,
    WasSuppressed,
)
from tactful.flows.fit import Owner, fit
from tactful.flows.pieces import Entry, ListPiece, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import quoted

What = Act | Expectation

REPORTED: Mapping[str, str] = MappingProxyType(
    {
        "delivers": "delivered",
        "opens": "opened",
        "clicks": "clicked",
        "bounces": "bounced",
        "complains": "complained",
    }
)
"""The acts that are a message's event, with its name."""

ACT_OF: Mapping[str, str] = MappingProxyType({event: act for act, event in REPORTED.items()})
"""The other way round."""


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


class StepReader(PieceReader):
    """Reads steps. `flows` are the scenario's; None where they are broken themselves: then elements are not looked up.

    What is wrong goes to `report`.
    """

    def step(self, item: Piece) -> Step | None:
        """One step of the list; None where it is reported."""
        if not isinstance(item, MapPiece) or not item.entries:
            word = item.text if isinstance(item, ScalarPiece) else ""
            hint = f"write `- {word}: {{}}`" if word in _TAKING_NOTHING else "such as `- sent: offer`"
            self.report.error(item.spot, "wrong-type", f"a step is one act or expectation, not {kind(item)}", hint)
            return None
        entry, *others = item.all_entries()
        for other in others:
            hint = "begin every step with `-`; or does this line belong deeper?"
            message = f"a step is one act or expectation, and {quoted(other.key)} is a second one"
            self.report.error(other.spot, "two-steps", message, hint)
        reader = WORDS.get(entry.key)
        if reader is None:
            hint = self.report.meant(entry.key, WORDS) or f"there are {', '.join(WORDS)}"
            self.report.error(entry.spot, "unknown-step", f"there is no step {quoted(entry.key)}", hint)
            return None
        what = reader(self, entry)
        line, _ = item.source.excerpt(entry.at)
        return None if what is None or others else Step(entry.key, what, entry.spot.place, line.strip())

    # --- acts

    def enter(self, entry: Entry) -> What | None:
        piece = self.mapping(entry, "`enter: {}`, or what the journey is to know: `enter: {value: 35}`")
        if piece is None:
            return None
        data = piece.plain()
        ids = [flow.id for flow in self.flows or ()]
        flow = data.pop("flow", ids[0] if len(ids) == 1 else None)
        if self.flows is not None and flow not in ids:
            spot = entry.spot if flow is None else value_spot(piece.entries["flow"].piece, piece.entries["flow"].spot)
            message = "say which flow" if flow is None else f"there is no flow {quoted(str(flow))}"
            hint = self.report.meant(str(flow), ids) or f"write `enter: {{flow: {ids[0]}}}`"
            self.report.error(spot, "unknown-flow", message, hint)
            return None
        return Enter(str(flow), data)

    def happens(self, entry: Entry) -> What | None:
        piece = self.mapping(entry, "`happens: {event: basket_abandoned}`")
        if piece is None:
            return None
        name = piece.entries.get("event")
        if name is None:
            hint = "such as `happens: {event: basket_abandoned, value: 35}`"
            self.report.error(entry.spot, "missing-option", "`happens` needs `event`", hint)
            return None
        event = self.text(name, "the name of an event")
        if event in MESSAGE_EVENTS:
            act = ACT_OF.get(event) or {"opted_out": "opts_out", "replied": "replies"}.get(event)
            hint = f"write `{act}: …`" if act else "every message counts as accepted"
            self.report.error(name.piece.spot, "not-an-event", f"{quoted(event)} is a message's event", hint)
            return None
        data = {key: value for key, value in piece.plain().items() if key != "event"}
        return None if event is None else Happens(event, data)

    def reported(self, entry: Entry) -> What | None:
        event, data = REPORTED[entry.key], {}
        if isinstance(entry.piece, MapPiece):
            key = entry.piece.entries.get("element")
            if key is None:
                hint = f"such as `{entry.key}: offer`, or `{entry.key}: {{element: offer, any: property}}`"
                self.report.error(entry.spot, "missing-option", f"`{entry.key}` needs `element`", hint)
                return None
            data = {name: value for name, value in entry.piece.plain().items() if name != "element"}
            element = self.element(key.piece, "element", key, sends=True, event=event)
        else:
            element = self.element(entry.piece, entry.key, entry, sends=True, event=event)
        return None if element is None else Reported(event, element, data)

    def replies(self, entry: Entry) -> What | None:
        piece = self.mapping(entry, "`replies: {to: offer, text: yes please}`")
        options = None if piece is None else fit(ReplyOptions, piece, Owner("replies", entry.spot), self.report)
        if piece is None or options is None:
            return None
        if (options.to is None) == (options.sender is None):
            message = "`replies` needs `to`, an element, or `sender`"
            message = message if options.to is None else "`replies` is to an element or to a sender, not to both"
            self.report.error(entry.spot, "missing-option" if options.to is None else "two-options", message)
            return None
        if options.sender is not None:
            return Replies(options.text, sender=options.sender) if self.sender(piece) else None
        to = self.element(piece.entries["to"].piece, "to", piece.entries["to"], sends=True, event="replied")
        return None if to is None else Replies(options.text, to=to)

    def opts_out(self, entry: Entry) -> What | None:
        element = self.element(entry.piece, entry.key, entry, sends=True)
        return None if element is None else OptsOut(element)

    def blocks(self, entry: Entry) -> What | None:
        named = self.channel_and_sender(entry)
        return None if named is None else Blocks(*named, there=entry.key == "block")

    def fails(self, entry: Entry) -> What | None:
        element = self.element(entry.piece, entry.key, entry, sends=True)
        return None if element is None else Fails(element)

    def changes(self, entry: Entry) -> What | None:
        piece = self.mapping(entry, "`changes: {tier: gold}`")
        if piece is None:
            return None
        if "id" in piece.entries:
            self.report.error(piece.entries["id"].spot, "bad-contact", "the id of a contact never changes")
            return None
        before = self.report.count
        fields = read_change(piece, self.project, self.report, "")
        return None if self.report.count > before else Changes(fields)

    def after(self, entry: Entry) -> What | None:
        text = self.text(entry, "a duration: `after: 48 hours`")
        if text is None:
            return None
        assert isinstance(entry.piece, ScalarPiece)
        try:
            return After(Duration.read(entry.piece.value))
        except Mistake as mistake:
            self.tell(mistake, entry.piece)
            return None

    def until(self, entry: Entry) -> What | None:
        text = self.text(entry, "a moment: `until: 2026-03-04 09:00`")
        return Until(text) if text is not None and self.is_moment(entry.piece) else None

    def restart(self, entry: Entry) -> What | None:
        return Restart() if self.nothing(entry) else None

    # --- expectations

    def sent(self, entry: Entry) -> What | None:
        if not isinstance(entry.piece, MapPiece):
            element = self.element(entry.piece, entry.key, entry, sends=True)
            return None if element is None else WasSent(element)
        options = fit(SentOptions, entry.piece, Owner("sent", entry.spot), self.report)
        if options is None:
            return None
        key = entry.piece.entries["element"]
        element = self.element(key.piece, "element", key, sends=True)
        return None if element is None else WasSent(element, options.contains)

    def of_message(self, entry: Entry) -> What | None:
        element = self.element(entry.piece, entry.key, entry, sends=True)
        return None if element is None else OF_MESSAGES[entry.key](element)

    def answered(self, entry: Entry) -> What | None:
        text = self.text(entry, "a text the answer holds")
        return None if text is None else WasAnswered(text)

    def goal(self, entry: Entry) -> What | None:
        name = self.text(entry, "the name of a goal")
        return None if name is None else GoalReached(name)

    def not_entered(self, entry: Entry) -> What | None:
        return NotEntered() if self.nothing(entry) else None

    def stands_at(self, entry: Entry) -> What | None:
        element = self.element(entry.piece, entry.key, entry)
        return None if element is None else StandsAt(element)

    def ended(self, entry: Entry) -> What | None:
        element = self.element(entry.piece, entry.key, entry)
        return None if element is None else Ended(element)

    def path(self, entry: Entry) -> What | None:
        if not isinstance(entry.piece, ListPiece):
            self.wrong(entry, "a list of elements: `path: [offer, opened]`")
            return None
        found = [self.element(item, "path", Entry("path", item.start, item)) for item in entry.piece.items]
        return None if None in found else Took(tuple(id for id in found if id is not None))

    def contact(self, entry: Entry) -> What | None:
        piece = self.mapping(entry, "attributes: `contact: {tier: gold}`")
        before = self.report.count
        values = {} if piece is None else read_values(piece, self.project, self.report)
        return None if piece is None or self.report.count > before else ContactIs(values)

    def listed(self, entry: Entry) -> What | None:
        named = self.channel_and_sender(entry)
        return None if named is None else Listed(*named, there=entry.key == "on_do_not_contact")

    def channel_and_sender(self, entry: Entry) -> tuple[str, str | None] | None:
        """A channel, for any sender; or a mapping with `sender` too."""
        if not isinstance(entry.piece, MapPiece):
            channel = self.text(entry, f"a channel: `{entry.key}: email`")
            return (channel, None) if channel is not None and self.channel(entry) else None
        options = fit(ListedOptions, entry.piece, Owner(entry.key, entry.spot), self.report)
        if options is None or not self.channel(entry.piece.entries["channel"]) or not self.sender(entry.piece):
            return None
        return options.channel, options.sender


_TAKING_NOTHING = ("enter", "restart", "not_entered")

WORDS: Mapping[str, Callable[[StepReader, Entry], What | None]] = MappingProxyType(
    {
        "enter": StepReader.enter,
        "happens": StepReader.happens,
        **dict.fromkeys(REPORTED, StepReader.reported),
        "replies": StepReader.replies,
        "opts_out": StepReader.opts_out,
        "block": StepReader.blocks,
        "unblock": StepReader.blocks,
        "fails": StepReader.fails,
        "changes": StepReader.changes,
        "after": StepReader.after,
        "until": StepReader.until,
        "restart": StepReader.restart,
        "sent": StepReader.sent,
        **dict.fromkeys(OF_MESSAGES, StepReader.of_message),
        "answered": StepReader.answered,
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
