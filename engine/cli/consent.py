"""`tactful consent`: who agreed to be written to."""

from __future__ import annotations

from typing import Annotated

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Command, Json, Project, group

app = group("Record and show who agreed to be written to.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address or a phone number.")]


@app.command("add", cls=Command)
def add(
    address: Address,
    channel: Annotated[str, typer.Option("--channel", help="What they agreed to get: email, sms, whatsapp, push.")],
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="Where they agreed: a form, a call, …")],
    shown: Annotated[
        str | None, typer.Option("--shown", metavar="TEXT", help="The words they agreed to, as they saw them.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When, such as '2026-03-02 09:00' (UTC); or now.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Record that somebody agreed to be written to.

    A consent takes nobody off the Do Not Contact list.

    Example:
      tactful consent add +385911234567 --channel sms --source "form of the spring fair" --shown "Yes, text me offers"

    With --json: {"destination", "channel", "at", "source", "shown", "blocked": whether the list still says no}.
    """
    from zoneinfo import ZoneInfo

    from tactful.elements.options.mistake import Mistake
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import out, plain, print_json, utc, warn
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.consent import Consent, record
    from tactful.engine.instants import parse_instant
    from tactful.engine.optout import by_hand
    from tactful.engine.rules.permission import ALL_CHANNELS

    if not source.strip():
        raise wrong_use("--source is empty", "say where they agreed")
    if channel == ALL_CHANNELS:
        raise wrong_use("a consent is for one channel", "record one for each")
    opened, now = the_project(project), SystemClock().now()
    to = by_hand.destination_for(address, channel, opened.region)
    if to.startswith("@"):
        raise wrong_use(f"{to} is a whole domain", "nobody can agree for all who are there; name an address")
    try:
        when = now if at is None else parse_instant(at, ZoneInfo("UTC"))
    except Mistake as mistake:
        raise wrong_use(f"--at: {mistake.message}", mistake.hint) from None
    if when > now:
        raise wrong_use(f"--at {at} has not come yet", "record it when they have agreed")
    with the_engine(opened, create=True, flows=False) as engine:
        with engine.store.write() as tx:
            record(tx, [Consent(to, channel, when, source, shown, {"recorded_by": "a person"})])
        explained = by_hand.explain(engine, address, channel, region=opened.region)
    if as_json:
        print_json(
            {"destination": to, "channel": channel, "at": utc(when), "source": source, "shown": shown,
             "blocked": explained.block is not None}
        )  # fmt: skip
        return
    out().print(plain(f"{to} agreed to {channel}: it is on record"))
    if explained.block is not None:
        warn(f"{to} is still on the Do Not Contact list; `tactful dnc explain {to}` says why")


@app.command("show", cls=Command)
def show(address: Address, project: Project = None, as_json: Json = False) -> None:
    """Show what an address agreed to, when and where.

    Example:
      tactful consent show +385911234567

    With --json: a list of {"destination", "channel", "at", "source", "shown", "evidence"}. The exit code is 1 where
    nothing is on record.
    """
    from rich.text import Text

    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import local, out, plain, print_json, table, utc
    from tactful.engine.consent import records_of
    from tactful.engine.optout import by_hand
    from tactful.engine.rules.permission import ALL_CHANNELS

    opened = the_project(project)
    to = by_hand.destination_for(address, ALL_CHANNELS, opened.region)
    with the_engine(opened, flows=False) as engine, engine.store.read() as tx:
        found = records_of(tx, to)
    if as_json:
        print_json(
            [
                {"destination": each.destination, "channel": each.channel, "at": utc(each.at), "source": each.source,
                 "shown": each.shown, "evidence": dict(each.evidence)}
                for each in found
            ]
        )  # fmt: skip
    elif found:
        rows = table("agreed to", "when (UTC)", "where", "to the words", free=("where", "to the words"))
        for each in found:
            rows.add_row(Text(each.channel, "name"), local(each.at), plain(each.source), plain(each.shown or ""))
        out().print(rows)
    else:
        out().print(plain(f"No consent of {to} is on record."))
    raise typer.Exit(FINE if found else PROBLEMS)
