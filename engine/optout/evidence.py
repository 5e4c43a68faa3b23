"""What proves an act on the Do Not Contact list, in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tactful.engine.instants import iso
from tactful.engine.keyring import is_erased
from tactful.engine.optout.do_not_contact import BLOCKED, Act
from tactful.engine.rules.permission import Block

LONGEST_QUOTE = 200
"""Characters shown of what somebody wrote; all of it is kept."""


@dataclass(frozen=True, slots=True)
class About:
    """What a sentence says of a message of ours. `sent` is when, as people read it; empty where it was not sent."""

    flow: str
    element: str
    sender: str
    sent: str = ""


def proof(act: Act, messages: Mapping[str, About]) -> str:
    """What was it that changed the list? `messages` are those that evidence names (`message_of`), by their keys."""
    e = act.evidence
    if "inbound" in e:
        return _answer(act, e)
    if "file" in e:
        return _import(e)
    if "message" in e:
        return _message(act, str(e["message"]), e, messages)
    if "flow" in e:
        who = f" of contact {e['contact']}" if "contact" in e else ""
        where = f"journey {e.get('journey')}{who}, step {e.get('step')}"
        return f"flow {e['flow']}, version {e.get('version')}, element {e.get('element')}: {where}"
    if "text" in e:
        to = f" to {e['sender']}" if e.get("sender") else ""
        return f"{act.block.source}: they wrote {_quote(e['text'])}{to}"
    if isinstance(e.get("since"), int):
        return f"{act.block.source}; on the list since {iso(e['since'])}"
    rest = ", ".join(f"{name} {value}" for name, value in e.items())
    return f"{act.block.source} ({rest})" if rest else act.block.source


def message_of(act: Act) -> str | None:
    """The key of the message of ours that an act's evidence names; None for none."""
    named = act.evidence.get("message")
    return None if named is None else str(named)


def stands_for(block: Block, destination: str) -> str:
    """Whom an entry means, where that is not the very address that was asked for; else empty."""
    if block.destination == destination:
        return ""
    if is_erased(block.destination):
        return "this address, whose contact was erased,"
    return f"the whole domain {block.destination}"


def _answer(act: Act, e: Mapping[str, Any]) -> str:
    said = f"they wrote {_quote(e.get('text', ''))} to {e.get('sender')} (message {e['inbound']} that came in)"
    if "decided_by" in e:
        who = e["decided_by"]
        if who == "time":
            return f"{said}; nobody read it in time, so it counts as an opt-out"
        return f"{said}; {who} read it as an opt-out"
    reads = f", which reads {_quote(e['normalised'])}" if e.get("normalised") else ""
    return f"{said}{reads}: the rule for {e.get('keyword') or act.block.source}"


def _import(e: Mapping[str, Any]) -> str:
    said = f"line {e.get('line')} of {e['file']}"
    if e.get("source"):
        said += f", which says {_quote(e['source'])}"
    if e.get("added"):
        said += f" and {e['added']}" if e.get("source") else f", which says {e['added']}"
    return said + (f" (account {e['account']})" if e.get("account") else "")


def _message(act: Act, key: str, e: Mapping[str, Any], messages: Mapping[str, About]) -> str:
    about = messages.get(key)
    named = f"message {key}"
    if about is not None:
        sent = f", sent {about.sent} from {about.sender}" if about.sent else f", from {about.sender}"
        named += f" (flow {about.flow}, element {about.element}{sent})"
    data = e.get("data") or {}
    details = ", ".join(f"{name} {value}" for name, value in data.items()) if isinstance(data, Mapping) else str(data)
    more = f": {details}" if details else ""
    match e.get("event"), act.block.source:
        case "complained", _:
            return f"they marked {named} as spam{more}"
        case "bounced", _:
            return f"{named} came back for good{more}"
        case "opted_out", _:
            return f"another system told that they opted out of {named}{more}"
        case _, source if source.startswith("opt-out link"):
            how = f" ({e['how']})" if e.get("how") else ""
            link = "the opt-out link" if act.what == BLOCKED else "the way back from the opt-out link"
            return f"they followed {link} of {named}{how}"
        case _, source:
            code = e.get("receipt") or e.get("code")
            return f"{source}: what the provider said of {named}" + (f", {code}" if code else "")


def _quote(text: object) -> str:
    text = str(text)
    return f"“{text[:LONGEST_QUOTE]}…”" if len(text) > LONGEST_QUOTE else f"“{text}”"
