"""What the database holds and the project's files name no more: senders that people said no to, and flows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

WHOSE_FLOWS = "where another project uses this database, too, give each its own; else `tactful stop` ends them"
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


def flows_left_behind(project: Project, states: Mapping[str, str]) -> list[str]:
    """The flows (`states` has all that were published, by id) that people can come into, and no file of the project
    has. One that only finishes is meant to go."""
    from tactful.engine.cli.opening import flow_ids
    from tactful.engine.flowbook import LIVE, PAUSED

    files = flow_ids(project.flow_files())
    return [flow for flow, state in states.items() if state in (LIVE, PAUSED) and flow not in files]
