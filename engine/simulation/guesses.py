"""What nobody said of a crowd, drawn so that every path of the flow is taken by somebody.

A flow asks for `contact.orders >= 5`, and no rates file says what orders people have: then some have four, some five,
some six. That is no forecast, and whoever reads the outcome is told of each such guess.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tactful.elements.contract import Contact, Instant
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Duration
from tactful.elements.options.wall_time import read_date, wall_of
from tactful.elements.pause import Pause
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply
from tactful.engine.interpreter import zone_of
from tactful.engine.simulation.behaviour import Drawn, OwnDoing, Rates
from tactful.flows.model import ByEvent, BySchedule, BySegment, Flow

SHARE, AFTER = 0.1, "1 day"
"""How many do what the flow waits for, where nobody said, and how soon."""

BIRTHDAYS = "1950-01-01..2005-12-31"


class Guessed(NamedTuple):
    """The rates with what was missing filled in, and what that was, in words."""

    rates: Rates
    guesses: tuple[str, ...]


def complete(
    rates: Rates, flow: Flow, begins: Instant, *, with_people: bool, consents: frozenset[str] = frozenset()
) -> Guessed:
    """Fill in attributes, tags, consents, data of events and events of the flow that the rates do not speak of.
    Attributes and tags are left alone where the crowd is one of a file (`with_people`); `consents` are the channels on
    which the project asks for one, where nobody knows who agreed."""
    wanted = _Wanted(flow, wall_of(begins, zone_of_flow(flow)).date())
    guesses: list[str] = []
    people = rates.contacts
    if not with_people:
        attributes = {name: Drawn(values) for name, values in wanted.contact.items() if name not in people.attributes}
        tags = dict.fromkeys((tag for tag in sorted(wanted.tags) if tag not in people.tags), 0.5)
        guesses += [f"contact.{name}: {_said(drawn.written)}" for name, drawn in attributes.items()]
        guesses += [f'has_tag("{tag}"): one in two' for tag in tags]
        people = people.model_copy(
            update={"attributes": {**people.attributes, **attributes}, "tags": {**people.tags, **tags}}
        )
    sends = {node.element.sends for node in flow.nodes.values()}
    agree = dict.fromkeys((each for each in sorted(consents) if each in sends and each not in people.consent), 0.5)
    guesses += [f"consent to {channel}: one in two" for channel in agree]
    people = people.model_copy(update={"consent": {**people.consent, **agree}})
    coming = rates.entry
    data = {name: Drawn(values) for name, values in wanted.entry.items() if name not in coming.data}
    guesses += [f"entry.{name}: {_said(drawn.written)}" for name, drawn in data.items()]
    coming = coming.model_copy(update={"data": {**coming.data, **data}})
    events: dict[str, OwnDoing] = dict(rates.events)
    told = {name for answers in (*rates.elements.values(), *rates.channels.values()) for name in answers.events}
    for name, values in wanted.events.items():
        if name not in events and name not in told:
            drawn = {field: Drawn(of) for field, of in values.items()}
            events[name] = OwnDoing(share=SHARE, after=Duration.parse(AFTER), data=drawn)
            guesses.append(f"{name}: {SHARE:.0%} do it, half of them within {AFTER}")
    completed = rates.model_copy(update={"contacts": people, "entry": coming, "events": events})
    return Guessed(completed, tuple(guesses))


def zone_of_flow(flow: Flow) -> ZoneInfo:
    """The flow's own time zone."""
    return zone_of(Contact(0, ""), flow.settings.time_zone)


def _said(values: object) -> str:
    if isinstance(values, list):
        return ", ".join("none" if value is None else str(value) for value in values)
    return str(values)


class _Wanted:
    """The names a flow's conditions use, each with values about which the answer changes; and the events it hears."""

    def __init__(self, flow: Flow, today: date) -> None:
        self._today = today
        self.contact: dict[str, Any] = {}
        self.entry: dict[str, Any] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.tags: set[str] = set()
        for node in flow.nodes.values():
            pause = node.element
            if isinstance(pause, Pause) and pause.until is not None and pause.until.attribute:
                self.contact[pause.until.attribute] = BIRTHDAYS
        entry = flow.entry
        of_event = self.entry
        match entry:
            case ByEvent(_, where) if where is not None:
                self._look(where, of_event)
            case BySegment(holds):
                self._look(holds, {})
            case BySchedule(_, audience) if audience is not None:
                self._look(audience, {})
        for rule in flow.stop_when:
            if rule.event is not None:
                self._look(rule.where, self._event(rule.event))
            if rule.when is not None:
                self._look(rule.when, of_event)
        for node in flow.nodes.values():
            element = node.element
            if isinstance(element, WaitForEvent) and element.message is None:
                self._look(element.where, self._event(element.event))
                continue
            for condition in _conditions(dict(element)):
                self._look(condition, {} if isinstance(element, WaitForReply) else of_event)
        if isinstance(entry, ByEvent):
            self.events.pop(entry.event, None)
        if not isinstance(entry, ByEvent):
            self.entry.clear()  # nothing brings data with it

    def _event(self, name: str) -> dict[str, Any]:
        return {} if name in MESSAGE_EVENTS else self.events.setdefault(name, {})

    def _look(self, condition: Condition | None, event: dict[str, Any]) -> None:
        if condition is None:
            return
        try:
            tree = ast.parse(str(condition).strip(), mode="eval")
        except (SyntaxError, ValueError):  # the language of conditions has a few spellings Python has not
            return
        for root, name, values in _questions(tree.body, self._today):
            if root == "tag":
                self.tags.add(name)
                continue
            place = {"contact": self.contact, "entry": self.entry, "event": event}.get(root)
            if place is None or (root == "contact" and name in ("id", "email", "phone", "time_zone")):
                continue
            known = place.setdefault(name, [])
            if isinstance(known, list):
                known += [value for value in values if value not in known or isinstance(value, bool)]


def _conditions(options: Mapping[str, Any]) -> Iterator[Condition]:
    for value in options.values():
        if isinstance(value, Condition):
            yield value
        elif isinstance(value, Mapping):
            yield from (each for each in value.values() if isinstance(each, Condition))


def _questions(node: ast.expr, today: date) -> Iterator[tuple[str, str, list[Any]]]:
    """What a condition asks: root, name, and values that answer it differently."""
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _questions(value, today)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _questions(operand, today)
        case ast.Compare(left=left, comparators=[right]):
            yield from _compared(left, right, today)
        case ast.Compare(left=left, comparators=comparators):
            for one, other in zip([left, *comparators], comparators, strict=False):
                yield from _compared(one, other, today)
        case ast.Call(func=ast.Name(id="has_tag"), args=[ast.Constant(value=str(tag))]):
            yield "tag", tag, []
        case ast.Call(func=ast.Name(id="is_empty"), args=[ast.Attribute() as name]):
            yield from _of(name, [None, "something"])
        case ast.Call(func=ast.Name(), args=[ast.Attribute() as name, ast.Constant(value=value)]):
            yield from _of(name, [value, "something else"] if isinstance(value, str) else [[value], []])
        case ast.Attribute():
            yield from _of(node, [True, False])


def _compared(left: ast.expr, right: ast.expr, today: date) -> Iterator[tuple[str, str, list[Any]]]:
    if isinstance(right, ast.Attribute | ast.Call) and isinstance(left, ast.Constant):
        left, right = right, left
    match left, right:
        case ast.Attribute(), ast.Constant(value=value):
            yield from _of(left, _about(value))
        case ast.Attribute(), ast.List(elts=items) | ast.Tuple(elts=items):
            values = [item.value for item in items if isinstance(item, ast.Constant)]
            yield from _of(left, [*values, "another" if all(isinstance(v, str) for v in values) else None])
        case ast.Call(func=ast.Name(id="days_since"), args=[ast.Attribute() as name]), ast.Constant(value=int(days)):
            yield from _of(name, [(today - timedelta(days=days + by)).isoformat() for by in (-3, 3)])
        case ast.Call(func=ast.Name(id="days_until"), args=[ast.Attribute() as name]), ast.Constant(value=int(days)):
            yield from _of(name, [(today + timedelta(days=days + by)).isoformat() for by in (-3, 3)])
        case ast.Attribute(), ast.Call():  # now()
            yield from _of(left, [(today + timedelta(days=by)).isoformat() for by in (-30, 30)])


def _about(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [True, False]
    if isinstance(value, int | float):
        return [value - 1, value, value + 1]
    day = read_date(value) if isinstance(value, str) else None
    if day is not None:
        return [(day + timedelta(days=by)).isoformat()[:10] for by in (-1, 0, 1)]
    return [value, "another"]


def _of(name: ast.Attribute, values: list[Any]) -> Iterator[tuple[str, str, list[Any]]]:
    if isinstance(name.value, ast.Name):
        yield name.value.id, name.attr, values
