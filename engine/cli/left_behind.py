"""What the database holds for senders that the project's file names no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

HOW_TO_CARRY_OVER = "carry them over: `tactful dnc export`, change the sender, `tactful dnc import`"


def noes_left_behind(engine: Engine, project: Project) -> dict[str, int]:
    """Senders that the project does not name, and how many entries of the Do Not Contact list hold for each alone."""
    from tactful.engine.optout.do_not_contact import left_behind

    if project.senders is None:
        return {}
    with engine.store.read() as tx:
        return left_behind(tx, project.senders)


def said_of_noes(entries: int) -> str:
    """What is to be said of such a sender, behind its name."""
    from tactful.engine.cli.screen import count

    hold = count(entries, "entry of the Do Not Contact list holds", "entries of the Do Not Contact list hold")
    return (
        f"is not in the project file, and {hold} for it alone: others may write to whoever said no to it; "
        + HOW_TO_CARRY_OVER
    )
