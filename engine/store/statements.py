"""The writes of the hot path, compiled once and run with tuples through the driver, in batches (`bulk.py`).

Each is a Core statement, so that its columns are checked against the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    literal_column,
    null,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

from tactful.engine.store.bulk import Bulk
from tactful.engine.store.driver import fetched
from tactful.engine.store.tables import (
    BlockActRow,
    BlockRow,
    ConsentRow,
    ContactRow,
    EventRow,
    GoalRow,
    InboundRow,
    JourneyRow,
    MembershipRow,
    MessageRow,
    VisitRow,
)


def table(model: type[Any]) -> Table:
    """The Core table of a model."""
    found: Table = model.__table__
    return found


JOURNEY, VISIT, EVENT, MESSAGE = table(JourneyRow), table(VisitRow), table(EventRow), table(MessageRow)
CONTACT, BLOCK, BLOCK_ACT = table(ContactRow), table(BlockRow), table(BlockActRow)
GOAL, MEMBERSHIP, INBOUND, CONSENT = table(GoalRow), table(MembershipRow), table(InboundRow), table(ConsentRow)

WAITING = ("queued", "held")
"""States of a message that was not handed over yet."""

WAITING_LITERALS: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in WAITING]
UNSETTLED: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in ("sending", "unknown")]
"""States of a message that was handed over and did not come to an end; literal, for only so the index of these is found
(`message_in_hand`): of values bound later, nobody knows that they are these."""


def among(column: ColumnElement[Any], values: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a column's value is in a list of any length, given as one JSON text (`as_list`): a value each would
    soon be more than a statement may carry."""
    return _Among(column, values)


class _Among(FunctionElement[bool]):
    inherit_cache = True
    name = "among"
    type = NullType()  # type: ignore[assignment]  # as a Boolean, SQLAlchemy would compare it with 1, and SQLite then use no index


@compiles(_Among, "sqlite")
def _among_in_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_Among, "postgresql")
def _among_in_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    kind = "bigint" if isinstance(next(iter(element.clauses)).type, Integer) else "text"
    # An array, not a subselect: the planner sees how long it is, and uses the index.
    listed = f"SELECT value FROM json_array_elements_text(CAST({values} AS json)) AS given(value)"
    return f"{column} = ANY (CAST(ARRAY({listed}) AS {kind}[]))"


def one_of(column: ColumnElement[Any], values: Iterable[int | str]) -> ColumnElement[bool]:
    """The same for a list that is at hand."""
    return among(column, literal(as_list(values)))


def as_list(values: Iterable[int | str]) -> str:
    """A list for `among`."""
    return json.dumps(list(values), ensure_ascii=False)


class Query:
    """A select, compiled once and run by the driver itself (`driver.py`). `names` are the values it wants, in the order
    `rows` takes them; `postgresql` is another way to say it, where the first is SQLite's own."""

    def __init__(
        self, statement: Select[*tuple[Any, ...]], *names: str, postgresql: Select[*tuple[Any, ...]] | None = None
    ) -> None:
        self._statements = {"sqlite": statement, "postgresql": statement if postgresql is None else postgresql}
        self._names = names
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}  # by the kind of database

    def rows(self, connection: Connection, *values: Any) -> Sequence[Any]:
        """All rows, as plain tuples."""
        sql, wanted, fixed = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        bound = {**fixed, **dict(zip(self._names, values, strict=True))}
        return fetched(connection, sql, [bound[name] for name in wanted])

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        compiled = self._statements[dialect.name].compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        wanted = tuple(compiled.positiontup or ())
        fixed = {name: value for name, value in compiled.params.items() if name not in self._names}
        assert set(self._names) <= set(wanted), f"the statement wants {wanted}, not {self._names}"
        found = self._compiled[dialect.name] = (str(compiled), wanted, fixed)
        return found


def insert_or(kind: str, into: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that may say what to do where the row is there already, for a kind of database."""
    return sqlite.insert(into) if kind == "sqlite" else postgresql.insert(into)


def dialect_of(kind: str) -> Dialect:
    """The dialect of a kind of database, with values by their place, as the driver is given them."""
    if kind == "sqlite":
        return sqlite.dialect()
    from sqlalchemy.dialects.postgresql import psycopg

    made: Dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
    return made


def _insert(dialect: Dialect, into: Table, columns: Sequence[str]) -> Bulk:
    return Bulk(dialect, insert(into), columns)


_of_message = (
    MESSAGE.c.journey == bindparam("of"), MESSAGE.c.step == bindparam("at"), MESSAGE.c.contact == bindparam("who")
)  # fmt: skip


class Statements:
    """All bulk statements, for one kind of database. What changes a contact's rows names the contact, too: a database
    that spreads contacts over servers then asks one of them."""

    def __init__(self, kind: str) -> None:
        dialect = dialect_of(kind)
        self.begin_journeys = _insert(dialect, JOURNEY, (
            "id", "contact", "flow", "version", "entry_number", "state", "element", "step", "entered_at", "arrived_at",
            "due_at", "since", "entry", "journey_values", "ended_at", "why",
        ))  # fmt: skip
        self.move_journeys = Bulk(
            dialect,
            update(JOURNEY)
            .values({name: bindparam(name) for name in (
                "state", "element", "step", "arrived_at", "due_at", "since", "journey_values", "ended_at", "why")})
            .where(JOURNEY.c.id == bindparam("journey"), JOURNEY.c.contact == bindparam("who")),
            ("state", "element", "step", "arrived_at", "due_at", "since", "journey_values", "ended_at", "why",
             "journey", "who"),
        )  # fmt: skip
        self.stand_still = Bulk(
            dialect,
            update(JOURNEY)
            .values(stood_still=literal_column("1"), due_after=JOURNEY.c.due_at, due_at=null())
            .where(
                JOURNEY.c.id == bindparam("journey"),
                JOURNEY.c.contact == bindparam("who"),
                JOURNEY.c.stood_still.is_(None),  # or what stands in `due_after` would be lost
            ),
            ("journey", "who"),
        )
        self.add_visits = _insert(
            dialect, VISIT, ("journey", "step", "element", "exit", "arrived_at", "left_at", "event", "why", "contact")
        )
        self.add_events = _insert(dialect, EVENT, (
            "id", "contact", "name", "at", "learnt_at", "data", "message_journey", "message_step", "used", "key",
        ))  # fmt: skip
        self.use_events = Bulk(
            dialect,
            update(EVENT)
            .values(used=literal_column("1"))
            .where(EVENT.c.id == bindparam("event"), EVENT.c.contact == bindparam("who")),
            ("event", "who"),
        )
        self.queue_messages = _insert(dialect, MESSAGE, (
            "journey", "step", "contact", "element", "channel", "sender", "purpose", "state", "due_at", "expires_at",
            "tries", "unknowns", "why",
        ))  # fmt: skip
        self.take_messages = Bulk(
            dialect,
            update(MESSAGE)
            .values({"state": literal_column("'sending'"), "due_at": null(), "destination": bindparam("to"),
                     "taken_at": bindparam("now"), "worker": bindparam("by"),
                     "tries": MESSAGE.c.tries + literal_column("1"), "why": null()})
            .where(*_of_message),
            ("to", "now", "by", "of", "at", "who"),
        )  # fmt: skip
        self.settle_messages = Bulk(
            dialect,
            update(MESSAGE)
            .values(
                {name: bindparam(name) for name in ("state", "due_at", "unknowns", "sent_at", "provider_id", "why")}
            )
            .where(*_of_message),
            ("state", "due_at", "unknowns", "sent_at", "provider_id", "why", "of", "at", "who"),
        )
        self.receive_messages = Bulk(
            dialect,
            update(MESSAGE)
            .values({"state": bindparam("becomes"), "due_at": null(), "why": null(),
                     "sent_at": func.coalesce(MESSAGE.c.sent_at, bindparam("sent", type_=MESSAGE.c.sent_at.type))})
            .where(*_of_message),
            ("becomes", "sent", "of", "at", "who"),
        )  # fmt: skip
        # What is held may go as soon as nothing holds it any more. What is queued keeps when it is due behind the sign:
        # it may wait to be tried again.
        self.hurry_messages = Bulk(
            dialect,
            update(MESSAGE)
            .values(due_at=case((MESSAGE.c.state == literal_column("'queued'"), -func.abs(MESSAGE.c.due_at)),
                                else_=literal_column("0")))
            .where(*_of_message),
            ("of", "at", "who"),
        )  # fmt: skip
        self.leave_messages = Bulk(
            dialect, update(MESSAGE).values(due_at=func.abs(MESSAGE.c.due_at)).where(*_of_message), ("of", "at", "who")
        )
        self.withdraw_messages = Bulk(
            dialect,
            update(MESSAGE)
            .values({"state": literal_column("'withdrawn'"), "due_at": null()})
            .where(
                MESSAGE.c.journey == bindparam("of"),
                MESSAGE.c.contact == bindparam("who"),
                MESSAGE.c.state.in_(WAITING_LITERALS),
            ),
            ("of", "who"),
        )
        self.change_contacts = Bulk(
            dialect,
            update(CONTACT)
            .values({n: bindparam(n) for n in ("attributes", "tags", "changed_at")})
            .where(CONTACT.c.id == bindparam("who")),
            ("attributes", "tags", "changed_at", "who"),
        )
        self.add_contacts = Bulk(dialect, insert_or(kind, CONTACT).on_conflict_do_nothing(), (
            "id", "key", "email", "phone", "time_zone", "attributes", "tags", "created_at", "changed_at",
        ))  # fmt: skip
        fields = ("key", "email", "phone", "time_zone", "attributes", "tags", "changed_at")
        self.put_contacts = Bulk(
            dialect,
            update(CONTACT).values({n: bindparam(n) for n in fields}).where(CONTACT.c.id == bindparam("who")),
            (*fields, "who"),
        )
        self.add_block_acts = _insert(dialect, BLOCK_ACT, (
            "destination", "channel", "sender", "covers", "act", "source", "reason", "at", "evidence", "hash",
        ))  # fmt: skip
        blocked = ("destination", "channel", "sender", "covers", "source", "reason", "since")
        self.add_blocks = Bulk(
            dialect,
            insert_or(kind, BLOCK).on_conflict_do_nothing(),
            blocked,
        )
        self.drop_blocks = Bulk(
            dialect,
            delete(BLOCK).where(*(BLOCK.c[name] == bindparam(f"the_{name}") for name in blocked[:4])),
            tuple(f"the_{name}" for name in blocked[:4]),
        )
        self.reach_goals = Bulk(
            dialect,
            insert_or(kind, GOAL).on_conflict_do_nothing(),
            ("journey", "name", "flow", "at", "contact"),
        )
        self.join = Bulk(
            dialect,
            insert_or(kind, MEMBERSHIP).on_conflict_do_nothing(),
            ("contact", "flow"),
        )
        self.part = Bulk(
            dialect,
            delete(MEMBERSHIP).where(MEMBERSHIP.c.contact == bindparam("who"), MEMBERSHIP.c.flow == bindparam("what")),
            ("who", "what"),
        )
