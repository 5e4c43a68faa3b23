"""`journeys`, `journey`, `messages`: who is where, and what became of what was sent."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import LARGEST, MOST_ROWS, Json, Project

if TYPE_CHECKING:
    from rich.text import Text

    from tactful.elements.contract import Instant
    from tactful.engine.compose import Engine
    from tactful.engine.reports import JourneyReport, MessageReport, Trace, TraceStep

FlowOption = Annotated[str | None, typer.Option("--flow", metavar="FLOW", help="Only of this flow.")]
ContactOption = Annotated[str | None, typer.Option("--contact", "-c", metavar="ID", help="Only of this contact.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST_ROWS, help="How many at most.")]

_MESSAGE_STYLES = {"sent": "good", "delivered": "good", "failed": "bad", "unknown": "bad", "expired": "warn",
                   "suppressed": "warn", "withdrawn": "dim", "held": "warn"}  # fmt: skip
_JOURNEY_STYLES = {"active": "name", "done": "good", "stopped": "", "removed": "warn", "failed": "bad"}


def journeys(
    flow: FlowOption = None,
    contact: ContactOption = None,
    state: Annotated[
        str | None, typer.Option("--state", help="Only in this state: active, done, stopped, removed or failed.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="ELEMENT", help="Only those that stand there now.")] = None,
    limit: Limit = 50,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """List journeys: who is where, until when.

    The newest come first. Times are in the contact's own zone.

    Example:
      tactful journeys --flow win-back --at opened

    With --json: a list of {"id", "flow", "version", "contact", "state", "element", "entered_at", "arrived_at",
    "due_at", "stands_still", "ended_at", "why"}.
    """
    from tactful.engine import reports
    from tactful.engine.cli.opening import one_of, the_contact, the_engine, the_project
    from tactful.engine.cli.screen import note, out, print_json
    from tactful.engine.clock import SystemClock

    if state is not None:
        one_of(state, reports.STATES_OF_JOURNEYS, "--state")
    with the_engine(the_project(project)) as engine:
        id = _flow(engine, flow, at)
        if contact is not None:
            the_contact(engine, contact)
        with engine.store.read() as tx:
            found = reports.journeys(tx, flow=id, contact=contact, state=state, at=at, limit=limit + 1)
        zones = _zones(engine, found)
    if as_json:
        print_json([each.as_json() for each in found[:limit]])
        return
    if not found:
        out().print("No journey is like that.")
        return
    out().print(_journeys_table(found[:limit], zones, SystemClock().now()))
    if len(found) > limit:
        note(f"\nthe newest {limit}; --limit shows more")


def _flow(engine: Engine, name: str | None, element: str | None = None) -> str | None:
    """The flow's id; looks whether there is such an element as well."""
    from tactful.engine.cli.opening import node_of, published

    id = None if name is None else published(engine, name)
    if id is not None and element is not None:
        node_of(engine.host.flows.live.by_id[id].flow, element)
    return id


def _zones(engine: Engine, found: list[JourneyReport]) -> dict[int, tzinfo]:
    """Each journey's zone: the contact's, else the flow's, else UTC."""
    from zoneinfo import ZoneInfo

    flows = engine.host.flows.live.by_id
    return {each.id: ZoneInfo(each.time_zone or flows[each.flow].flow.settings.time_zone or "UTC") for each in found}


def _journeys_table(found: list[JourneyReport], zones: dict[int, tzinfo], now: Instant) -> Any:
    from rich.text import Text

    from tactful.engine.cli.screen import local, plain, table

    rows = table(
        "journey",
        "flow",
        "contact",
        "state",
        "at",
        "until, or why",
        "entered",
        right=("journey",),
        free=("until, or why",),
    )
    for each in found:
        zone = zones[each.id]
        if each.state == "active":
            until = "stands still" if each.stands_still else local(each.due_at, zone, beside=now)
        else:
            until = plain(each.why or "")
        rows.add_row(
            str(each.id), Text(each.flow, "name"), plain(each.contact), Text(each.state, _JOURNEY_STYLES[each.state]),
            each.element or "", until, Text(local(each.entered_at, zone, beside=now), "dim"),
        )  # fmt: skip
    return rows


# --- One journey ---------------------------------------------------------------------------------


def journey(
    id: Annotated[int, typer.Argument(metavar="ID", help="The journey's number.", min=1, max=LARGEST)],
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Show one journey's way, step by step, and why.

    Every element it came by, when, by which exit and why; and where it stands now, until when.

    Example:
      tactful journey 1204

    With --json: a journey as in `journeys`, and "time_zone", "entry": {"name", "at", "data"}, "values", "goals":
    {name: time}, "steps": [{"step", "element", "exit", "arrived_at", "left_at", "event", "why", "message"}].
    """
    from tactful.engine import reports
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import print_json
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.clock import SystemClock

    with the_engine(the_project(project)) as engine:
        with engine.store.read() as tx:
            found = reports.trace(tx, id)
        if found is None:
            raise Trouble(f"there is no journey {id}", "`tactful journeys` lists them")
        zone = _zones(engine, [found.journey])[id]
    if as_json:
        print_json(found.as_json())
    else:
        _show_trace(found, zone, SystemClock().now())


def _show_trace(found: Trace, zone: tzinfo, now: Instant) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import how_long, local, out, plain, table

    journey, screen = found.journey, out()
    name = found.contact.attributes.get("first_name")
    who = f"{journey.contact} ({name})" if isinstance(name, str) and name else journey.contact
    screen.print(
        Text.assemble(
            (f"Journey {journey.id}", "head"), "  ", (journey.flow, "name"), (f" version {journey.version}", "dim"),
            "  ", plain(who),
        )
    )  # fmt: skip
    entry = f"Entered by {plain(found.entry.name)}{_data(found.entry.data)}, {local(journey.entered_at, zone)}"
    screen.print(entry)
    screen.print()
    rows = table(
        "", f"arrived ({zone})", "element", "left by", "after", "what happened", right=("",), free=("what happened",)
    )
    for step in found.steps:
        here = step.left_at is None
        rows.add_row(
            Text(str(step.step), "dim"),
            local(step.arrived_at, zone, beside=journey.entered_at),
            Text(step.element, "name"),
            Text("stands here" if here else str(step.exit), "head" if here else ""),
            "" if step.left_at is None else Text(how_long(step.left_at - step.arrived_at), "dim"),
            _happened(step, zone, now),
        )
    screen.print(rows)
    screen.print()
    screen.print(_standing(found, zone, now))


def _happened(step: TraceStep, zone: tzinfo, now: Instant) -> Text:
    from rich.text import Text

    from tactful.engine.cli.screen import local, plain

    parts: list[Text] = []
    if step.message is not None:
        message = step.message
        state = (message.state, _MESSAGE_STYLES.get(message.state, ""))
        said = Text.assemble(f"{message.channel} {message.key} ", state)
        if message.destination:
            said.append(f" to {plain(message.destination)}")
        if message.state in ("queued", "held") and message.due_at and message.due_at > now:
            said.append(f" until {local(message.due_at, zone, beside=now)}")
        if message.why and message.why != step.why:
            said.append(f": {plain(message.why)}", "dim")
        parts.append(said)
    if step.event is not None:
        said = Text(f"{plain(step.event.name)}{_data(step.event.data)}")
        if step.left_at is not None and step.event.at < step.left_at - 60_000:
            said.append(f" at {local(step.event.at, zone, beside=step.left_at)}", "dim")
        parts.append(said)
    if step.why:
        parts.append(Text(plain(step.why), "dim"))
    return Text("; ").join(parts)


def _standing(found: Trace, zone: tzinfo, now: Instant) -> Text:
    from rich.text import Text

    from tactful.engine.cli.screen import how_long, local, plain

    journey = found.journey
    if journey.state == "active":
        said = Text.assemble(("Stands at ", ""), (journey.element or "", "name"))
        if journey.stands_still:
            said.append(", and stands still: its flow is paused", "warn")
        elif journey.due_at is None:
            message = found.steps[-1].message
            goes_out = message is not None and message.state in ("queued", "held", "sending")
            said.append(" until its message went out" if goes_out else " until something happens")
        elif journey.due_at > now:
            said.append(f" until {local(journey.due_at, zone)}, {how_long(journey.due_at - now)} from now")
        else:
            said.append(f" until {local(journey.due_at, zone)}: due for {how_long(now - journey.due_at)}", "warn")
    else:
        verb = {"done": "Came to its end", "stopped": "Was stopped", "removed": "Was taken out", "failed": "Failed"}
        said = Text.assemble((verb[journey.state], _JOURNEY_STYLES[journey.state]), f" {local(journey.ended_at, zone)}")
        if journey.why:
            said.append(f": {plain(journey.why)}")
    for name, at in found.goals.items():
        said.append("\nReached the goal ").append(plain(name), "good").append(f" {local(at, zone)}")
    if found.values:
        said.append(f"\nRemembers{_data(found.values)}")
    return said


def _data(data: Any) -> str:
    """` {"value": 35}`, shortened; empty for nothing."""
    import json

    from tactful.engine.cli.screen import plain

    if not data:
        return ""
    text = plain(json.dumps(dict(data), ensure_ascii=False))
    return f" {text if len(text) <= 80 else text[:79] + '…'}"


# --- Messages ------------------------------------------------------------------------------------


def messages(
    state: Annotated[
        str | None, typer.Option("--state", help="Only in this state, such as held, failed, suppressed or unknown.")
    ] = None,
    flow: FlowOption = None,
    contact: ContactOption = None,
    limit: Limit = 50,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """List messages and what became of them.

    Those of the newest journeys come first. Where one is `unknown`, it was being handed over when the line went
    dead; `settle` says what became of it.

    Example:
      tactful messages --state held

    With --json: a list of {"message", "flow", "contact", "element", "channel", "sender", "destination", "purpose",
    "state", "due_at", "taken_at", "sent_at", "tries", "why"}.
    """
    from tactful.engine import reports
    from tactful.engine.cli.opening import one_of, the_contact, the_engine, the_project
    from tactful.engine.cli.screen import note, out, print_json
    from tactful.engine.clock import SystemClock

    if state is not None:
        one_of(state, reports.STATES_OF_MESSAGES, "--state")
    with the_engine(the_project(project)) as engine:
        id = _flow(engine, flow)
        if contact is not None:
            the_contact(engine, contact)
        with engine.store.read() as tx:
            found = reports.messages(tx, flow=id, contact=contact, state=state, limit=limit + 1)
    if as_json:
        print_json([each.as_json() for each in found[:limit]])
        return
    if not found:
        out().print("No message is like that.")
        return
    out().print(_messages_table(found[:limit], SystemClock().now()))
    if len(found) > limit:
        note(f"\nthose of the newest journeys, {limit} of them; --limit shows more")


def _messages_table(found: list[MessageReport], now: Instant) -> Any:
    from rich.text import Text

    from tactful.engine.cli.screen import local, plain, table

    rows = table("message", "state", "when (UTC)", "to", "flow", "element", "why", right=("message",),
                 free=("to", "why"))  # fmt: skip
    for each in found:
        when = local(each.sent_at or each.taken_at, beside=now)
        if each.due_at is not None:
            when = f"until {local(each.due_at, beside=now)}" if each.due_at > now else "due"
        rows.add_row(
            str(each.key),
            Text(each.state, _MESSAGE_STYLES.get(each.state, "")),
            Text(when, "dim"),
            plain(each.destination or f"{each.contact}, {each.channel}"),
            Text(each.flow, "name"),
            each.element,
            plain(each.why or ""),
        )
    return rows
