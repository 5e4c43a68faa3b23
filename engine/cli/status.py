"""`tactful status`: how everything stands, on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.elements.contract import Instant
    from tactful.engine.backlog import Backlog, Retry
    from tactful.engine.compose import Engine
    from tactful.engine.optout.webhooks import Lag
    from tactful.engine.project import Project as LoadedProject
    from tactful.engine.reports import FlowReport

_STATES = {"live": "good", "paused": "warn", "finishing": "warn", "stopped": "dim"}
_FILES = {
    "broken": ("bad", "has mistakes; `tactful check` names them"),
    "not published": ("warn", "is not published; `tactful publish` makes it live"),
    "changed": ("warn", "was changed since it was published; `tactful publish` brings it up to date"),
    "gone": ("warn", "is published, but no file of the project has it any more"),
}


@dataclass(slots=True)
class _Status:
    """What is shown."""

    database: str
    exists: bool
    sealed: str | None = None
    running: bool = False
    halted: tuple[Instant, str | None] | None = None
    contacts: int = 0
    blocked: int = 0
    flows: list[FlowReport] = field(default_factory=list)
    messages: Mapping[str, int] = field(default_factory=dict)
    backlog: Backlog | None = None
    stuck: dict[str, str] = field(default_factory=dict)
    noes: Mapping[str, int] = field(default_factory=dict)
    retries: list[Retry] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)
    webhooks: list[Lag] = field(default_factory=list)


def status(project: Project = None, as_json: Json = False) -> None:
    """Show how everything stands, and what wants attention.

    Flows and who is in them, messages, the Do Not Contact list; and what to do where something is amiss.

    Example:
      tactful status

    With --json: {"database", "sealed": why it takes no writes or null, "running", "halted": {"since", "why"} or null,
    "contacts", "do_not_contact", "flows": [{"flow", "state", "version", "waiting", "finished", "ended", "goals",
    "next_due"}], "messages": {state: number}, "stuck_senders": {sender: why},
    "unknown_senders": {sender: entries of the Do Not Contact list that hold for it alone},
    "retries": [{"sender", "messages": number, "why", "due_at"}],
    "files": [{"flow", "state": "broken" | "not published" | "changed" | "gone"}],
    "webhooks": [{"receiver", "untold": number of changes, "why", "due_at"}], those that are not taken, "backlog":
    {"timers_late_ms", "messages_late_ms", "waiting": {sender: number}, "in_hand", "reviews"} or null}. A broken file
    stands there by its name.
    """
    from tactful.engine.cli.opening import the_project
    from tactful.engine.cli.screen import print_json

    found = _status(the_project(project))
    if as_json:
        print_json(_as_json(found))
    else:
        _show(found)


def _status(project: LoadedProject) -> _Status:
    from tactful.engine.cli.opening import database_file, shown, the_engine

    file = database_file(project)
    found = _Status(str(shown(file)) if file else "the database", exists=file is None or file.exists())
    if not found.exists:
        found.files = _files(project, {}, {})
        return found
    with the_engine(project) as engine:
        if file is None:
            found.database = engine.store.name
        _look(engine, project, found)
    return found


def _look(engine: Engine, project: LoadedProject, found: _Status) -> None:
    from tactful.engine import reports
    from tactful.engine.backlog import backlog, retries
    from tactful.engine.cli.left_behind import noes_left_behind
    from tactful.engine.clock import SystemClock
    from tactful.engine.contacts import count_contacts
    from tactful.engine.store.sealing import sealed_with
    from tactful.engine.switches import halted_since

    with engine.store.read() as tx:
        found.sealed = sealed_with(tx)
        found.halted = halted_since(tx)
        found.contacts = count_contacts(tx)
        found.blocked = reports.blocked(tx)
        found.flows = reports.flows(tx)
        found.messages = reports.message_counts(tx)
        found.retries = retries(tx)
        if project.webhooks:
            from tactful.engine.optout.webhooks import lags

            found.webhooks = lags(tx, project.webhooks)
    found.backlog = backlog(engine.store, SystemClock().now())
    found.running = found.backlog.daemons > 0
    found.stuck = _stuck(project, list(engine.outbox.waiting()))
    found.noes = noes_left_behind(engine, project)
    published = {id: live.flow.fingerprint for id, live in engine.host.flows.live.by_id.items()}
    found.files = _files(project, published, {each.flow: each.state for each in found.flows})


def _stuck(project: LoadedProject, waiting: list[str]) -> dict[str, str]:
    """Senders with messages that wait and no way out, and why."""
    from tactful.engine.channels import NoConnector, connect

    stuck = {}
    for sender in waiting:
        settings = (project.senders or {}).get(sender)
        if settings is None:
            stuck[sender] = "is not in the project file"
            continue
        try:
            connect(settings).close()
        except NoConnector as error:
            stuck[sender] = str(error)
    return stuck


def _files(project: LoadedProject, published: Mapping[str, str], states: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is to be said of the flow files: their flow (or name, where broken) and one of `_FILES`."""
    from tactful.elements import catalogue
    from tactful.engine.cli.left_behind import flows_left_behind
    from tactful.engine.cli.opening import shown
    from tactful.engine.flow_files import load_flows

    paths = [shown(file) for file in project.flow_files()]
    found = []
    for each in load_flows(paths, catalogue(), project.surroundings()):
        flow = each.loaded.flow
        if flow is None:
            found.append((str(each.path), "broken"))
        elif flow.id not in published:
            found.append((flow.id, "not published"))
        elif published[flow.id] != flow.fingerprint:
            found.append((flow.id, "changed"))
    return found + [(flow, "gone") for flow in flows_left_behind(project, states)]


def _as_json(found: _Status) -> dict[str, Any]:
    from tactful.engine.cli.screen import utc

    webhooks = [
        {"receiver": each.receiver, "untold": each.acts, "why": each.why, "due_at": utc(each.due_at)}
        for each in found.webhooks
    ]

    again = [
        {"sender": each.sender, "messages": each.messages, "why": each.why, "due_at": utc(each.due_at)}
        for each in found.retries
    ]
    halted = found.halted and {"since": utc(found.halted[0]), "why": found.halted[1]}
    return {
        "database": found.database, "sealed": found.sealed, "running": found.running, "halted": halted,
        "contacts": found.contacts, "do_not_contact": found.blocked, "flows": [each.as_json() for each in found.flows],
        "messages": dict(found.messages), "stuck_senders": found.stuck,
        "unknown_senders": dict(found.noes), "retries": again,
        "files": [{"flow": flow, "state": state} for flow, state in found.files], "webhooks": webhooks,
        "backlog": found.backlog and found.backlog.as_json(),
    }  # fmt: skip


def _show(found: _Status) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, local, out, plain, table

    screen = out()
    head = Text()
    if not found.exists:
        head.append("no database yet", "warn").append(f" ({found.database})")
    else:
        head.append("● running" if found.running else "○ not running", "good" if found.running else "dim")
        head.append(f"   {count(found.contacts, 'contact')}, {found.blocked:,} on the Do Not Contact list")
        head.append(f"   {found.database}", "dim")
    screen.print(head)
    if found.sealed:
        screen.print(Text.assemble(("The database", "bad"), f" {plain(found.sealed)}"))
    if found.halted:
        since, why = found.halted
        because = f": {plain(why)}" if why else ""
        stopped = f" since {local(since)} UTC{because}; `tactful resume-sending` goes on"
        screen.print(Text.assemble(("All sending is stopped", "bad"), stopped))
    if found.flows:
        screen.print()
        rows = table("flow", "state", "inside", "finished", "goals", "next due (UTC)", right=("inside", "finished"),
                     free=("goals",))  # fmt: skip
        for each in found.flows:
            goals = ", ".join(f"{plain(name)} {number:,}" for name, number in each.goals.items())
            rows.add_row(
                Text(each.flow, "name"), Text(each.state, _STATES.get(each.state, "")), f"{each.waiting:,}",
                f"{each.finished:,}", goals, local(each.next_due),
            )  # fmt: skip
        screen.print(rows)
    if found.messages:
        said = Text("\nMessages  ", "dim")
        for number, (state, many) in enumerate(found.messages.items()):
            said.append(", " if number else "").append(f"{many:,} {state}", "bad" if state == "unknown" else "")
        screen.print(said)
    _show_wants(found)


def _show_wants(found: _Status) -> None:
    """What wants somebody's attention, each with what to do."""
    from rich.text import Text

    from tactful.engine.cli.left_behind import said_of_noes
    from tactful.engine.cli.screen import count, local, out, plain

    wants: list[Text] = []
    if unknown := found.messages.get("unknown"):
        said = ": `tactful messages --state unknown`, then `tactful settle`"
        wants.append(Text.assemble((f"{count(unknown, 'message')} of unknown outcome", "bad"), said))
    for sender, why in found.stuck.items():
        said = f", and messages wait for it: {plain(why)}"
        wants.append(Text.assemble((f"{plain(sender)} cannot send", "bad"), said))
    for sender, entries in found.noes.items():
        wants.append(Text.assemble((plain(sender), "bad"), f" {said_of_noes(entries)}"))
    for retry in found.retries:
        waits = count(retry.messages, "message is", "messages are")
        because = f": {plain(retry.why)}" if retry.why else ""
        wants.append(
            Text.assemble(
                (plain(retry.sender), "warn"), f", {waits} tried again from {local(retry.due_at)} UTC on{because}"
            )
        )
    for lag in found.webhooks:
        untold = count(lag.acts, "change of the list", "changes of the list")
        said = f" was not told of {untold}: {plain(lag.why or '')}; it is tried again {local(lag.due_at)} UTC"
        wants.append(Text.assemble((plain(lag.receiver), "warn"), said))
    for flow, state in found.files:
        style, said = _FILES[state]
        wants.append(Text.assemble((plain(flow), style), f" {said}"))
    if found.exists and not found.running and not found.sealed and any(each.waiting for each in found.flows):
        wants.append(Text("Nothing moves until `tactful serve` runs."))
    if wants:
        out().print()
    for want in wants:
        out().print(Text.assemble(("• ", "dim"), want))
