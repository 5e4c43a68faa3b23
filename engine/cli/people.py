"""`enter`, `leave`, `event`: what happens to contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, FlowName, Json, Project, Yes

if TYPE_CHECKING:
    from tactful.elements.options.condition import Condition
    from tactful.engine.compose import Engine

ContactIds = Annotated[
    list[str] | None, typer.Option("--contact", "-c", metavar="ID", help="A contact, by their id; may be repeated.")
]
Data = Annotated[str | None, typer.Option("--data", metavar="JSON", help="What it brings along, as a JSON object.")]


def enter(
    flow: FlowName,
    contact: ContactIds = None,
    everybody: Annotated[bool, typer.Option("--all", help="All contacts.")] = False,
    where: Annotated[
        str | None, typer.Option("--where", metavar="CONDITION", help="All contacts for whom this holds.")
    ] = None,
    data: Data = None,
    yes: Yes = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Bring contacts into a published flow by hand.

    --all and --where say how many contacts that is, and ask first. Who was in the flow before comes in again only
    as its `again:` allows. Should this command be killed on the way, the daemon brings in the rest.

    Example:
      tactful enter win-back --contact ana --data '{"value": 35}'
      tactful enter win-back --where 'contact.orders >= 5'

    With --json: {"flow", "asked", "entered", "refused": {reason: number}, "journeys": {contact: journey}}; for --all
    and --where without "journeys". The exit code is 1 where nobody came in.
    """
    from tactful.engine.cli import opening
    from tactful.engine.cli.screen import print_json
    from tactful.engine.cli.trouble import wrong_use

    if sum((bool(contact), everybody, where is not None)) != 1:
        raise wrong_use("say who: one of --contact ID, --all and --where CONDITION")
    given = opening.json_object(data, "--data")
    opened = opening.the_project(project)
    audience = opening.condition(where, "--where", opened.contact) if where is not None else None
    with opening.the_engine(opened) as engine:
        id = opening.published(engine, flow)
        if contact:
            result = _enter_some(engine, id, contact, given)
        else:
            result = _enter_crowd(engine, id, audience, given, yes)
        if as_json:
            print_json(result)
        else:
            _show_entered(result)
            if result["entered"]:
                opening.needs_daemon(engine.store, "Their messages go out")
    raise typer.Exit(FINE if result["entered"] else PROBLEMS)


def _enter_some(engine: Engine, flow: str, keys: Sequence[str], data: Mapping[str, Any]) -> dict[str, Any]:
    from tactful.engine.cli.opening import contacts
    from tactful.engine.clock import SystemClock

    keys = list(dict.fromkeys(keys))
    contacts(engine, keys)  # says so where there is one that does not exist
    entered = engine.host.enter(flow, keys, SystemClock().now(), data)
    journeys = {each.contact: each.journey for each in entered if each.journey is not None}
    refused = Counter(each.why for each in entered if each.why is not None)
    return {
        "flow": flow,
        "asked": len(keys),
        "entered": len(journeys),
        "refused": dict(refused.most_common()),
        "journeys": journeys,
    }


def _enter_crowd(
    engine: Engine, flow: str, audience: Condition | None, data: Mapping[str, Any], yes: bool
) -> dict[str, Any]:
    from tactful.elements.contract import Event
    from tactful.engine import reports
    from tactful.engine.cli.screen import confirmed, count, progress
    from tactful.engine.clock import SystemClock
    from tactful.engine.contacts import count_contacts

    clock = SystemClock()
    with engine.store.read() as tx:
        everybody = count_contacts(tx)
    crowd = everybody if audience is None else _how_many(engine, flow, audience)
    if not crowd:
        return {"flow": flow, "asked": 0, "entered": 0, "refused": {}}
    of_all = "all " if audience is None else f"{crowd:,} of "
    if not confirmed(f"Bring {of_all}{count(everybody, 'contact')} into {flow}?", yes):
        raise typer.Exit(PROBLEMS)
    begun_at = clock.now()
    enrolment = engine.enrolments.begin(flow, audience, begun_at, data)
    refused: Counter[str] = Counter()
    with progress("bringing in", everybody) as came:
        while True:
            step = engine.enrolments.go_on(enrolment, clock.now())
            refused.update(step.refused)
            came(step.looked)
            if step.done:
                break
    with engine.store.read() as tx:  # counted there: a daemon that runs took its share of the batches
        entered = reports.entered_by(tx, flow, Event("by_hand", begun_at))
    return {"flow": flow, "asked": crowd, "entered": entered, "refused": dict(refused.most_common())}


def _how_many(engine: Engine, flow: str, audience: Condition) -> int:
    from tactful.engine.clock import SystemClock
    from tactful.engine.contacts import page_of_contacts, those_who
    from tactful.engine.host import BATCH

    number, behind, now = 0, 0, SystemClock().now()
    zone = engine.host.flows.live.by_id[flow].flow.settings.time_zone
    while True:
        with engine.store.read() as tx:
            page = page_of_contacts(tx, behind, BATCH)
        number += sum(1 for _ in those_who(page, audience, zone, now))
        if len(page) < BATCH:
            return number
        behind = page[-1].number


def _show_entered(result: Mapping[str, Any]) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, out, plain

    entered, asked = result["entered"], result["asked"]
    if not asked:
        out().print("No contact is meant by that.")
        return
    said = Text.assemble((f"{count(entered, 'contact')} entered", "good" if entered else "warn"), " ")
    said.append(result["flow"], "name")
    if entered and len(result.get("journeys", ())) == 1:
        said.append(f": journey {next(iter(result['journeys'].values()))}")
    out().print(said)
    for why, number in result["refused"].items():
        out().print(Text.assemble((f"  {number:,} not: ", "warn"), plain(why)))


def leave(flow: FlowName, contact: ContactIds = None, project: Project = None, as_json: Json = False) -> None:
    """Take contacts out of a flow.

    Messages that wait for them are withdrawn.

    Example:
      tactful leave win-back --contact ana

    With --json: {"flow", "left": number of journeys ended}. The exit code is 1 where none was.
    """
    from rich.text import Text

    from tactful.engine.cli.opening import contacts, published, the_engine, the_project
    from tactful.engine.cli.screen import count, out, print_json
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.clock import SystemClock

    if not contact:
        raise wrong_use("say who: --contact ID")
    with the_engine(the_project(project)) as engine:
        id = published(engine, flow)
        contacts(engine, contact)
        ended = engine.host.take_out(id, contact, SystemClock().now())
    if as_json:
        print_json({"flow": id, "left": ended})
    elif ended:
        out().print(Text.assemble((count(ended, "journey"), "good"), " through ", (id, "name"), " ended"))
    else:
        out().print(Text.assemble(("nobody of them is in ", "warn"), (id, "name")))
    raise typer.Exit(FINE if ended else PROBLEMS)


def event(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What happened: basket_abandoned, opened, …")],
    contact: Annotated[str | None, typer.Option("--contact", "-c", metavar="ID", help="Whom it happened to.")] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="MESSAGE", help="The message it is about, such as 1204.3.")
    ] = None,
    data: Data = None,
    key: Annotated[
        str | None, typer.Option("--id", metavar="KEY", help="Your own id of the event: told twice, it counts once.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When, such as '2026-03-02 09:00'; without it, now.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Tell the engine that something happened.

    Journeys that wait for it move, and flows that it begins are entered.

    A time without zone is in the contact's own. Events of a message (opened, clicked, replied, …) need --message.

    Example:
      tactful event basket_abandoned --contact ana --data '{"value": 35}'
      tactful event opened --message 1204.3

    With --json: {"state": "learnt" | "known" | "refused", "why"}. The exit code is 1 for "refused".
    """
    from tactful.elements.contract import MessageKey
    from tactful.engine.cli.opening import json_object, the_contact, the_engine, the_project
    from tactful.engine.cli.screen import out, print_json
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.incoming import Incoming

    given = json_object(data, "--data")
    if contact is None and message is None:
        raise wrong_use("say whom it happened to: --contact ID, or --message MESSAGE for an event of a message")
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise wrong_use("an event's name is one short line of text")
    try:
        about = MessageKey.parse(message) if message is not None else None
    except ValueError as error:
        raise wrong_use(str(error), "`tactful messages` lists them") from None
    now = SystemClock().now()
    with the_engine(the_project(project)) as engine:
        who = the_contact(engine, contact) if contact is not None else None
        when = None if at is None else _instant(at, who.time_zone if who else None)
        if when is not None and when > now:
            raise wrong_use(f"--at {at} has not come yet", "tell it when it has happened")
        (told,) = engine.host.tell([Incoming(name, contact, about, given, when, key)], now)
        if as_json:
            print_json({"state": told.state, "why": told.why})
        elif told.state == "refused":
            raise Trouble(f"`{name}` was refused: {told.why}")
        else:
            out().print("learnt" if told.state == "learnt" else "known already: an event of this --id was told before")
        if told.state == "learnt" and about is None:
            _remark(engine, name)
    raise typer.Exit(PROBLEMS if told.state == "refused" else FINE)


def _instant(text: str, zone: str | None) -> int:
    from zoneinfo import ZoneInfo

    from tactful.elements.options.mistake import Mistake
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.instants import parse_instant

    try:
        return parse_instant(text, ZoneInfo(zone or "UTC"))
    except Mistake as mistake:
        raise wrong_use(f"--at: {mistake.message}", mistake.hint) from None


def _remark(engine: Engine, name: str) -> None:
    """Say so where no published flow listens for such an event: it may be mistyped."""
    from tactful.elements.contract import CONTACT_CHANGED
    from tactful.elements.options.channel import MESSAGE_EVENTS
    from tactful.elements.options.mistake import meant
    from tactful.elements.wait_for_event import WaitForEvent
    from tactful.engine.cli.screen import note
    from tactful.flows.model import ByEvent

    known = {CONTACT_CHANGED}
    for live in engine.host.flows.live.by_id.values():
        flow = live.flow
        known.update(rule.event for rule in flow.stop_when if rule.event is not None)
        known.update(node.element.event for node in flow.nodes.values() if isinstance(node.element, WaitForEvent))
        if isinstance(flow.entry, ByEvent):
            known.add(flow.entry.event)
    if name in MESSAGE_EVENTS:
        note(f"`{name}` without --message counts for no message; waits for a message's event do not see it")
    elif name not in known:
        hint = meant(name, known - {CONTACT_CHANGED})
        note(f"no published flow knows an event `{name}`" + (f"; {hint}" if hint else ""))
