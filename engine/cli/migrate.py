"""`tactful migrate`: a project goes on in another database."""

from __future__ import annotations

from typing import Annotated

import typer

from tactful.engine.cli.frame import Json, Project


def migrate(
    source: Annotated[
        str, typer.Option("--from", metavar="DATABASE", help="Where the project was kept: sqlite:///tactful.db")
    ],
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Move a project to another database, with everything in it.

    Stop the daemon, name the new database in `tactful.yaml` (`database: {env: DATABASE_URL}`), and say here where it
    was. The old database keeps all it has, in the newest schema. All of it arrives, or nothing.

    Example:
      tactful migrate --from sqlite:///tactful.db

    With --json: {"rows": number, "tables": {name: rows}}.
    """
    from tactful.engine.cli.opening import the_project
    from tactful.engine.cli.screen import count, note, out, print_json, progress
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.clock import SystemClock
    from tactful.engine.moving import NotEmpty, count_rows, move
    from tactful.engine.project import from_folder
    from tactful.engine.running import only_one
    from tactful.engine.store.database import open_store
    from tactful.engine.workers import working

    opened = the_project(project)
    url = from_folder(source, opened.root)
    if url == opened.database_url():
        raise wrong_use("the project is kept there now", "name the new database in the project file first")
    here, there = open_store(url), open_store(opened.database_url())
    try:
        if here.path is not None and not here.path.exists():
            raise wrong_use(f"there is no database {here.path}")
        with only_one(here.path), only_one(there.path):
            here.upgrade()
            there.upgrade()
            for each in (here, there):  # of a file the lock is ours
                if each.path is None and working(each, SystemClock().now()):
                    raise Trouble(f"a daemon works on {each.name}", "stop it first; one that was killed, in seconds")
            with progress("moving", count_rows(here)) as came:
                moved = move(here, there, came)
    except NotEmpty as error:
        raise Trouble(str(error), "name one that is new") from None
    finally:
        here.close()
        there.close()
    if as_json:
        print_json({"rows": moved.total, "tables": moved.rows})
        return
    out().print(f"moved: {count(moved.total, 'row')} in {count(len(moved.rows), 'table')}")
    note("The old database keeps all it has. `tactful dnc verify` proves the history, `tactful serve` goes on.")
