"""`tactful erase`: everything that says who a contact is, taken out."""

from __future__ import annotations

from typing import Annotated

import typer

from tactful.engine.cli.frame import Json, Project


def erase(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Erase a contact for good.

    Their addresses, attributes, answers and the data of their events go, and their journeys end. What stays are numbers
    about nobody, and the Do Not Contact list: their address goes on it under a hash, so whoever brings it back still
    may not write there.

    Example:
      tactful erase ana

    With --json: {"contact", "journeys": how many ended, "entries": how many go on under a hash, "shared": addresses
    that stay because another contact has them, too}.
    """
    from tactful.engine.cli.opening import the_contact, the_engine, the_project
    from tactful.engine.cli.screen import confirmed, count, note, out, plain, print_json
    from tactful.engine.cli.trouble import Trouble
    from tactful.engine.clock import SystemClock
    from tactful.engine.erasing import erase as erase_contact

    with the_engine(the_project(project)) as engine:
        the_contact(engine, contact)
        if not confirmed(f"Erase {plain(contact)} for good?", yes):
            raise Trouble("nothing was erased")
        done = erase_contact(engine, contact, SystemClock().now())
    if as_json:
        print_json(
            {"contact": done.key, "journeys": done.journeys, "entries": done.entries, "shared": list(done.shared)}
        )
        return
    out().print(plain(f"{contact} is erased"))
    if done.journeys:
        out().print(f"  {count(done.journeys, 'journey')} ended")
    if done.entries:
        out().print(f"  {count(done.entries, 'entry', 'entries')} of the Do Not Contact list go on under a hash")
    for address in done.shared:
        out().print(plain(f"  {address} stays: another contact has it, too"))
    note("Backups of the database still know them; deal with those as your rules ask.")
