"""`tactful backtest`: what a version of a flow would have sent to the people who were there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FlowName, Json, Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tactful.elements.contract import Instant
    from tactful.engine.simulation.backtest import Backtest
    from tactful.flows.model import Flow

_SHOWN = 20


def backtest(
    flow: FlowName,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="From when; without it, from the first that is known.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=0, help="How many contacts to list.")] = _SHOWN,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Replay what really happened through a flow.

    The recorded events of real contacts go through the flow as its file is now, without sending. The project's database
    is only read. It says which messages would have been sent that were not, which not that were, and to whom. What a
    backtest takes for granted is said below the numbers.

    Example:
      tactful backtest win-back --since 2026-03-01

    With --json: {"flow", "since", "until", "contacts", "elements": [{"element", "sent", "would_send", "more", "less"}],
    "do_not_contact": [{"element", "blocked", "would_block"}], "messages_unknown", "differences": [{"contact", "more":
    {element: number}, "less": {element: number}}], "assumed": [text]}. All differences are in it.
    """
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import load_flow, the_engine, the_project
    from tactful.engine.cli.screen import print_json, progress
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.clock import SystemClock
    from tactful.engine.simulation.backtest import backtest as run
    from tactful.engine.simulation.backtest import first_recorded, those_concerned

    opened = the_project(project)
    loaded = load_flow(flow, project, catalogue())
    until = SystemClock().now()
    with the_engine(opened, flows=False) as engine, engine.store.read() as tx:
        begins = _since(loaded, since) if since is not None else first_recorded(tx, loaded)
        if begins is None:
            hint = "`tactful simulate` tries a flow on a crowd that is drawn"
            raise Trouble(f"nobody came into `{loaded.id}` yet", hint)
        contacts = those_concerned(tx, loaded, begins)
        with progress(f"Replaying {loaded.id}", len(contacts)) as bar:
            found = run(tx, loaded, opened, begins, until, contacts, bar)
    if as_json:
        print_json(_as_json(found))
    else:
        _show(found, loaded, most)


def _since(flow: Flow, since: str) -> Instant:
    from tactful.engine.instants import parse_instant
    from tactful.engine.simulation.guesses import zone_of_flow

    return parse_instant(since, zone_of_flow(flow))


def _elements(found: Backtest) -> list[str]:
    return [id for id in {**found.sent, **found.would_send} if found.sent[id] or found.would_send[id]]


def _as_json(found: Backtest) -> dict[str, Any]:
    from tactful.engine.cli.screen import utc
    from tactful.engine.simulation.backtest import ASSUMED

    return {
        "flow": found.flow,
        "since": utc(found.since),
        "until": utc(found.until),
        "contacts": found.contacts,
        "elements": [
            {
                "element": id,
                "sent": found.sent[id],
                "would_send": found.would_send[id],
                "more": found.more[id],
                "less": found.less[id],
            }
            for id in _elements(found)
        ],
        "do_not_contact": [
            {"element": id, "blocked": found.blocked[id], "would_block": found.would_block[id]}
            for id in {**found.blocked, **found.would_block}
        ],
        "messages_unknown": found.unknown,
        "differences": [{"contact": each.contact, "more": each.more, "less": each.less} for each in found.differences],
        "assumed": list(ASSUMED),
    }


def _show(found: Backtest, flow: Flow, most: int) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, local, note, out, plain, table
    from tactful.engine.simulation.backtest import ASSUMED
    from tactful.engine.simulation.guesses import zone_of_flow

    screen, zone = out(), zone_of_flow(flow)
    different = len(found.differences)
    screen.print(
        Text.assemble(
            (found.flow, "name"), f"  {count(found.contacts, 'contact')} since {local(found.since, zone)}, ",
            (f"{different:,} would have got something else" if different else "all would have got the same",
             "head" if different else "good"),
        )
    )  # fmt: skip
    screen.print()
    elements = _elements(found)
    if elements:
        numbers = ("sent", "would be sent", "more", "not any more")
        rows = table("element", *numbers, right=numbers)
        for id in elements:
            more, less = found.more[id], found.less[id]
            plus = Text(f"+{more:,}", "good") if more else ""
            minus = Text(f"-{less:,}", "bad") if less else ""
            rows.add_row(Text(plain(id), "name"), f"{found.sent[id]:,}", f"{found.would_send[id]:,}", plus, minus)
        screen.print(rows)
        screen.print()
    for id in {**found.blocked, **found.would_block}:
        was, would = found.blocked[id], found.would_block[id]
        if was != would:
            screen.print(f"{plain(id)} put {was:,} on the Do Not Contact list, and would have put {would:,}")
    if different and most:
        differences = ("would have got as well", "would not have got")
        rows = table("contact", *differences, free=differences)
        for each in found.differences[:most]:
            rows.add_row(Text(plain(each.contact), "name"), _messages(each.more), _messages(each.less))
        screen.print(rows)
        if different > most:
            screen.print(Text(f"and {different - most:,} more: --most {different}, or --json", "dim"))
    if found.unknown:
        note(f"{count(found.unknown, 'message')} of these never was, so nobody knows what would have been done with it")
    note("Taken for granted: " + "; ".join(ASSUMED))


def _messages(of: Mapping[str, int]) -> str:
    from tactful.engine.cli.screen import plain

    return ", ".join(plain(id) if number == 1 else f"{number} x {plain(id)}" for id, number in of.items())
