"""`tactful preview` and `tactful send-test`: a message looked at before anybody gets it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FlowName, Json, Project

if TYPE_CHECKING:
    from tactful.elements.contract import Contact, Send
    from tactful.engine.compose import Engine
    from tactful.engine.preview import Preview
    from tactful.engine.project import Project as LoadedProject
    from tactful.flows.model import Flow

ElementName = Annotated[str, typer.Argument(metavar="ELEMENT", help="The id of an element that sends.")]
Data = Annotated[
    str | None, typer.Option("--data", metavar="JSON", help="What `entry.` knows, as a JSON object; else what it knew.")
]


def preview(
    flow: FlowName,
    element: ElementName,
    contact: Annotated[str, typer.Option("--contact", metavar="ID", help="Who the message would go to.")],
    data: Data = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the HTML to this file, to be opened.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Show what a message would say to a contact.

    It says, too, whether the message might go out now, and if not, why.

    Nothing is sent, and the opt-out link it shows leads to nobody's message. The flow is read from its file, published
    or not. `entry.` values are those of the contact's newest journey through the flow, or of --data.

    Example:
      tactful preview win-back offer --contact ana -o offer.html

    With --json: {"flow", "element", "contact", "channel", "sender", "to", "purpose", "parts": {name: text} or null,
    "cannot": why there are none, "verdict": "send" | "hold" | "suppress", "why", "until", "halted"}.
    """
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import json_object, load_flow, send_of, the_contact, the_engine, the_project
    from tactful.engine.cli.screen import note, print_json
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.clock import SystemClock

    given = json_object(data, "--data") if data is not None else None
    opened = the_project(project)
    loaded = load_flow(flow, project, catalogue())
    send = send_of(loaded, element)
    with the_engine(opened) as engine:
        from tactful.engine.optout.links import preview_link
        from tactful.engine.preview import preview as previewed

        who = the_contact(engine, contact)
        with engine.store.read() as tx:
            now, link = SystemClock().now(), preview_link(opened)
            seen = previewed(engine, tx, loaded, send, who, now, data=given, link=link)
    if as_json:
        print_json(_as_json(loaded, element, who, seen))
    else:
        _show(loaded, element, who, seen, html=output is None)
    if output is not None and seen.parts is not None:
        if "html" not in seen.parts:
            raise wrong_use(f"`{element}` has no HTML to be written", "leave -o out to see its text")
        output.write_text(seen.parts["html"], encoding="utf-8")
        note(f"the HTML is in {output}")
    if seen.cannot is not None:
        raise Trouble(f"the message cannot be made for {contact}: {seen.cannot}", _missing_hint(seen))


def _missing_hint(seen: Preview) -> str | None:
    if seen.journey is None and seen.cannot and "entry" in seen.cannot:
        return """give what the event brings: --data '{"value": 35}'"""
    return 'give a value for those who have none: {{ … | default: "…" }}'


def _as_json(flow: Flow, element: str, contact: Contact, seen: Preview) -> dict[str, Any]:
    from tactful.engine.cli.screen import utc
    from tactful.engine.rules.permission import Hold, Suppress

    verdict = "suppress" if isinstance(seen.verdict, Suppress) else "hold" if isinstance(seen.verdict, Hold) else "send"
    return {
        "flow": flow.id, "element": element, "contact": contact.key, "channel": seen.channel,
        "sender": seen.sender or None, "to": seen.address, "purpose": seen.purpose,
        "parts": None if seen.parts is None else dict(seen.parts), "cannot": seen.cannot, "verdict": verdict,
        "why": getattr(seen.verdict, "why", None), "until": utc(getattr(seen.verdict, "until", None)),
        "halted": seen.halted,
    }  # fmt: skip


def _show(flow: Flow, element: str, contact: Contact, seen: Preview, *, html: bool) -> None:
    from rich.text import Text

    from tactful.engine.channels.plain_text import plain_text
    from tactful.engine.cli.screen import local, out, plain
    from tactful.engine.interpreter import zone_of
    from tactful.engine.rules.permission import Hold, Send

    screen = out()
    for name, value in (("from", seen.sender), ("to", seen.address), ("channel", f"{seen.channel}, {seen.purpose}")):
        screen.print(Text.assemble((f"{name:<9}", "dim"), plain(value or "none")))
    parts = dict(seen.parts or {})
    if subject := parts.pop("subject", None):
        screen.print(Text.assemble(("subject  ", "dim"), (plain(subject), "head")))
    if not html:
        parts.pop("html", None)
    for name, text in parts.items():
        screen.print(Text("\n— html, as text" if name == "html" else f"\n— {name}", "dim"))
        body = plain_text(text) if name == "html" else text
        screen.print(Text(plain(body.strip(), lines=True)), soft_wrap=not screen.is_terminal)
    screen.print()
    said: Text
    match seen.verdict:
        case Send() if not seen.sender:
            said = Text.assemble(("No sender", "bad"), f" for {seen.channel} is named, by the element or the flow")
        case Send():
            said = Text.assemble(("May go out now", "good"), "")
        case Hold(until, why):
            zone = zone_of(contact, flow.settings.time_zone)
            said = Text.assemble(("Would be held", "warn"), f" until {local(until, zone)} ({zone.key}): {plain(why)}")
        case refused:
            said = Text.assemble(("Would not go out", "bad"), f": {plain(refused.why)}")
    screen.print(said)
    if seen.halted:
        screen.print(Text.assemble(("All sending is stopped", "warn"), "; `tactful resume-sending` goes on"))


# --- One real message ----------------------------------------------------------------------------


def send_test(
    flow: FlowName,
    element: ElementName,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Where to send it: your own address, say.")],
    contact: Annotated[
        str | None, typer.Option("--contact", metavar="ID", help="Whose names and values to fill in.")
    ] = None,
    data: Data = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Send one message to an address of yours.

    It goes through the flow's real sender. It is not counted and belongs to no journey, and its opt-out link leads to
    nobody's message. An address on the Do Not Contact list is refused here as everywhere.

    Example:
      tactful send-test win-back offer --to me@example.com --contact ana

    With --json: {"to", "sender", "channel", "state": "sent" | "failed" | "unknown", "why", "provider_id"}. The exit
    code is 0 only for "sent".
    """
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import json_object, load_flow, send_of, the_contact, the_engine, the_project
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.optout.links import one_click_headers, preview_link
    from tactful.engine.preview import purpose_of, sender_of

    given = json_object(data, "--data")
    opened = the_project(project)
    loaded = load_flow(flow, project, catalogue())
    send = send_of(loaded, element)
    sender = sender_of(loaded, send)
    if sender not in (opened.senders or {}):
        named = f"the sender {sender} is not in the project file" if sender else f"`{element}` has no sender"
        raise wrong_use(named, "declare it under `senders:` in tactful.yaml")
    address = _address(to, send.sends or "", opened.region)
    with the_engine(opened, create=True) as engine:
        who = _as_recipient(the_contact(engine, contact) if contact else None, send.sends or "", address)
        link = preview_link(opened)
        parts = _render(loaded, send, who, given, link)
        _allowed(engine, send.sends or "", sender, address)
        purpose = purpose_of(loaded, send, opened.transactional)
        headers = one_click_headers(link, purpose) if link is not None and send.sends == "email" else {}
        _hand_over(opened, sender, send.sends or "", address, parts, headers, as_json)


def _address(to: str, channel: str, region: str | None) -> str:
    from tactful.elements.options.channel import CHANNELS
    from tactful.engine.addresses import email_address, phone_number

    match CHANNELS[channel].address:
        case "email":
            return email_address(to)
        case "phone":
            return phone_number(to, region)
        case _:
            return to.strip()


def _as_recipient(contact: Contact | None, channel: str, address: str) -> Contact:

    from tactful.elements.contract import Contact as AContact
    from tactful.elements.options.channel import CHANNELS

    contact = contact or AContact(0, "test")
    match CHANNELS[channel].address:
        case "email":
            return contact._replace(email=address)
        case "phone":
            return contact._replace(phone=address)
        case _:
            return contact


def _render(flow: Flow, send: Send, contact: Contact, data: Mapping[str, Any], link: str | None) -> Mapping[str, str]:
    from tactful.elements.contract import Event, MessageKey
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.clock import SystemClock
    from tactful.engine.render import CannotRender, at_hand, render

    extras = at_hand(contact, flow.settings, SystemClock().now(), link)
    try:
        return render(send, contact, Event("by_hand", 0, data), {}, flow.id, MessageKey(0, 0), extras)
    except CannotRender as error:
        hint = "fill in somebody's values with --contact ID, and what the event brings with --data"
        raise Trouble(f"the message cannot be made: {error.why}", hint) from None


def _allowed(engine: Engine, channel: str, sender: str, address: str) -> None:
    """Asked in a write transaction, as for every message: a block that commits before is seen."""
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.optout.by_hand import destination_for
    from tactful.engine.rules.permission import Request, covering
    from tactful.engine.switches import halted

    destination = destination_for(address, channel)
    with engine.host.transaction() as tx:
        blocks = engine.do_not_contact.blocks_of(tx, [destination]).get(destination, [])
        stopped = halted(tx)
    block = covering(Request(channel, sender, destination, "marketing", None), blocks)
    if block is not None:
        raise Trouble(
            f"{address} is on the Do Not Contact list ({block.source}), so nothing was sent",
            f"`tactful dnc explain {address}` says more",
        )
    if stopped:
        raise Trouble("all sending is stopped, so nothing was sent", "`tactful resume-sending` goes on")


def _hand_over(
    project: LoadedProject,
    sender: str,
    channel: str,
    address: str,
    parts: Mapping[str, str],
    headers: Mapping[str, str],
    as_json: bool,
) -> None:
    from tactful.elements.contract import MessageKey
    from tactful.engine.channels import Accepted, Blocked, Outgoing, Refused, connect, message_id
    from tactful.engine.cli.screen import note, print_json
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.clock import SystemClock

    assert project.senders is not None, "looked up before"
    settings = project.senders[sender]
    now = SystemClock().now()
    key = MessageKey(0, now)  # of no journey; a Message-ID of its own, or mail programs would hide the second test
    outgoing = Outgoing(key, channel, sender, settings, address, parts, message_id(key, sender), now, headers)
    connector = connect(settings)
    try:
        # The console's connector prints the message, which is none of the JSON.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            ((_, outcome),) = connector.send([outgoing])
    finally:
        connector.close()
    accepted = isinstance(outcome, Accepted)
    if as_json:
        print_json(
            {
                "to": address, "sender": sender, "channel": channel,
                "state": "sent" if accepted else "failed" if isinstance(outcome, Refused | Blocked) else "unknown",
                "why": getattr(outcome, "why", None), "provider_id": getattr(outcome, "provider_id", None),
            }
        )  # fmt: skip
    if accepted:
        note(f"handed over to {settings.via}, for {address}")
    elif isinstance(outcome, Blocked):
        raise Trouble(f"the provider's own list forbids it: {outcome.why}", "whoever has this address opted out there")
    elif isinstance(outcome, Refused):
        raise Trouble(f"the message was refused: {outcome.why}", f"is the sender {sender} right in tactful.yaml?")
    else:
        raise Trouble(f"nobody knows whether it went out: {getattr(outcome, 'why', '')}", "look into the mailbox")
