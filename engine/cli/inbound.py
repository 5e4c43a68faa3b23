"""`tactful inbound`: a message that came in."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.engine.optout.keywords import Decision


def inbound(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it says; `-` reads it from standard input.")],
    sender: Annotated[
        str, typer.Option("--sender", metavar="SENDER", help="Which of the project's senders was answered.")
    ],
    address: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Who wrote.")],
    key: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The provider's id of it: told twice, received once.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be decided.")] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Tell the engine of a message that came in, such as STOP.

    The keyword rules of `tactful.yaml` decide: it may put its writer on the Do Not Contact list or take them off
    again, or wait for a person to read it (`tactful review list`); what is no keyword goes to waiting journeys.

    Example:
      tactful inbound --sender +447700900123 --from +447700900456 "Stop, please"

    With --json: {"decision": "block" | "unblock" | "review" | "none", "keyword", "rule" (as it stands in the project
    file), "level", "normalised", "why", "number" (null with --dry-run), "known": whether it was received before}.
    """
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import print_json
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.optout.inbox import Inbound, inbox_of

    opened = the_project(project)
    if sender not in (opened.senders or {}):
        from tactful.elements.options.mistake import meant

        raise wrong_use(f"the project has no sender {sender!r}", meant(sender, opened.senders or {}))
    message = Inbound(sender, address, sys.stdin.read() if text == "-" else text, key=key)
    number, known = None, False
    with the_engine(opened, create=True) as engine:
        inbox = inbox_of(engine, opened)
        if dry_run:
            decision: Decision | None = inbox.look(message)
        else:
            with redirect_stdout(sys.stderr):  # a console sender prints the rule's reply: that is no result
                received = inbox.receive(message, SystemClock().now())
            number, known, decision = received.number, received.known, received.decision
    if as_json:
        print_json({**_as_json(decision), "number": number, "known": known})
    else:
        _say(decision, address, sender, dry_run)


def _as_json(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {}
    rule = None if decision.rule is None else decision.rule.model_dump(exclude_none=True, exclude_defaults=True)
    return {
        "decision": decision.decision,
        "keyword": decision.keyword,
        "rule": rule,
        "level": decision.level,
        "normalised": decision.normalised,
        "why": decision.why,
    }


def _say(decision: Decision | None, address: str, sender: str, dry_run: bool) -> None:
    from tactful.engine.cli.screen import out, plain

    if decision is None:
        out().print("This message was received before; nothing was done.")
        return
    to = "any sender" if decision.level == "any_sender" else sender
    done = {
        "block": f"{address} is on the Do Not Contact list now, for {to}",
        "unblock": f"{address} is off the Do Not Contact list again, for {to}",
        "review": f"{address} may have opted out: nothing is sent there until somebody decides (`tactful review list`)",
        "none": "no opt-out; waiting journeys see it",
    }
    if dry_run:
        done = {
            "block": f"would put {address} on the Do Not Contact list, for {to}",
            "unblock": f"would take {address} off the Do Not Contact list, for {to}",
            "review": f"would hold what goes to {address} until a person has read it",
            "none": "would be no opt-out; waiting journeys would see it",
        }
    out().print(plain(f"{decision.decision}: {done[decision.decision]}"))
    out().print(plain(f"  {decision.why}"), style="dim")
