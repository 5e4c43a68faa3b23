"""`serve`, `halt`, `resume-sending`: the daemon, and the brake."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.metrics import Metrics
    from tactful.engine.project import Project as LoadedProject
    from tactful.engine.store.database import Store


def serve(
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish all flows of the project first, also those that are not live.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="runner|api",
            help="Only what moves journeys and sends, or only the API; the other runs elsewhere.",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Where the API listens, in place of the project's.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65_535, help="The port of the API, in place of the project's."
        ),
    ] = None,
    project: Project = None,
) -> None:
    """Run the engine, until Ctrl-C, SIGTERM or SIGHUP.

    Timers fire, journeys move, messages go out. One runner works on a SQLite file at a time, any number on a
    PostgreSQL database. The log goes to stderr: lines for people on a terminal, JSON lines elsewhere.

    A published flow follows its file, without --publish too: save a change, and new journeys get it; what was changed
    before it started is live from its start. Only a version that was live before and was replaced does not come back
    by a start.

    Where `tactful.yaml` has a section `http:`, or --host or --port are given, the HTTP API and the public pages are
    served as well.

    Example:
      tactful serve --publish
      tactful serve --only api --port 8080
    """
    from tactful.engine.cli.flows import flows_to_publish, publish_all
    from tactful.engine.cli.left_behind import HOW_TO_CARRY_OVER, WHOSE_FLOWS, flows_left_behind, noes_left_behind
    from tactful.engine.cli.opening import one_of, the_engine, the_project
    from tactful.engine.clock import SystemClock
    from tactful.engine.metrics import Metrics
    from tactful.engine.running import only_one
    from tactful.engine.store.database import open_store

    clock = SystemClock()
    _log_to_stderr(clock)  # first, so that what keeps it from beginning is said there as well
    if only is not None:
        one_of(only, ("runner", "api"), "--only")
    opened = the_project(project)
    sound = flows_to_publish(opened, None, project) if publish else []
    with closing(open_store(opened.database_url())) as store:
        _bring_up_to_date(store, clock)
    metrics = Metrics(clock)
    with the_engine(opened, create=True, observer=metrics) as engine:
        if only != "api":
            with only_one(engine.store.path):
                pass  # refused here, before anything is published
        from tactful.engine.daemon import log

        for each in publish_all(engine, sound):
            log.info("published", flow=each.flow, version=each.version, changed=each.changed)
        with engine.store.read() as tx:
            engine.host.flows.refresh(tx)
        if not engine.host.flows.live.by_id:
            log.warning("no flow is published", hint="tactful publish --all")
        if not opened.flows.is_dir():
            log.warning("there is no folder of flows, so none follows its file", folder=str(opened.flows))
        elif gone := flows_left_behind(opened, engine.host.flows.state):
            log.warning("flows are published that no file of this project has", flows=gone, hint=WHOSE_FLOWS)
        for sender, entries in noes_left_behind(engine, opened).items():
            said = "entries of the Do Not Contact list hold for a sender alone that the project does not name"
            log.warning(said, sender=sender, entries=entries, hint=HOW_TO_CARRY_OVER)
        if opened.secret is not None and opened.secret.is_short(os.environ):
            log.warning("the project's secret is short: whoever guesses it signs links", hint="tactful check")
        if only == "api":
            _serve_api(engine, opened, clock, metrics, host, port)
        else:
            listens = only is None and (opened.http is not None or host is not None or port is not None)
            _serve_runner(engine, opened, clock, metrics, listens, host, port)


def _bring_up_to_date(store: Store, clock: Clock) -> None:
    from tactful.engine.daemon import log
    from tactful.engine.running import only_one
    from tactful.engine.upgrading import bring_up_to_date, is_behind

    def begins(has: str, newest: str) -> None:
        log.info("bringing the database to the schema of this version", database=store.name, has=has, newest=newest)

    if is_behind(store):
        with only_one(store.path):
            bring_up_to_date(store, clock, begins)
        log.info("the database has the schema of this version", database=store.name)


def _serve_runner(
    engine: Engine,
    project: LoadedProject,
    clock: Clock,
    metrics: Metrics,
    listens: bool,
    host: str | None,
    port: int | None,
) -> None:
    from tactful.engine.daemon import Daemon, stop_on_signals

    daemon = Daemon(project, engine, clock)
    beside = None
    if listens:
        from tactful.engine.api.health_routes import health_routes
        from tactful.engine.api.server import serving

        watched = health_routes(engine, clock, metrics, daemon.pulse, project.webhooks)
        beside = serving(
            engine, project, clock, changed=daemon.wake, died=daemon.stop, host=host, port=port, watched=watched
        )
    stop_on_signals(daemon.stop)
    daemon.run(beside)


def _serve_api(
    engine: Engine, project: LoadedProject, clock: Clock, metrics: Metrics, host: str | None, port: int | None
) -> None:
    import threading

    from tactful.engine.api.health_routes import health_routes
    from tactful.engine.api.server import serving
    from tactful.engine.daemon import LOOK_SECONDS, log, stop_on_signals
    from tactful.engine.upgrading import SchemaWatch

    stop = threading.Event()
    watched = health_routes(engine, clock, metrics, None, project.webhooks)
    beside = serving(engine, project, clock, died=stop.set, host=host, port=port, watched=watched)
    stop_on_signals(stop.set)
    with beside, closing(engine.store.changes()) as changes:
        schema = SchemaWatch(engine.store, clock)
        while not stop.wait(LOOK_SECONDS):
            schema.look(changes.changed())
        log.info("stopping")
    log.info("stopped")


def halt(
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="For whoever finds it stopped.")] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Stop all sending at once.

    For every flow, until `resume-sending`. What is being handed over this second still goes out. Journeys move on;
    their messages wait. On the database of an older version it works, too, and so does `resume-sending`.

    Example:
      tactful halt --why "wrong price in the voucher"

    With --json: {"halted": true, "since", "why", "already": whether it was stopped before}.
    """
    from tactful.engine import switches
    from tactful.engine.cli.opening import the_brake, the_project
    from tactful.engine.cli.screen import local, out, print_json, utc
    from tactful.engine.clock import SystemClock

    with the_brake(the_project(project), create=True) as store, store.write() as tx:
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
    from tactful.engine.cli.opening import needs_daemon, the_brake, the_project
    from tactful.engine.cli.screen import out, print_json

    with the_brake(the_project(project)) as store:
        with store.write() as tx:
            was = switches.resume_sending(tx)
        if as_json:
            print_json({"halted": False, "was_halted": was})
            return
        out().print("Sending goes on." if was else "Sending was not stopped.")
        if was:
            needs_daemon(store, "What waited goes out")


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
