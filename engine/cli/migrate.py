"""`tactful migrate`: a project's database is brought up to date, or the project goes on in another one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.moving import Moved
    from tactful.engine.project import Project as LoadedProject
    from tactful.engine.store.database import Store


def migrate(
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="DATABASE", help="Where the project was kept, such as sqlite:///tactful.db."),
    ] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Go on here after all, though it moved away.")] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Bring the database up to date, or move to another.

    `tactful serve` brings a database to the schema of a newer version when it starts. This does it and ends, for a
    large database that takes its time. No daemon may work on it meanwhile.

    With --from it moves a project there, with everything in it: stop the daemon, name the new database in
    `tactful.yaml` (`database: {env: DATABASE_URL}`), and say here where it was. All of it arrives, or
    nothing, also where it is stopped half-way. The old database keeps all it has, in the newest schema, and takes no
    more writes: a `tactful serve --only api` that still knows it answers 503 and ends, so nothing it is told is left
    behind there.

    Where the new one turns out not to do, name the old one again and say --reopen: it takes writes again. What happened
    in the new one meanwhile is not in it, opt-outs and what was sent least of all.

    Example:
      tactful migrate
      tactful migrate --from sqlite:///tactful.db

    With --json: {"changed": whether the schema was another}; with --from {"rows": number, "tables": {name: rows}};
    with --reopen {"reopened": whether it took no writes before}.
    """
    from tactful.engine.cli.opening import the_project
    from tactful.engine.cli.patience import Patience
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.store.database import open_store

    if source is not None and reopen:
        raise wrong_use("--from moves the project here, --reopen undoes that it moved away; say one of them")
    opened = the_project(project)
    with closing(open_store(opened.database_url())) as store:
        store.observer = Patience()
        if source is not None:
            _move(opened, source, store, as_json)
        elif reopen:
            _reopen(store, as_json)
        else:
            _bring_up_to_date(store, as_json)


def _bring_up_to_date(store: Store, as_json: bool) -> None:
    from tactful.engine.cli.screen import out, print_json
    from tactful.engine.clock import SystemClock
    from tactful.engine.running import only_one
    from tactful.engine.upgrading import bring_up_to_date, is_behind

    changed = is_behind(store)
    if changed:
        with only_one(store.path):
            bring_up_to_date(store, SystemClock(), _begins)
    store.lay_out()
    store.keep_to_schema()
    if as_json:
        print_json({"changed": changed})
    else:
        out().print("The database has the schema of this version.")


def _reopen(store: Store, as_json: bool) -> None:
    from tactful.engine.cli.screen import out, print_json
    from tactful.engine.store.sealing import sealed_with, unseal

    _holds_something(store, "see `database:` in the project file")
    with store.write() as tx:
        reopened = sealed_with(tx) is not None
        unseal(tx)
    if as_json:
        print_json({"reopened": reopened})
    else:
        out().print("The database takes writes again." if reopened else "The database takes writes; it did before.")


def _move(project: LoadedProject, source: str, there: Store, as_json: bool) -> None:
    from tactful.engine.cli.patience import Patience
    from tactful.engine.cli.screen import count, note, out, print_json
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.project import from_folder
    from tactful.engine.store.database import open_store

    url = from_folder(source, project.root)
    with closing(open_store(url)) as here:
        here.observer = Patience()
        same_file = here.path is not None and there.path is not None and here.path.resolve() == there.path.resolve()
        if same_file or url == project.database_url():
            raise wrong_use("the project is kept there now", "name the new database in the project file first")
        moved = _moved(here, there, SystemClock())
    if as_json:
        print_json({"rows": moved.total, "tables": moved.rows})
        return
    out().print(f"moved: {count(moved.total, 'row')} in {count(len(moved.rows), 'table')}")
    note(
        "The old database keeps all it has, and takes no more writes. `tactful dnc verify` proves the history, "
        "`tactful serve` goes on."
    )


def _moved(here: Store, there: Store, clock: Clock) -> Moved:
    """Looks first, and changes something then."""
    from tactful.engine.cli.screen import progress
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.moving import NotEmpty, NothingToMove, count_rows, move, moved_to
    from tactful.engine.running import only_one
    from tactful.engine.store.sealing import sealed_with
    from tactful.engine.upgrading import STOP_FIRST, bring_up_to_date, is_behind
    from tactful.engine.workers import at_work

    _holds_something(here, "see what --from names")
    with only_one(here.path), only_one(there.path):
        for each in (here, there):
            with each.read() as tx:
                if who := at_work(each, tx, clock.now()):
                    raise Trouble(f"a daemon works on {each.name} ({', '.join(who)})", STOP_FIRST)
                words = sealed_with(tx)
            if words and each is there:
                raise Trouble(f"the database {each.name} {words}", "`tactful migrate --reopen` lets it take writes")
            if words and not moved_to(there, words):
                raise Trouble(f"the database {each.name} {words}", "move it from there")
        for each in (here, there):
            if is_behind(each):
                bring_up_to_date(each, clock, _begins)
            each.lay_out()
        try:
            with progress("moving", count_rows(here)) as came:
                return move(here, there, clock.now(), came)
        except NotEmpty as error:
            raise Trouble(str(error), "name one that is new") from None
        except NothingToMove as error:
            raise Trouble(str(error), "see what --from names") from None


def _holds_something(store: Store, hint: str) -> None:
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.store.migrations import schema_of

    if store.path is not None and not store.path.is_file():
        raise wrong_use(f"there is no database {store.path}", hint)
    if schema_of(store) is None:
        raise Trouble(f"the database {store.name} is empty: nothing was ever kept in it", hint)


def _begins(has: str, newest: str) -> None:
    from tactful.engine.cli.screen import note

    note(f"Bringing the database from schema {has} to {newest}.")
