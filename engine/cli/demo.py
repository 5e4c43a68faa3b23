"""`tactful demo`: the whole engine at work on a crowd, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import Json

if TYPE_CHECKING:
    from rich.text import Text
    from sqlalchemy import Connection

    from tactful.elements.contract import Instant
    from tactful.engine.compose import Engine
    from tactful.engine.reports import JourneyReport, Listed, Trace
    from tactful.engine.testing.crowd import Play
    from tactful.flows.model import Flow

_BEGINS = 1_772_438_400_000  # Monday, 2 March 2026, 08:00 UTC
_LIKELY_DAYS = 6
_SHOWN_JOURNEYS, _SHOWN_OF_EACH = 8, 3


def demo(
    contacts: Annotated[int, typer.Option("--contacts", "-n", min=1, max=1_000_000, help="How many.")] = 1_000,
    seed: Annotated[int, typer.Option("--seed", help="Another number, other people.")] = 1,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep the project and its database in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """See it work on a crowd, days in seconds.

    A crowd leaves baskets, gets offers, opens them or not, buys, answers. It plays the flow that `tactful init` lays
    out, on a real database, in virtual time. Nobody is written to: the people and their addresses do not exist, and no
    provider is called.

    Example:
      tactful demo --contacts 5000 --keep demo

    With --json: {"contacts", "entered", "events", "messages": {state: number}, "began", "ended", "exits": {element:
    {exit: number}}, "goals": {name: number}, "do_not_contact", "sent_after_opt_out"}.
    """
    import tempfile

    from tactful.engine.cli.screen import print_json

    if keep is not None:
        played = _play(keep, contacts, seed)
    else:
        with tempfile.TemporaryDirectory(prefix="tactful-demo-") as folder:
            played = _play(Path(folder), contacts, seed)
    if as_json:
        print_json(_as_json(played))
    else:
        _show(played, keep)


@dataclass(frozen=True, slots=True)
class _Played:
    """What came of it."""

    flow: Flow
    contacts: int
    events: int
    began: Instant
    ended: Instant
    seconds: float
    entered: int
    exits: dict[str, dict[str, int]]
    goals: dict[str, int]
    messages: dict[str, int]
    shown: Sequence[Trace]
    blocked: int
    listed: Sequence[Listed]
    sent_after: int


# --- Playing -------------------------------------------------------------------------------------


def _play(folder: Path, number: int, seed: int) -> _Played:
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import database_file, load, sound
    from tactful.engine.cli.start import lay_out
    from tactful.engine.clock import SystemClock
    from tactful.engine.compose import open_engine
    from tactful.engine.optout.links import links_of
    from tactful.engine.project import PROJECT_FILE
    from tactful.engine.testing.crowd import Habits, Play, people
    from tactful.flows.load import load_file

    clock = SystemClock()
    started = clock.monotonic()
    lay_out(folder)
    words = catalogue()
    project = load(folder / PROJECT_FILE)
    assert database_file(project) is not None, "the starter keeps its data in a file"
    file = project.flow_files()[0]
    flow = sound(load_file(file, words, project.surroundings()), file)
    engine = open_engine(project.database_url(), elements=words, policy=project.policy)
    try:
        engine.lifecycle.publish(flow, _BEGINS)
        links = links_of(engine.store, engine.do_not_contact.keyring, project)
        play = Play(engine, project.senders or {}, Habits(seed), _BEGINS, links)
        with _calendar() as turn_to:
            play.run(people(number, seed), turn_to)
        return _look(engine, flow, number, play, clock.monotonic() - started)
    finally:
        engine.close()


@contextmanager
def _calendar() -> Iterator[Callable[[Instant], None]]:
    """The virtual days going by, on a terminal."""
    from tactful.engine.cli.screen import err, local

    console = err()
    if not console.is_terminal:
        yield lambda now: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:<22}"), BarColumn(), TextColumn("days pass", "dim"))
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(local(_BEGINS), total=_LIKELY_DAYS * 86_400_000)
        yield lambda now: bar.update(task, completed=now - _BEGINS, description=local(now))


def _look(engine: Engine, flow: Flow, number: int, play: Play, seconds: float) -> _Played:
    from sqlalchemy import func, select

    from tactful.engine import reports
    from tactful.engine.store.statements import BLOCK, MESSAGE

    with engine.store.read() as tx:
        (report,) = reports.flows(tx)
        # The promise, looked up: a message that was handed over after its address had come on the list.
        after = select(func.count()).where(
            MESSAGE.c.destination == BLOCK.c.destination, MESSAGE.c.channel == BLOCK.c.channel,
            MESSAGE.c.taken_at > BLOCK.c.since,
        )  # fmt: skip
        return _Played(
            flow,
            number,
            play.events,
            _BEGINS,
            play.clock.now(),
            seconds,
            report.waiting + report.finished,
            reports.exits_taken(tx, flow.id),
            dict(report.goals),
            reports.message_counts(tx),
            _different_ones(tx),
            reports.blocked(tx),
            reports.do_not_contact(tx, by_time=True),
            int(tx.scalar(after) or 0),
        )


def _different_ones(tx: Connection) -> list[Trace]:
    """The first journeys of those that went different ways."""
    from tactful.engine import reports

    seen: dict[tuple[str, ...], Trace] = {}
    for id in range(1, 1 + 40 * _SHOWN_JOURNEYS):
        trace = reports.trace(tx, id)
        if trace is None or len(seen) == _SHOWN_JOURNEYS:
            break
        seen.setdefault((trace.journey.state, *(f"{step.element} {step.exit}" for step in trace.steps)), trace)
    return list(seen.values())


def _as_json(played: _Played) -> dict[str, Any]:
    from tactful.engine.cli.screen import utc

    return {
        "contacts": played.contacts, "entered": played.entered, "events": played.events, "messages": played.messages,
        "began": utc(played.began), "ended": utc(played.ended), "exits": played.exits, "goals": played.goals,
        "do_not_contact": played.blocked, "sent_after_opt_out": played.sent_after,
    }  # fmt: skip


# --- Showing -------------------------------------------------------------------------------------


def _show(played: _Played, keep: Path | None) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, out

    screen = out()
    days = round((played.ended - played.began) / 86_400_000)
    screen.print(
        Text.assemble(
            (played.flow.id, "bold cyan"), f"  {count(played.contacts, 'contact')}, {count(days, 'day')} ",
            (f"in {played.seconds:.1f} seconds", "head"),
        )
    )  # fmt: skip
    screen.print(Text(f"{played.flow.about}\n", "dim"))
    _show_journeys(played)
    _show_exits(played)
    _show_list(played)
    _show_next(keep)


def _show_journeys(played: _Played) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import local, out, table

    screen = out()
    screen.print(Text("What they got", "head"))
    rows = table("contact", "entered", "path", "and then", free=("path",))
    for trace in played.shown:
        line = Text()
        for number, step in enumerate(trace.steps):
            line.append(" → " if number else "", "dim")
            line.append(step.element, "name" if played.flow.nodes[step.element].element.sends else "")
            if step.exit is not None and step.exit not in ("sent", "done") and not step.exit.startswith("("):
                line.append(f" {step.exit}", "dim")
        entered = Text(local(trace.journey.entered_at, beside=_BEGINS), "dim")
        rows.add_row(trace.journey.contact, entered, line, _end(trace.journey))
    screen.print(rows)
    screen.print()


def _end(journey: JourneyReport) -> Text:
    from rich.text import Text

    if journey.state == "stopped":
        return Text("bought", "good")
    return Text({"done": "end", "active": "still there"}.get(journey.state, journey.state), "dim")


def _show_exits(played: _Played) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out, table

    screen = out()
    screen.print(Text("Which way they went", "head"))
    rows = table("element", "", "left by", "contacts", "", right=("contacts",))
    most = max((number for exits in played.exits.values() for number in exits.values()), default=1)
    for id, node in played.flow.nodes.items():
        exits = played.exits.get(id, {})
        ways = [*node.element.ways_out(), *(exit for exit in exits if exit.startswith("("))]
        shown = [exit for exit in ways if exit in exits]
        for number, exit in enumerate(shown):
            first = number == 0
            rows.add_row(
                Text(id if first else "", "name"),
                Text(node.type if first else "", "dim"),
                "bought meanwhile" if exit == "(stopped)" else exit,
                f"{exits[exit]:,}",
                Text(_bar(exits[exit] / most), "good" if exit == "(stopped)" else "name"),
            )
    screen.print(rows)
    goals = ", ".join(f"{name} {number:,}" for name, number in played.goals.items())
    messages = ", ".join(f"{number:,} {state}" for state, number in played.messages.items())
    screen.print(Text.assemble(("goals  ", "dim"), (goals or "none", "good"), ("   messages  ", "dim"), messages))
    screen.print()


def _bar(share: float, columns: int = 18) -> str:
    """A bar, to the eighth of a column; something for whatever is not nothing."""
    eighths = max(1, round(share * columns * 8))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _show_list(played: _Played) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, local, out, table

    screen = out()
    addresses = count(played.blocked, "address", "addresses")
    screen.print(Text.assemble(("On the Do Not Contact list  ", "head"), (addresses, "bad")))
    rows = table("address", "channel", "since (UTC)", "because", free=("because",))
    alike: dict[tuple[str, str], list[Listed]] = {}
    for each in played.listed:
        alike.setdefault((each.block.channel, each.reason or ""), []).append(each)
    for (channel, reason), group in sorted(alike.items(), key=lambda found: -len(found[1])):
        for each in group[:_SHOWN_OF_EACH]:
            rows.add_row(each.block.destination, channel, Text(local(each.block.since, beside=_BEGINS), "dim"), reason)
        more = len(group) - _SHOWN_OF_EACH
        if more > 0:
            rows.add_row(Text(f"… {more:,} more", "dim"), "", "", "")
    if played.listed:
        screen.print(rows)
    if played.sent_after:
        said = Text.assemble((f"{count(played.sent_after, 'message')} went to them afterwards: a fault", "bad"))
    else:
        said = Text.assemble(("✓ ", "good"), "Not one message went to any of them afterwards.")
    screen.print(said)
    screen.print()


def _show_next(keep: Path | None) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out

    if keep is None:
        lines = (
            ("tactful init my-shop", "this flow and its emails as a project of yours"),
            ("tactful demo --keep demo", "the same again, and the database stays to look into"),
            ("tactful --help", "all there is"),
        )
    else:
        lines = (
            (f"tactful status -p {keep}", "how everything stands"),
            (f"tactful journey 1 -p {keep}", "one contact's way, step by step"),
            (f"tactful draw win-back -p {keep} -o flow.svg", "the flow as a picture"),
        )
    out().print(Text("Try next", "head"))
    longest = max(len(command) for command, _ in lines)
    for command, why in lines:
        out().print(Text.assemble("  ", (f"{command:<{longest}}", "name"), "   ", (why, "dim")))
