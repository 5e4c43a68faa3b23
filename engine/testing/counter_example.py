"""A counter-example of a proof as a scenario: the path is gone in a world, and what had to be done is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tactful.elements.contract import Contact, Element, Event, Leave, Send, Visit
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.paths import Words
from tactful.elements.options.template import Template
from tactful.elements.pause import Pause
from tactful.elements.split import Split
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import REPLIED
from tactful.engine.project import Project
from tactful.engine.testing.scenario_contact import OWN
from tactful.engine.testing.scenario_run import START
from tactful.engine.testing.step_reading import ACT_OF
from tactful.engine.testing.world import World
from tactful.flows.draft import option_values
from tactful.flows.model import Flow
from tactful.flows.prove import Proof, Stop

_IDS_TRIED = 10_000
_TIMES_TRIED = 3  # a message that is held is looked at more than once
_SAMPLES: Mapping[str, Any] = {"text": "Ana", "number": 1, "boolean": True, "date": "1990-06-15", "list": ["tea"]}
_EMAIL, _PHONE = "ana@example.com", "+447700900123"  # a number set aside for fiction
_SENT, _FAILED, _SUPPRESSED = "sent", "failed", "suppressed"


class _Step(NamedTuple):
    word: str
    value: Any


@dataclass(frozen=True, slots=True)
class CounterExample:
    """A scenario that goes a proof's path. `missing` says what it takes beyond its steps, "" where it runs as it is."""

    name: str
    contact: Mapping[str, Any]
    steps: tuple[_Step, ...]
    missing: str

    def lines(self) -> Iterator[str]:
        """As it stands in a file of scenarios."""
        yield f"  - name: {json.dumps(self.name, ensure_ascii=False)}"
        yield f"    contact: {_flow_style(self.contact)}"
        yield f"    at: {START}"
        yield "    steps:"
        for word, value in self.steps:
            yield f"      - {word}: {value if isinstance(value, str) else _flow_style(value)}"
        if self.missing:
            yield f"      # {' '.join(self.missing.split())}"


def written(flow_file: str, found: Sequence[CounterExample]) -> str:
    """A file of scenarios, for the flow of a file beside it."""
    lines = [
        "# What `tactful check --prove` found: each scenario goes a path on which something does not hold.",
        f"flow: {json.dumps(flow_file, ensure_ascii=False)}",
        "scenarios:",
    ]
    for each in found:
        lines += each.lines()
    return "\n".join(lines) + "\n"


def counter_example(
    proof: Proof, flow: Flow, project: Project | None, elements: Mapping[str, type[Element]]
) -> CounterExample:
    """The scenario of a proof's path. Runs the engine; nothing is sent anywhere."""
    key, torn = _id_for(flow, proof.path)
    contact = {
        "id": key,
        "email": _EMAIL,
        "phone": _PHONE,
        "time_zone": "UTC",
        **_attributes(flow, proof.path, project),
    }
    with World(START, time_zone="UTC", project=project, elements=elements) as world:
        trip = _Trip(world, flow, proof.path)
        steps, missing = trip.go(contact)
    first, *_ = proof.says.split(". ")
    return CounterExample(f"{proof.word}: {first.rstrip('.')}", contact, tuple(steps), missing or torn)


# --- Who goes --------------------------------------------------------------------------------------


def _id_for(flow: Flow, path: Sequence[Stop]) -> tuple[str, str]:
    """An id that every split on a path deals to its exit; and why there is none, where none was found."""
    wanted = {stop.element: stop.exit for stop in path if isinstance(flow.nodes[stop.element].element, Split)}
    if any(stop.exit != wanted[stop.element] for stop in path if stop.element in wanted):
        return "ana", "no contact goes this way: a split always deals them to the same path"
    for number in range(_IDS_TRIED):
        key = f"ana-{number}" if number else "ana"
        if all(_dealt(flow, name, key) == exit for name, exit in wanted.items()):
            return key, ""
    return (
        "ana",
        f"find an id that the splits deal this way: {', '.join(f'{name} to {way}' for name, way in wanted.items())}",
    )


def _dealt(flow: Flow, name: str, key: str) -> str:
    nobody, utc = Contact(0, key), ZoneInfo("UTC")
    visit = Visit(flow.id, name, 0, 1, 0, 0, nobody, Event("", 0), {}, {}, flow.settings, utc)
    answer = flow.nodes[name].element.enter(visit)
    assert isinstance(answer, Leave), "a split decides at once"
    return answer.by


def _attributes(flow: Flow, path: Sequence[Stop], project: Project | None) -> dict[str, Any]:
    """What the texts on a path name of the contact, and the dates that are paused until."""
    schema = project.contact if project is not None and project.contact is not None else {}
    names = {name: schema.get(name, "text") for name in _named(flow, path, "contact")}
    for stop in path:
        element = flow.nodes[stop.element].element
        if isinstance(element, Pause) and element.until is not None and element.until.attribute and stop.exit == "done":
            names[element.until.attribute] = "date"
    return {name: _SAMPLES[kind] for name, kind in names.items() if name not in OWN}


def _named(flow: Flow, path: Sequence[Stop], root: str) -> list[str]:
    """What the texts on a path take from a root, in their order."""
    texts = (
        value
        for stop in path
        for _, value in option_values(flow.nodes[stop.element].element)
        if isinstance(value, Template)
    )
    uses = (use for text in texts for use in text.names())
    return list(dict.fromkeys(use.path[0] for use in uses if use.root == root and use.path))


# --- Going the path --------------------------------------------------------------------------------


class _Cannot(Exception):
    """The path cannot be gone further by acts of a scenario; the message says what it would take."""


class _Trip:
    """A path while it is gone: used once."""

    def __init__(self, world: World, flow: Flow, path: Sequence[Stop]) -> None:
        self._world = world
        self._flow = flow
        self._path = path
        self._steps: list[_Step] = []
        self._seen = 0
        self._who = ""

    def go(self, contact: Mapping[str, Any]) -> tuple[list[_Step], str]:
        """The steps, and what is missing from them."""
        world = self._world
        world.publish(self._flow)
        more = {name: value for name, value in contact.items() if name not in OWN}
        self._who = world.put(
            ContactFields(contact["id"], contact["email"], contact["phone"], contact["time_zone"], more)
        )
        try:
            self._refuse_ahead(0)
            data = dict.fromkeys(_named(self._flow, self._path, "entry"), "something")
            if world.journeys():  # whoever is in its segment came in by being there
                self._note_messages()
            else:
                world.enter_all(self._flow.id, [self._who], data)
                self._note("enter", data)
            tried = 0
            while (at := self._gone()) < len(self._path) and self._path[at].exit is not None:
                self._act(self._path[at], at)
                tried = 0 if self._gone() > at else tried + 1
                if tried > _TIMES_TRIED:
                    raise _Cannot(f"`{self._path[at].element}` does not leave by `{self._path[at].exit}` in time")
        except _Cannot as cannot:
            journey = world.journey()
            if not self._steps and journey.stands_at is not None:  # it came in by being there, and that is all
                self._steps.append(_Step("stands_at", journey.stands_at))
            return self._steps, str(cannot)
        self._steps.append(_Step("path", world.journey().path))
        return self._steps, ""

    def _gone(self) -> int:
        """How many stops of the path lie behind. Raises _Cannot where another way was taken."""
        journey = self._world.journey()
        taken = self._world.path(journey.id)
        for number, ((element, exit), stop) in enumerate(zip(taken, self._path, strict=False)):
            if (element, exit) != (stop.element, stop.exit):
                summary = self._flow.nodes[element].element.summary()
                raise _Cannot(
                    f"it left `{element}` by `{exit}`; it takes `{stop.exit}` ({summary}) to go on, step {number + 1}"
                )
        if len(taken) < len(self._path) and journey.stands_at is None:
            raise _Cannot(f"the journey has ended: {journey.why or journey.state}")
        return len(taken)

    def _note(self, word: str, value: Any) -> None:
        """Write down an act that was done, and what messages did since."""
        self._steps.append(_Step(word, value))
        self._note_messages()

    def _note_messages(self) -> None:
        since = [each.message for each in self._world.became[self._seen :]]
        self._seen = len(self._world.became)
        sent = [each.element for each in since if each.state == _SENT]
        self._steps += [_Step("sent", name) for name in dict.fromkeys(sent) if sent.count(name) == 1]
        suppressed = dict.fromkeys(each.element for each in since if each.state == _SUPPRESSED)
        self._steps += [_Step("suppressed", name) for name in suppressed]

    def _refuse_ahead(self, at: int) -> None:
        """Have the provider refuse the sends that come up before anything else must be done."""
        for stop in self._path[at:]:
            element = self._flow.nodes[stop.element].element
            if isinstance(element, Send) and stop.exit == _FAILED:
                self._world.refuse_next("the scenario has the provider refuse it", element=stop.element)
                self._steps.append(_Step("fails", stop.element))
            if element.family == "wait":
                return

    def _act(self, stop: Stop, at: int) -> None:
        """Do what makes the journey leave where it stands."""
        element, world = self._flow.nodes[stop.element].element, self._world
        refs = element.message if isinstance(element, WaitForEvent | WaitForReply) else None
        message = self._newest(refs, at, element.event if isinstance(element, WaitForEvent) else REPLIED)
        self._refuse_ahead(at + 1)
        match element:
            case WaitForEvent(event=event) if stop.exit == "happened" and (word := ACT_OF.get(event)):
                world.reports(event, self._of(message, stop))
                self._note(word, message)
            case WaitForEvent(event="opted_out") if stop.exit == "happened":
                world.opts_out(self._of(message, stop))
                self._note("opts_out", message)
            case WaitForEvent(event="replied") if stop.exit == "happened":
                self._reply(self._of(message, stop), "Hello")
            case WaitForEvent(event=event) if stop.exit == "happened":
                world.happens(event, self._who)
                self._note("happens", {"event": event})
            case WaitForReply(paths=paths) if stop.exit != "timed_out":
                answer = paths.get(stop.exit or "")
                if answer is not None and not isinstance(answer, Words):
                    raise _Cannot(f"answer so that `{stop.element}` leaves by `{stop.exit}`: {answer}")
                self._reply(self._of(message, stop), "something else" if answer is None else answer.words[0])
            case _:
                self._let_time_pass(stop)

    def _let_time_pass(self, stop: Stop) -> None:
        world = self._world
        due = world.journey().row.due_at
        if due is None and isinstance(self._flow.nodes[stop.element].element, Send):
            due = next((each.due_at for each in reversed(world.messages_now()) if each.element == stop.element), None)
        elif stop.exit == "happened":
            due = None
        if due is None:
            raise _Cannot(f"it takes something that makes `{stop.element}` leave by `{stop.exit}`")
        length = max(due - world.clock.now(), 1)
        seconds = -(-length // 1000)
        world.advance(seconds * 1000)
        self._note("after", _exactly(seconds))

    def _newest(self, refs: Sequence[str] | None, at: int, event: str) -> str | None:
        """The send whose message is the newest on the path so far, of some or all, that such an event can come of."""
        sends = (stop.element for stop in reversed(self._path[:at]) if stop.exit == _SENT)
        return next((name for name in sends if (refs is None or name in refs) and self._reports(name, event)), None)

    def _reports(self, send: str, event: str) -> bool:
        channel = self._flow.nodes[send].element.sends
        return channel is not None and event in CHANNELS[channel].reports

    def _of(self, message: str | None, stop: Stop) -> str:
        if message is None:
            raise _Cannot(f"`{stop.element}` waits for what no message on this path can bring")
        return message

    def _reply(self, to: str, text: str) -> None:
        self._world.replies(to, text)
        self._note("replies", {"to": to, "text": text})


def _exactly(seconds: int) -> str:
    """A duration as people write it; the contact is in UTC, where a day is 24 hours."""
    parts = []
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {unit}{'' if number == 1 else 's'}")
    return " ".join(parts)


def _flow_style(value: Any) -> str:
    """A value on one line: JSON is YAML, and names may go without quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow_style(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow_style(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
