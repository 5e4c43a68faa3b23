"""What is on or off for a whole project, in the database, so that every process obeys it at once."""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, insert, select, update

from tactful.elements.contract import Instant
from tactful.engine.store.statements import Query, insert_or, table
from tactful.engine.store.tables import SwitchRow

SWITCH = table(SwitchRow)

HALTED = exists().where(SWITCH.c.name == "halt")
"""Whether all sending is stopped, to be asked in the statement that finds messages to take."""

_halted = Query(select(HALTED))


def halted(tx: Connection) -> bool:
    """Whether all sending is stopped."""
    return bool(_halted.rows(tx)[0][0])


def halted_since(tx: Connection) -> tuple[Instant, str | None] | None:
    """When and why sending was stopped; None where it is not."""
    row = tx.execute(select(SWITCH.c.number, SWITCH.c.why).where(SWITCH.c.name == "halt")).first()
    return None if row is None else (row[0], row[1])


def halt(tx: Connection, now: Instant, why: str | None) -> None:
    """Stop all sending. What is being handed over at this moment still goes out."""
    stop = insert_or(tx.dialect.name, SWITCH).values(name="halt", number=now, why=why)
    tx.execute(stop.on_conflict_do_nothing())


def resume_sending(tx: Connection) -> bool:
    """Go on sending; whether it had been stopped."""
    return drop_switch(tx, "halt")


def set_switch(tx: Connection, name: str, number: int) -> None:
    """Remember a number under a name."""
    if tx.execute(update(SWITCH).where(SWITCH.c.name == name).values(number=number)).rowcount == 0:
        tx.execute(insert(SWITCH).values(name=name, number=number))


def held_switch(tx: Connection, name: str) -> int:
    """A switch's number, 0 at first, which nobody else changes before the end."""
    tx.execute(insert_or(tx.dialect.name, SWITCH).values(name=name, number=0).on_conflict_do_nothing())
    return int(tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == name).with_for_update()) or 0)


def drop_switch(tx: Connection, name: str) -> bool:
    """Forget a name; whether it was known."""
    return tx.execute(delete(SWITCH).where(SWITCH.c.name == name)).rowcount > 0


def flows_changed(tx: Connection) -> None:
    """Tell every process to read the published flows again."""
    statement = insert_or(tx.dialect.name, SWITCH).values(name="flows", number=1)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"number": SWITCH.c.number + 1}))


def let_go_of_histories(tx: Connection, now: Instant) -> None:
    """Remember that histories of the Do Not Contact list were let go, as old as may be."""
    statement = insert_or(tx.dialect.name, SWITCH).values(name=_LET_GO, number=now)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"number": now}))


def histories_let_go(tx: Connection) -> Instant | None:
    """When histories of the Do Not Contact list were last let go; None where none ever were."""
    at: Instant | None = tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == _LET_GO))
    return at


_LET_GO = "history let go"
