"""`publish`, `pause`, `resume`, `stop`: the life of a flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.frame import FlowName, Json, Project, Yes

if TYPE_CHECKING:
    from tactful.engine.compose import Engine
    from tactful.engine.flow_files import Changed
    from tactful.engine.lifecycle import Published
    from tactful.engine.project import Project as LoadedProject
    from tactful.flows.model import Flow


def publish(
    flows: Annotated[list[str] | None, typer.Argument(metavar="FLOW", help="Flows, by id or file.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All flows of the project.")] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Make flows live, or bring them up to date.

    From now on people come in by a flow's entry. Journeys under way keep the version they began with. Either all flows
    named are sound and published, or none is.

    Example:
      tactful publish win-back
      tactful publish --all

    With --json: a list of {"flow", "version", "changed"}.
    """
    from tactful.engine.cli.left_behind import WHOSE_FLOWS, flows_left_behind, noes_left_behind, said_of_noes
    from tactful.engine.cli.opening import needs_daemon, the_engine, the_project
    from tactful.engine.cli.screen import print_json, warn
    from tactful.engine.cli.trouble import wrong_use

    if bool(flows) == everything:
        raise wrong_use("name the flows to publish, or say --all" if not flows else "either name flows or say --all")
    opened = the_project(project)
    sound = flows_to_publish(opened, flows or None, project)
    with the_engine(opened, create=True) as engine:
        done = publish_all(engine, sound)
        with engine.store.read() as tx:
            engine.host.flows.refresh(tx)
        if gone := flows_left_behind(opened, engine.host.flows.state):
            warn(f"no file of this project has {', '.join(gone)}, published here as well: {WHOSE_FLOWS}")
        for sender, entries in noes_left_behind(engine, opened).items():
            warn(f"{sender} {said_of_noes(entries)}")
        if as_json:
            print_json([{"flow": each.flow, "version": each.version, "changed": each.changed} for each in done])
        else:
            _show(engine, done)
            needs_daemon(engine.store, "People come in and messages go out")


def flows_to_publish(project: LoadedProject, names: list[str] | None, given: Path | None) -> list[Flow]:
    """The flows of these names (None: all of the project), each of them sound. Raises Trouble, after printing the
    mistakes of all that are not."""
    from tactful.elements import catalogue
    from tactful.engine.cli.opening import flow_file, shown
    from tactful.engine.cli.problems import show
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.flow_files import load_flows

    if names is None:
        files = [shown(file) for file in project.flow_files()]
        if not files:
            raise wrong_use(f"there are no flow files in {shown(project.flows)}")
    else:
        files = list(dict.fromkeys(flow_file(name, given) for name in names))
    loaded: list[Changed] = load_flows(files, catalogue(), project.surroundings())
    broken = [each for each in loaded if each.loaded.flow is None]
    if broken:
        show((problem for each in broken for problem in each.loaded.errors), to_stderr=True)
        names_of = ", ".join(str(each.path) for each in broken)
        raise Trouble(f"{names_of}: mistakes, so nothing was published", "mend what is named above")
    return [each.loaded.flow for each in loaded if each.loaded.flow is not None]


def publish_all(engine: Engine, flows: list[Flow]) -> list[Published]:
    """Publish sound flows."""
    from tactful.engine.cli.screen import progress
    from tactful.engine.clock import SystemClock

    done = []
    with progress("publishing", len(flows)) as came:
        for flow in flows:
            done.append(engine.lifecycle.publish(flow, SystemClock().now()))
            came(len(done))
    return done


def _show(engine: Engine, done: list[Published]) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out

    for each in done:
        state = engine.host.flows.state[each.flow]
        said = f"is {state}" if each.changed else f"is {state} already, unchanged"
        out().print(
            Text.assemble((each.flow, "name"), f" {said} ", (f"(version {each.version})", "dim")),
        )


def pause(flow: FlowName, project: Project = None) -> None:
    """Let a flow stand still.

    Nobody enters, nobody moves, nothing is sent. Rules of `stop_when` still take people out. Time goes on: what
    fell due meanwhile happens when the flow is resumed.

    Example:
      tactful pause win-back
    """
    from tactful.engine.cli.opening import published, the_engine, the_project
    from tactful.engine.clock import SystemClock

    with the_engine(the_project(project)) as engine:
        id = published(engine, flow)
        engine.lifecycle.pause(id, SystemClock().now())
        _say(id, f"is paused; {_inside(engine, id)} inside")


def resume(flow: FlowName, project: Project = None) -> None:
    """Let a paused flow go on.

    What fell due meanwhile comes first.

    Example:
      tactful resume win-back
    """
    from tactful.engine.cli.opening import needs_daemon, published, the_engine, the_project
    from tactful.engine.clock import SystemClock

    with the_engine(the_project(project)) as engine:
        id = published(engine, flow)
        engine.lifecycle.resume(id, SystemClock().now())
        _say(id, f"is live again; {_inside(engine, id)} inside")
        needs_daemon(engine.store, "They move")


def stop(
    flow: FlowName,
    let_finish: Annotated[bool, typer.Option("--let-finish", help="Those inside go on to their end.")] = False,
    take_out: Annotated[bool, typer.Option("--take-out", help="Those inside are taken out now.")] = False,
    yes: Yes = False,
    project: Project = None,
) -> None:
    """End a flow: let those inside finish, or take them out.

    Nobody enters any more; to make it live again, publish it. Say what becomes of those inside: --let-finish, or
    --take-out, which withdraws their waiting messages too and cannot be taken back.

    Example:
      tactful stop win-back --let-finish
    """
    from tactful.engine.cli.opening import published, the_engine, the_project
    from tactful.engine.cli.screen import confirmed
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.clock import SystemClock

    if let_finish == take_out:
        raise wrong_use("say what becomes of those inside", "--let-finish, or --take-out")
    with the_engine(the_project(project)) as engine:
        id = published(engine, flow)
        if let_finish:
            engine.lifecycle.stop(id, SystemClock().now())
            _say(id, f"lets nobody in any more; {_inside(engine, id)} still inside")
            return
        if not confirmed(f"Take {_inside(engine, id)} out of {id} for good?", yes):
            raise typer.Exit(1)
        _say(id, f"is stopped; {_take_all_out(engine, id)} taken out")


def _take_all_out(engine: Engine, id: str) -> str:
    from tactful.engine import reports
    from tactful.engine.cli.screen import count, progress
    from tactful.engine.clock import SystemClock
    from tactful.engine.flowbook import LIVE, PAUSED

    now = SystemClock().now()
    if engine.host.flows.state[id] in (LIVE, PAUSED):
        engine.lifecycle.stop(id, now)
    with engine.store.read() as tx:
        total = reports.inside(tx, id)
    gone = 0
    with progress("taking out", total) as came:
        while some := engine.lifecycle.take_all_out(id, now):
            gone += some
            came(gone)
    return count(gone, "contact")


def _inside(engine: Engine, id: str) -> str:
    from tactful.engine import reports
    from tactful.engine.cli.screen import count

    with engine.store.read() as tx:
        return count(reports.inside(tx, id), "contact")


def _say(id: str, what: str) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import out

    out().print(Text.assemble((id, "name"), f" {what}"))
