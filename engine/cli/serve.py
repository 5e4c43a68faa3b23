"""`serve`, `halt`, `resume-sending`: the daemon, and the brake."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.engine.clock import Clock


def serve(
    publish: Annotated[bool, typer.Option("--publish", help="Publish all flows of the project first.")] = False,
    project: Project = None,
) -> None:
    """Run the engine, until Ctrl-C or SIGTERM.

    Timers fire, journeys move, messages go out. One daemon runs on a database at a time. A published flow follows
    its file: save a change, and new journeys get it. The log goes to stderr: lines for people on a terminal, JSON
    lines elsewhere.

    Example:
      tactful serve --publish
    """
    from tactful.engine.cli.flows import flows_to_publish, publish_all
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.clock import SystemClock
    from tactful.engine.running import only_one

    opened = the_project(project)
    sound = flows_to_publish(opened, None, project) if publish else []
    clock = SystemClock()
    _log_to_stderr(clock)
    with the_engine(opened, create=True) as engine:
        with only_one(engine.store.path):
            pass  # refused here, before anything is published
        from tactful.engine.daemon import Daemon, log, stop_on_signals

        for each in publish_all(engine, sound):
            log.info("published", flow=each.flow, version=each.version, changed=each.changed)
        with engine.store.read() as tx:
            engine.host.flows.refresh(tx)
        if not engine.host.flows.live.by_id:
            log.warning("no flow is published", hint="tactful publish --all")
        daemon = Daemon(opened, engine, clock)
        stop_on_signals(daemon)
        daemon.run()


def halt(
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="For whoever finds it stopped.")] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Stop all sending at once.

    For every flow, until `resume-sending`. What is being handed over this second still goes out. Journeys move on;
    their messages wait.

    Example:
      tactful halt --why "wrong price in the voucher"

    With --json: {"halted": true, "since", "why", "already": whether it was stopped before}.
    """
    from tactful.engine import switches
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import local, out, print_json, utc
    from tactful.engine.clock import SystemClock

    with the_engine(the_project(project), create=True, flows=False) as engine, engine.store.write() as tx:
        before = switches.halted_since(tx)
        if before is None:
            switches.halt(tx, SystemClock().now(), why)
        since, because = switches.halted_since(tx) or (0, None)
    if as_json:
        print_json({"halted": True, "since": utc(since), "why": because, "already": before is not None})
    elif before is None:
        out().print("All sending is stopped. `tactful resume-sending` goes on.")
    else:
        said = f"All sending was stopped already, {local(since)} UTC" + (f": {because}" if because else "")
        out().print(said)


def resume_sending(project: Project = None, as_json: Json = False) -> None:
    """Go on sending after `halt`.

    What waited goes out, each message checked anew.

    Example:
      tactful resume-sending

    With --json: {"halted": false, "was_halted"}.
    """
    from tactful.engine import switches
    from tactful.engine.cli.opening import needs_daemon, the_engine, the_project
    from tactful.engine.cli.screen import out, print_json

    with the_engine(the_project(project), flows=False) as engine:
        with engine.store.write() as tx:
            was = switches.resume_sending(tx)
        if as_json:
            print_json({"halted": False, "was_halted": was})
            return
        out().print("Sending goes on." if was else "Sending was not stopped.")
        if was:
            needs_daemon(engine, "What waited goes out")


# --- The log -------------------------------------------------------------------------------------


def _log_to_stderr(clock: Clock) -> None:
    import logging

    import structlog

    from tactful.engine.instants import iso
    from tactful.engine.log import without_values

    def at(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"at": iso(clock.now() // 1000 * 1000 if terminal else clock.now()), **event}

    terminal = sys.stderr.isatty()
    shared: list[Any] = [structlog.stdlib.add_log_level, at, without_values]
    if terminal:
        pretty = structlog.dev.ConsoleRenderer(timestamp_key="at", pad_event_to=24)
        last: list[Any] = [pretty]
    else:
        last = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    # What libraries log goes the same way; of APScheduler's runs, twice a minute each, only its troubles.
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, *last]))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
