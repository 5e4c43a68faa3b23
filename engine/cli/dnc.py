"""`tactful dnc`: the Do Not Contact list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.dnc_explain import explain, meaning
from tactful.engine.cli.dnc_files import export, import_
from tactful.engine.cli.dnc_verify import verify
from tactful.engine.cli.frame import FINE, MOST_ROWS, PROBLEMS, Command, Json, Project, group

if TYPE_CHECKING:
    from rich.text import Text

    from tactful.elements.contract import Covers
    from tactful.engine.rules.permission import Block

app = group("Show, change and check who must not be written to.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address or a phone number.")]
Sender = Annotated[
    str, typer.Option("--sender", metavar="SENDER", help="Only for this sender; without it, for any sender.")
]
_COVERS = ("marketing", "everything")


@app.command("list", cls=Command)
def list_(
    channel: Annotated[str | None, typer.Option("--channel", help="Only entries for this channel, or `all`.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_ROWS, help="How many to show; --json gives all.")
    ] = 50,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """List who must not be written to, and why.

    Example:
      tactful dnc list --channel email

    With --json: a list of {"destination", "channel", "sender" (null: any), "covers", "source", "reason", "since"}.
    """
    from rich.text import Text

    from tactful.engine import reports
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import count, local, note, out, plain, print_json, table
    from tactful.engine.clock import SystemClock

    with the_engine(the_project(project)) as engine, engine.store.read() as tx:
        found = reports.do_not_contact(tx, channel=_channel(channel), limit=None if as_json else limit + 1)
        destinations = reports.blocked(tx)
    if as_json:
        print_json([each.as_json() for each in found])
        return
    if not found:
        out().print("The Do Not Contact list is empty." if channel is None else f"Nobody is listed for {channel}.")
        return
    now = SystemClock().now()
    rows = table("address", "listed for", "since (UTC)", "why", free=("address", "listed for", "why"))
    for each in found[:limit]:
        block = each.block
        listed_for = f"{block.channel}, {block.covers}" + (f", only from {block.sender}" if block.sender else "")
        since = Text(local(block.since, beside=now), "dim")
        rows.add_row(Text(plain(block.destination), "name"), listed_for, since, _why(block, each.reason))
    out().print(rows)
    if len(found) > limit:
        note(f"\nthe first {limit} of {count(destinations, 'address', 'addresses')}; --limit shows more")


@app.command("add", cls=Command)
def add(
    address: Address,
    channel: Annotated[
        str, typer.Option("--channel", help="email, sms, whatsapp, or all that reach this address.")
    ] = "all",
    sender: Sender = "",
    covers: Annotated[
        str, typer.Option("--covers", help="everything; or marketing, which lets receipts and passwords through.")
    ] = "everything",
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Put an address on the Do Not Contact list.

    From this moment nothing is sent there. Messages to it that wait are suppressed; they are named.

    Example:
      tactful dnc add ana@example.com --reason "asked on the phone"

    With --json: {"destination", "new": whether it was not listed yet, "suppressed": [message, …]}.
    """
    from tactful.engine import reports
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import count, out, plain, print_json
    from tactful.engine.clock import SystemClock
    from tactful.engine.optout import by_hand
    from tactful.engine.rules.permission import Block

    opened = the_project(project)
    to = by_hand.destination_for(address, channel, opened.region)
    covered = _covers(covers)
    now = SystemClock().now()
    with the_engine(opened, create=True, flows=False) as engine:
        new = by_hand.block(
            engine, address, channel, now, sender=sender, covers=covered, reason=reason, region=opened.region
        )
        with engine.store.read() as tx:
            waiting = reports.waiting_for(tx, to, Block(to, channel, sender, covered, "a person", now))
    if as_json:
        print_json({"destination": to, "new": new, "suppressed": [str(each.key) for each in waiting]})
        return
    out().print(_said(to, " is on the Do Not Contact list now" if new else " was on the Do Not Contact list already"))
    if waiting:
        out().print(f"{count(len(waiting), 'waiting message')} to it will not go out:")
        for each in waiting:
            out().print(plain(f"  {each.key}  {each.flow}, {each.element} ({each.channel})"))


@app.command("remove", cls=Command)
def remove(
    address: Address,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why they may be written to again; it is kept.")
    ],
    channel: Annotated[
        str | None, typer.Option("--channel", help="Only the entry for this channel or `all`; without it, every one.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--sender", metavar="SENDER", help="Only the entry for this sender.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Take an address off the Do Not Contact list. It takes a reason, which is kept in the history for ever.

    Example:
      tactful dnc remove ana@example.com --reason "signed up again, form of 3 March"

    With --json: {"destination", "removed": number of entries}. The exit code is 1 where there was none.
    """
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import count, out, print_json
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.optout import by_hand

    if not reason.strip():
        raise wrong_use("--reason is empty", "say why they may be written to again")
    opened = the_project(project)
    to = by_hand.destination_for(address, _channel(channel) or "all", opened.region)
    with the_engine(opened, flows=False) as engine:
        with engine.store.read() as tx:
            entries = engine.do_not_contact.blocks_of(tx, [to]).get(to, [])
        meant = [
            each
            for each in entries
            if (channel is None or each.channel == channel) and (sender is None or each.sender == sender)
        ]
        gone = 0
        for each in meant:
            gone += by_hand.unblock(
                engine, address, each.channel, SystemClock().now(), reason=reason, sender=each.sender,
                covers=each.covers, region=opened.region,
            )  # fmt: skip
    if as_json:
        print_json({"destination": to, "removed": gone})
    elif gone:
        left = len(entries) - gone
        stays = f"; {count(left, 'other entry', 'other entries')} of it stay" if left else ""
        out().print(_said(to, f" is off the list: {count(gone, 'entry', 'entries')} removed{stays}"))
    elif entries:
        others = "; ".join(meaning(each) for each in entries)
        raise Trouble(f"{to} has no such entry", f"it is listed for: {others}")
    else:
        raise Trouble(f"{to} is not on the Do Not Contact list")
    raise typer.Exit(FINE if gone else PROBLEMS)


app.command("explain", cls=Command)(explain)
app.command("import", cls=Command)(import_)
app.command("export", cls=Command)(export)
app.command("verify", cls=Command)(verify)


def _why(block: Block, reason: str | None) -> str:
    """`answered no (flow win-back, element silence)`."""
    from tactful.engine.cli.screen import plain

    return f"{plain(reason)} ({plain(block.source)})" if reason else plain(block.source)


def _said(destination: str, what: str) -> Text:
    from rich.text import Text

    from tactful.engine.cli.screen import plain

    return Text.assemble((plain(destination), "name"), what)


def _channel(channel: str | None) -> str | None:
    from tactful.elements.options.channel import CHANNELS
    from tactful.engine.cli.opening import one_of

    return None if channel is None else one_of(channel, [*CHANNELS, "all"], "--channel")


def _covers(covers: str) -> Covers:
    from tactful.engine.cli.opening import one_of

    one_of(covers, _COVERS, "--covers")
    return "everything" if covers == "everything" else "marketing"
