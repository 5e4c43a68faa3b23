"""`tactful review`: answers that may be opt-outs, for a person to read."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from tactful.engine.cli.frame import LARGEST, Command, Json, Project, group

app = group("Read answers that may be opt-outs, and decide.")


@app.command("list", cls=Command)
def list_(project: Project = None, as_json: Json = False) -> None:
    """List the answers that wait to be read, the most urgent first.

    Nothing is sent to their writers meanwhile. What nobody reads in time counts as an opt-out.

    Example:
      tactful review list

    With --json: a list of {"number", "sender", "destination", "text", "keyword", "why", "at", "due_at"}.
    """
    from rich.text import Text

    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import local, out, plain, print_json, table, utc
    from tactful.engine.clock import SystemClock
    from tactful.engine.optout.inbox import inbox_of

    opened = the_project(project)
    with the_engine(opened) as engine:
        found = inbox_of(engine, opened).reviews()
    if as_json:
        print_json([
            {
                "number": each.number, "sender": each.sender, "destination": each.destination, "text": each.text,
                "keyword": each.keyword, "why": each.why, "at": utc(each.at), "due_at": utc(each.due_at),
            }
            for each in found
        ])  # fmt: skip
        return
    if not found:
        out().print("No answer waits to be read.")
        return
    now = SystemClock().now()
    rows = table("number", "from", "to", "wrote", "opted out at (UTC)", free=("wrote",), right=("number",))
    for each in found:
        due = Text(local(each.due_at, beside=now), "dim")
        rows.add_row(str(each.number), plain(each.destination), plain(each.sender), plain(each.text), due)
    out().print(rows)
    out().print("\n`tactful review decide NUMBER block` or `… ignore`", style="dim")


@app.command("decide", cls=Command)
def decide(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="The answer's number in `tactful review list`.", min=1, max=LARGEST)
    ],
    decision: Annotated[str, typer.Argument(metavar="block|ignore", help="Is it an opt-out?")],
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Decide whether an answer is an opt-out.

    `block` puts its writer on the Do Not Contact list, `ignore` lets messages go on.

    Example:
      tactful review decide 12 block

    With --json: {"number", "decision"}.
    """
    from tactful.engine.cli.opening import one_of, the_engine, the_project
    from tactful.engine.cli.screen import out, print_json
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.clock import SystemClock
    from tactful.engine.optout.inbox import inbox_of

    opened = the_project(project)
    decided = one_of(decision, ("block", "ignore"), "the decision")
    with the_engine(opened) as engine:
        if not inbox_of(engine, opened).settle(number, decided == "block", getpass.getuser(), SystemClock().now()):
            raise Trouble(f"no answer {number} waits to be read", "`tactful review list` lists those that do")
    if as_json:
        print_json({"number": number, "decision": decided})
    else:
        out().print("It is an opt-out; nothing more is sent there." if decided == "block" else "Messages go on.")
