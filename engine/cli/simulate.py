"""`tactful simulate`: a crowd goes through a flow in virtual time, and what would come of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FlowName, Json, Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.text import Text

    from tactful.elements.contract import Element, Instant
    from tactful.engine.project import Project as OpenedProject
    from tactful.engine.simulation.behaviour import Rates
    from tactful.engine.simulation.crowd import Person
    from tactful.engine.simulation.learning import Learnt
    from tactful.engine.simulation.report import Counted, ElementReport, Figure, Report
    from tactful.engine.simulation.run import Trial
    from tactful.flows.model import Flow

BEGINS = "2026-03-02 00:00"
"""Where time begins without --begin: a Monday. Not today, or the same command would say something else tomorrow."""

_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN_DAYS = 60
_TO = "\u2013"


def simulate(
    flow: FlowName,
    contacts: Annotated[int, typer.Option("--contacts", "-n", min=1, max=100_000_000, help="How many.")] = 10_000,
    days: Annotated[int, typer.Option("--days", "-d", min=1, max=3_650, help="For how long.")] = 30,
    rates: Annotated[
        Path | None, typer.Option("--rates", metavar="FILE", help="What people do: shares, delays, prices.")
    ] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Learn what people do from the project's database.")] = False,
    people: Annotated[
        Path | None,
        typer.Option("--people", metavar="FILE", help="Who they are: a file as for `import contacts`."),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="FLOW", help="Another version, beside it.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**62, help="Another number, other people.")] = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=1_000, help="Play it so many times, for low, middle and high.")
    ] = 1,
    begin: Annotated[str, typer.Option("--begin", metavar="TIME", help="When it begins, in the flow's zone.")] = BEGINS,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, max=256, help="Processes; without it, as many as are worth it.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots as well.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Send a crowd through a flow in virtual time.

    It is tried before anybody gets a message. People open, click, answer, buy and opt out as the rates file says, or as
    the project's own history does (--learn). Quiet hours, limits, `again`, the Do Not Contact list, keyword rules,
    consents and the rules of countries hold as in the engine. Nothing is sent, no database is touched, and the same
    seed gives the same numbers.

    What no file says is guessed so that every path is taken, and said so. Texts are not rendered.

    Example:
      tactful simulate win-back --contacts 100000 --rates win-back.rates.yaml
      tactful simulate win-back --against win-back-new.yaml --seeds 10 --html report.html

    With --json: {"reports": [{"flow", "version", "contacts", "begins", "days", "seeds", "totals": {"entered",
    "refused", "finished", "stopped", "failed", "under_way", "messages", "held", "opted_out", "cost", "visits"},
    "elements": [{"element", "type", "arrived", "exits": {exit: number}, "standing", "sent", "happened": {event:
    number}, "cost"}], "goals", "do_not_contact" (entries by what made them), "events", "messages_a_day",
    "messages_by_hour", "minutes_to_the_end": {"p10", "p50", "p90", "p99"}}], "guesses": [text]}. Where seeds differ, a
    number is {"low", "median", "high"}.
    """
    from tactful.engine.cli.screen import note, print_json
    from tactful.engine.simulation.page import page

    given = _given(flow, against, project)
    crowd = _people(people, given.project)
    known, guessed = _rates(given, rates, learn, crowd, begin)
    reports = [
        _run(each, given.project, known, crowd, contacts, days, _begins(each, begin), range(seed, seed + seeds), jobs)
        for each in given.flows
    ]
    if html is not None:
        html.write_text(page(reports, guessed), encoding="utf-8")
        note(f"written to {html}")
    if as_json:
        print_json({"reports": [each.as_json() for each in reports], "guesses": list(guessed)})
    else:
        for each in reports:
            _show(each)
        if len(reports) == 2:
            _compare(reports[0], reports[1])
        if guessed:
            note("Guessed, for want of a word about it: " + "; ".join(guessed))


class _Given:
    """The flows that are meant, and the project around them."""

    def __init__(self, flows: Sequence[Flow], project: OpenedProject | None, file: Path | None) -> None:
        self.flows = flows
        self.project = project
        self.project_option = file


def _given(flow: str, against: str | None, given: Path | None) -> _Given:
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import flow_file, load, load_flow, project_file

    words: Mapping[str, type[Element]] = catalogue()
    file = project_file(given, flow_file(flow, given).absolute())
    project = None if file is None else load(file)
    flows = [load_flow(name, given, words) for name in (flow, against) if name is not None]
    return _Given(flows, project, given)


def _begins(flow: Flow, begin: str) -> Instant:
    from tactful.engine.instants import parse_instant
    from tactful.engine.simulation.guesses import zone_of_flow

    return parse_instant(begin, zone_of_flow(flow))


def _rates(
    given: _Given, file: Path | None, learn: bool, people: list[Person], begin: str
) -> tuple[Rates, tuple[str, ...]]:
    """What people do, and what of it was guessed. What is learnt fills the crowd as well, where it has nobody in it."""
    from tactful.engine.cli import problems
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.simulation.behaviour import Rates
    from tactful.engine.simulation.guesses import complete
    from tactful.engine.simulation.rates_file import read_rates

    if file is not None and learn:
        raise wrong_use("--rates and --learn both say what people do", "leave one out")
    rates = Rates()
    if file is not None:
        read, found = read_rates(file, given.flows[0] if len(given.flows) == 1 else None)
        if read is None:
            problems.show(found, to_stderr=True)
            raise Trouble(f"{file} has mistakes", "mend what is named above")
        rates = read
    elif learn:
        learnt = _learnt(given)
        rates = learnt.rates
        people += [] if people else learnt.people
    asked = frozenset() if given.project is None else given.project.require_consent
    consents = asked if any(each.agreed is None for each in people) or not people else frozenset[str]()
    guesses: dict[str, None] = {}
    for flow in given.flows:
        begins = _begins(flow, begin)
        rates, more = complete(rates, flow, begins, with_people=bool(people), consents=consents)
        guesses |= dict.fromkeys(more)
    if file is None and not learn:
        guesses["what people do with messages: round numbers"] = None
    return rates, tuple(guesses)


def _learnt(given: _Given) -> Learnt:
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.simulation.learning import learn

    project = given.project or the_project(given.project_option)
    with the_engine(project, flows=False) as engine, engine.store.read() as tx:
        learnt = learn(tx, given.flows)
    if not learnt.messages:
        raise Trouble("no message was sent from this database yet: there is nothing to learn from", "use --rates FILE")
    return learnt


def _people(file: Path | None, project: OpenedProject | None) -> list[Person]:
    if file is None:
        return []
    from tactful.engine.cli.rows_in import kind_of_file
    from tactful.engine.cli.screen import count, warn
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.contacts_file import Row, read_contacts
    from tactful.engine.simulation.crowd import Person

    kind = kind_of_file(file)
    schema, region = (None, None) if project is None else (project.contact, project.region)
    found, bad = [], 0
    with file.open("rb") as source:
        for row in read_contacts(source, kind, schema, region):
            if isinstance(row, Row):
                found.append(Person(row.contact))
            else:
                bad += 1
    if bad:
        warn(f"{count(bad, 'row')} of {file} left out: `tactful import contacts --dry-run` says why")
    if not found:
        raise wrong_use(f"there is no contact in {file}")
    return found


def _run(
    flow: Flow, project: OpenedProject | None, rates: Rates, people: Sequence[Person], contacts: int, days: int,
    begins: Instant, seeds: Sequence[int], jobs: int | None,
) -> Report:  # fmt: skip
    from tactful.engine.cli.screen import progress
    from tactful.engine.simulation.report import report
    from tactful.engine.simulation.run import Trial, simulate

    trial: Trial = Trial.of(flow, project, contacts, begins, days, rates, people)
    with progress(f"Simulating {flow.id}", contacts * len(seeds)) as bar:
        tallies = simulate(trial, seeds, jobs, bar)
    return report(trial.machine(), rates, seeds, tallies)


# --- On the screen -------------------------------------------------------------------------------


def _show(report: Report) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, local, out
    from tactful.engine.instants import zone_named

    screen = out()
    begins = local(report.begins, zone_named(report.zone))
    of_seeds = f"seeds {report.seeds[0]} to {report.seeds[-1]}" if len(report.seeds) > 1 else f"seed {report.seeds[0]}"
    screen.print(
        Text.assemble(
            (report.flow, "name"), f"  {count(report.contacts, 'contact')}, ",
            f"{count(report.days_long, 'day')} from {begins}, {of_seeds}", ("  version " + report.version, "dim"),
        )
    )  # fmt: skip
    screen.print()
    for label, said in _lines(report):
        screen.print(Text.assemble((f"{label:<10}", "dim"), said))
    screen.print()
    screen.print(_table(report))
    screen.print()


def _lines(report: Report) -> list[tuple[str, Text]]:
    from rich.text import Text

    from tactful.engine.cli.screen import how_long

    totals = report.totals
    entered = f"{_number(totals['entered'])} came in"
    if totals["refused"].high:
        entered += f"; {_number(totals['refused'])} more times nobody was let in (`again`, `stop_when`)"
    ended = [f"{_number(totals['finished'])} came to the end"]
    ended += [f"{_number(totals[name])} {said}" for name, said in
              (("stopped", "stopped by a rule"), ("failed", "failed"), ("under_way", "are still under way"))
              if totals[name].high]  # fmt: skip
    messages = f"{_number(totals['messages'])} sent"
    if totals["held"].high:
        messages += f", {_number(totals['held'])} times held for a while"
    if totals["cost"].high:
        messages += f", cost {_money(totals['cost'], report.currency)}"
    lines = [("Journeys", Text(f"{entered}; {', '.join(ended)}")), ("Messages", Text(messages))]
    if totals["messages"].high:
        shown = report.days[:_SHOWN_DAYS]
        more = "" if len(report.days) <= _SHOWN_DAYS else " …"
        lines.append(("by day", Text(f"{_bars(shown)}{more}  up to {_number(max(report.days, key=_middle))}")))
        lines.append(("by hour", Text(f"{_bars(report.hours)}  0 to 24 h in {report.zone}")))
    share = _percent(totals["opted_out"], report.contacts)
    opted = f"{_number(totals['opted_out'])} contacts on the Do Not Contact list ({share})"
    by = ", ".join(f"{_number(figure)} by {source}" for source, figure in report.blocked_by.items())
    lines.append(("Opt-outs", Text(opted + (f": {by}" if by else ""))))
    if report.goals:
        goals = (
            f"{name} {_number(each)} ({_percent(each, totals['entered'].middle)})"
            for name, each in report.goals.items()
        )
        lines.append(("Goals", Text(", ".join(goals))))
    if report.took:
        words = {50: "half are through in", 90: "nine in ten in", 99: "99 % in"}
        took = (f"{said} {how_long(round(report.took[share].middle) * 60_000)}" for share, said in words.items())
        lines.append(("Time", Text(", ".join(took))))
    return lines


def _table(report: Report) -> Any:
    from rich.text import Text

    from tactful.engine.cli.screen import plain, table

    rows = table("element", "", "came", "left by", "messages", right=("came",), free=("left by", "messages"))
    for each in report.elements:
        if not each.arrived.high:
            rows.add_row(Text(plain(each.id), "dim"), Text(each.type, "dim"), Text("0", "dim"), "", "")
            continue
        rows.add_row(Text(plain(each.id), "name"), Text(each.type, "dim"), f"{each.arrived.middle:,.0f}", _exits(each),
                     _messages(each))  # fmt: skip
    return rows


def _exits(each: ElementReport) -> Text:
    from rich.text import Text

    said = Text()
    ways = [(exit, counted) for exit, counted in each.exits.items() if counted.number.high]
    if each.standing.number.high:
        ways.append(("(still here)", each.standing))
    for exit, counted in ways:
        said.append(", " if said else "")
        said.append(exit, "bad" if exit in ("failed", "suppressed", "(failed)") else "").append(f" {_share(counted)}")
    return said


def _messages(each: ElementReport) -> str:
    if each.sent is None or not each.sent.high:
        return ""
    shown = ("opened", "clicked", "replied", "opted_out", "bounced", "complained")
    said = [f"{kind.replace('_', ' ')} {_share(each.happened[kind])}" for kind in shown if kind in each.happened]
    return ", ".join([f"{each.sent.middle:,.0f} sent", *said])


def _share(counted: Counted) -> str:
    """The share in the middle: the table is for reading; ranges stand in the JSON and on the page."""
    share = 100 * counted.share.middle
    return f"{share:.{0 if share >= 99.95 else 1 if share >= 1 else 2}f} %"


def _compare(one: Report, other: Report) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out, table

    rows = table("", f"{one.flow} {one.version}", f"{other.flow} {other.version}", "difference",
                 right=(f"{one.flow} {one.version}", f"{other.flow} {other.version}", "difference"))  # fmt: skip
    names = {
        "entered": "came in", "finished": "came to the end", "stopped": "stopped by a rule", "messages": "messages",
        "opted_out": "on the Do Not Contact list", "cost": "cost",
    }  # fmt: skip
    figures = [(said, one.totals[name], other.totals[name]) for name, said in names.items()]
    none = type(one.totals["cost"])(0, 0, 0)
    goals = dict.fromkeys([*one.goals, *other.goals])
    figures += [(f"goal {name}", one.goals.get(name, none), other.goals.get(name, none)) for name in goals]
    for said, mine, theirs in figures:
        if not (mine.high or theirs.high):
            continue
        apart = theirs.middle - mine.middle
        sure = theirs.low > mine.high or theirs.high < mine.low
        difference = f"{apart:+,.0f}" + (f" ({apart / mine.middle:+.1%})" if mine.middle else "")
        rows.add_row(said, _number(mine), _number(theirs), Text(difference, "head" if sure else "dim"))
    out().print(rows)
    if len(one.seeds) > 1:
        out().print(Text("Bold: beyond what chance does between the seeds.", "dim"))
    out().print()


def _middle(figure: Figure) -> float:
    return figure.middle


def _number(figure: Figure) -> str:
    low, middle, high = figure
    return f"{middle:,.0f}" if low == high else f"{middle:,.0f} ({low:,.0f}{_TO}{high:,.0f})"


def _money(figure: Figure, currency: str) -> str:
    low, middle, high = figure
    said = f"{middle:,.2f}" if low == high else f"{middle:,.2f} ({low:,.2f}{_TO}{high:,.2f})"
    return f"{said} {currency}".strip()


def _percent(figure: Figure, of: float) -> str:
    if not of:
        return _TO
    low, middle, high = (100 * each / of for each in figure)
    digits = 1 if middle >= 1 or middle == 0 else 2
    return (
        f"{middle:.{digits}f} %"
        if figure.low == figure.high
        else f"{middle:.{digits}f} % ({low:.{digits}f}{_TO}{high:.{digits}f})"
    )


def _bars(figures: Sequence[Figure]) -> str:
    most = max((each.middle for each in figures), default=0) or 1
    return "".join(_BARS[0 if not each.middle else 1 + round(7 * each.middle / most)] for each in figures)
