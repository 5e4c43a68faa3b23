"""`tactful migrate`: a project's database is brought up to date, or the project goes on in another one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.moving import Moved
    from tactful.engine.store.database import Store


def migrate(
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="DATABASE", help="Where the project was kept: sqlite:///tactful.db"),
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Bring the database up to date, or move to another.

    `tactful serve` brings a database to the schema of a newer version when it starts. This does it and ends, for a
    large database that takes its time. No daemon may work on it meanwhile.

    With --from it moves a project there, with everything in it: stop the daemon and every `tactful serve --only api`,
    which would go on writing to the old database unseen, name the new one in `tactful.yaml`
    (`database: {env: DATABASE_URL}`), and say here where it was. The old database keeps all it has, in
    the newest schema. All of it arrives, or nothing.

    Example:
      tactful migrate
      tactful migrate --from sqlite:///tactful.db

    With --json: {"changed": whether the schema was another}; with --from {"rows": number, "tables": {name: rows}}.
    """
    from tactful.engine.cli.opening import the_project
    from tactful.engine.cli.screen import count, note, out, print_json
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.project import from_folder
    from tactful.engine.running import only_one
    from tactful.engine.store.database import open_store
    from tactful.engine.upgrading import bring_up_to_date, is_behind

    opened, clock = the_project(project), SystemClock()
    there = open_store(opened.database_url())
    if source is None:
        with closing(there):
            changed = is_behind(there)
            if changed:
                with only_one(there.path):
                    bring_up_to_date(there, clock, _begins)
            there.lay_out()
        if as_json:
            print_json({"changed": changed})
        else:
            out().print("The database has the schema of this version.")
        return
    url = from_folder(source, opened.root)
    with closing(there), closing(open_store(url)) as here:
        same_file = here.path is not None and there.path is not None and here.path.resolve() == there.path.resolve()
        if same_file or url == opened.database_url():
            raise wrong_use("the project is kept there now", "name the new database in the project file first")
        moved = _move(here, there, clock)
    if as_json:
        print_json({"rows": moved.total, "tables": moved.rows})
        return
    out().print(f"moved: {count(moved.total, 'row')} in {count(len(moved.rows), 'table')}")
    note("The old database keeps all it has. `tactful dnc verify` proves the history, `tactful serve` goes on.")


def _begins(has: str, newest: str) -> None:
    from tactful.engine.cli.screen import note

    note(f"Bringing the database from schema {has} to {newest}.")


def _move(here: Store, there: Store, clock: Clock) -> Moved:
    """Looks first, and changes something then."""
    from tactful.engine.cli.screen import progress
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.moving import NotEmpty, NothingToMove, count_rows, move
    from tactful.engine.running import only_one
    from tactful.engine.store.migrations import schema_of
    from tactful.engine.upgrading import STOP_FIRST, bring_up_to_date, is_behind
    from tactful.engine.workers import at_work

    if here.path is not None and not here.path.is_file():
        raise wrong_use(f"there is no database {here.path}")
    if schema_of(here) is None:
        raise Trouble(f"the database {here.name} is empty: nothing was ever kept in it", "see what --from names")
    with only_one(here.path), only_one(there.path):
        for each in (here, there):
            with each.read() as tx:
                if who := at_work(each, tx, clock.now()):
                    raise Trouble(f"a daemon works on {each.name} ({', '.join(who)})", STOP_FIRST)
        for each in (here, there):
            if is_behind(each):
                bring_up_to_date(each, clock, _begins)
            each.lay_out()
        try:
            with progress("moving", count_rows(here)) as came:
                return move(here, there, came)
        except NotEmpty as error:
            raise Trouble(str(error), "name one that is new") from None
        except NothingToMove as error:
            raise Trouble(str(error), "see what --from names") from None
