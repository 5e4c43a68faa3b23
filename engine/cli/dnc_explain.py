"""`tactful dnc explain`: may we write to them, and what decided it, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from tactful.elements.contract import Instant
    from tactful.engine.compose import Engine
    from tactful.engine.optout.by_hand import Explained
    from tactful.engine.optout.do_not_contact import Act
    from tactful.engine.optout.evidence import About
    from tactful.engine.rules.permission import Block

_ACTS_SHOWN = 10


def explain(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="An email address, a phone number, or an email domain.")
    ],
    channel: Annotated[str | None, typer.Option("--channel", help="One channel; without it, all of them.")] = None,
    sender: Annotated[
        str, typer.Option("--sender", metavar="SENDER", help="As this sender; without it, as none in particular.")
    ] = "",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Say whether an address may be written to, and why.

    In plain words: which entry decides, what proves it, and what happened.

    Example:
      tactful dnc explain ana@example.com

    With --json: {"destination", "answers": [{"channel", "purpose", "allowed", "because", "held_until": null, or while
    an answer from there waits to be read}], "entries": [as in list, with "proof": in words], "history": [{"at", "what":
    "block" | "unblock", "channel", "sender", "covers", "source", "reason", "evidence", "proof"}], "reviews":
    [{"number", "sender", "text", "due_at"}]}.
    """
    from tactful.elements.options.channel import CHANNELS
    from tactful.engine.addresses import is_email_domain
    from tactful.engine.cli.opening import one_of, the_engine, the_project
    from tactful.engine.cli.screen import print_json
    from tactful.engine.optout import by_hand

    opened = the_project(project)
    kind = "email" if "@" in address or is_email_domain(address) else "phone"
    channels = [one_of(channel, list(CHANNELS), "--channel")] if channel is not None else [
        name for name, each in CHANNELS.items() if each.address == kind
    ]  # fmt: skip
    by_hand.destination_for(address, channels[0], opened.region)
    with the_engine(opened, flows=False) as engine:
        answers = [
            by_hand.explain(engine, address, name, sender=sender, purpose=purpose, region=opened.region)
            for name in channels
            for purpose in ("marketing", "transactional")
        ]
        messages = _messages(engine, answers[0].history)
    if as_json:
        print_json(_as_json(answers, messages))
    else:
        _show(answers, messages)


def meaning(block: Block) -> str:
    """`marketing by email, from any sender`."""
    channel = "any channel" if block.channel == "all" else block.channel
    return f"{block.covers} by {channel}, from {block.sender or 'any sender'}"


def _messages(engine: Engine, history: tuple[Act, ...]) -> dict[str, About]:
    """Our own messages that the evidence names."""
    from tactful.elements.contract import MessageKey
    from tactful.engine import reports
    from tactful.engine.cli.screen import local
    from tactful.engine.optout.evidence import About, message_of

    found: dict[str, About] = {}
    with engine.store.read() as tx:
        for name in dict.fromkeys(name for act in history if (name := message_of(act)) is not None):
            try:
                message = reports.message(tx, MessageKey.parse(name))
            except ValueError:
                continue
            if message is not None:
                sent = f"{local(message.sent_at)} UTC" if message.sent_at is not None else ""
                found[name] = About(message.flow, message.element, message.sender, sent)
    return found


def _act_of(explained: Explained, block: Block) -> Act | None:
    """The act that put an entry on the list."""
    return next((act for act in explained.history if act.what == "block" and act.block == block), None)


def _held_until(explained: Explained) -> Instant | None:
    return max((each.due_at for each in explained.reviews), default=None)


def _as_json(answers: list[Explained], messages: Mapping[str, About]) -> dict[str, Any]:
    from tactful.engine.cli.screen import utc
    from tactful.engine.optout.evidence import proof
    from tactful.engine.reports import Listed

    first = answers[0]
    acts = [(block, _act_of(first, block)) for block in first.entries]
    return {
        "destination": first.destination,
        "answers": [
            {
                "channel": each.channel, "purpose": each.purpose, "allowed": each.block is None,
                "because": each.block and each.block.source, "held_until": utc(_held_until(each)),
            }
            for each in answers
        ],
        "entries": [
            {
                **Listed(block, None if act is None else act.reason).as_json(),
                "proof": None if act is None else proof(act, messages),
            }
            for block, act in acts
        ],
        "history": [
            {
                "at": utc(act.at), "what": act.what, "channel": act.block.channel, "sender": act.block.sender or None,
                "covers": act.block.covers, "source": act.block.source, "reason": act.reason,
                "evidence": dict(act.evidence), "proof": proof(act, messages),
            }
            for act in first.history
        ],
        "reviews": [
            {"number": each.number, "sender": each.sender, "text": each.text, "due_at": utc(each.due_at)}
            for each in first.reviews
        ],
    }  # fmt: skip


# --- For people ----------------------------------------------------------------------------------


def _show(answers: list[Explained], messages: Mapping[str, About]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from tactful.engine.cli.screen import count, local, out, plain

    first = answers[0]
    screen = out()
    for marketing, transactional in zip(answers[::2], answers[1::2], strict=True):
        screen.print(_answer(marketing, transactional))
    for each in first.reviews:
        said = f"an answer waits to be read, number {each.number}: “{each.text}”, to {each.sender}"
        held = f"; until then nothing goes there, and after {local(each.due_at)} UTC it counts as an opt-out"
        screen.print(Padding(Text(plain(said) + held + " (tactful review)"), (0, 0, 0, 5), expand=False))
    decide = {each.block for each in answers if each.block is not None} if len(first.entries) > 1 else set()
    for block in first.entries:
        for line in _entry(first, block, messages, decides=block in decide):
            screen.print(line)
    if first.single:
        inside = count(first.single, "address in it has", "addresses in it have")
        screen.print(Text(f"     {inside} entries of their own", "dim"))
    if not first.history:
        screen.print(Text("     It was never on the Do Not Contact list.", "dim"))
        return
    _show_history(first, messages)


def _answer(marketing: Explained, transactional: Explained) -> Text:
    from rich.text import Text

    from tactful.engine.cli.screen import plain

    to = plain(marketing.destination)
    to = f"any address of {to[1:]}" if to.startswith("@") else to
    by = f" by {plain(marketing.sender)}" if marketing.sender else ""
    if transactional.block is not None:
        return Text.assemble(("no", "bad"), f"   {marketing.channel}: nothing may go to {to}{by}")
    if marketing.reviews:
        return Text.assemble(("wait", "warn"), f" {marketing.channel}: nothing may go to {to}{by} for now")
    if marketing.block is not None:
        only = f"   {marketing.channel}: nothing but receipts and the like may go to {to}{by}"
        return Text.assemble(("no", "bad"), only)
    return Text.assemble(("yes", "good"), f"  {marketing.channel}: {to} may be written to{by}")


def _entry(explained: Explained, block: Block, messages: Mapping[str, About], *, decides: bool) -> list[Any]:
    """An entry, and under it what proves it."""
    from rich.padding import Padding
    from rich.text import Text

    from tactful.engine.cli.screen import local, plain
    from tactful.engine.optout.evidence import proof, stands_for

    act = _act_of(explained, block)
    who = stands_for(block, explained.destination)
    listed_for = f"{plain(who)} is listed for" if who else "listed for"
    said = Text(f"{listed_for} {plain(meaning(block))} since {local(block.since)} UTC by {plain(block.source)}")
    if act is None:
        why = Text("no act put it there: `tactful dnc verify` says more", "warn")
    else:
        why = Text(plain(proof(act, messages)), "dim")
        if act.reason:
            said.append(f", because: {plain(act.reason)}")
    if decides:
        said.append(" (this decides)", "bad")
    lines: list[Any] = [Padding(said, (0, 0, 0, 5), expand=False)]
    if why.plain != block.source:  # a person's word is all there is
        lines.append(Padding(why, (0, 0, 0, 7), expand=False))
    return lines


def _show_history(explained: Explained, messages: Mapping[str, About]) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, local, note, out, plain, table
    from tactful.engine.optout.evidence import proof

    screen = out()
    shown = explained.history[-_ACTS_SHOWN:]
    screen.print(Text("\nWhat happened", "head"))
    rows = table("when (UTC)", "what", "for", "how", free=("how", "for"))
    for act in shown:
        how = plain(proof(act, messages)) + (f", because: {plain(act.reason)}" if act.reason else "")
        what = Text("put on the list", "bad") if act.what == "block" else Text("taken off", "good")
        rows.add_row(local(act.at), what, plain(meaning(act.block)), how)
    screen.print(rows)
    before = len(explained.history) - len(shown)
    if before:
        note(f"{count(before, 'act')} before that; --json gives all")
