"""One statement for many rows. It is described once; SQLite's driver runs it for each of them, PostgreSQL is sent it
once for all, with an array for each column (`unnest`): what a row costs there is mostly that it is sent on its own.

Most columns of most batches say the same in all rows. That is not sent again and again: SQLite's statement has NULL in
the place of what is None in all of them, PostgreSQL's one value where all have the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import BindParameter, Connection, Dialect, Insert, Integer, Update, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import iterate, replacement_traverse
from sqlalchemy.types import NullType, TypeEngine

from tactful.engine.store.driver import sent, sent_for_each

Row = tuple[Any, ...]

AT_ONCE = 10_000
"""Rows in one statement, at most: there is no end to how many a caller has."""

WORTH_A_LOOK = 50
"""Rows from which on it is cheaper to look which columns say the same in all of them, with a statement for each such
set of columns, than to send them as arrays."""


class Bulk:
    """One statement, run for many rows, in their order, by the driver itself, whose errors are raised as they are.
    `columns` names a row's values: an insert's columns, and what is bound in an update or a delete, which finds its
    rows by equality with some of them.

    Values are integers, texts or None. Texts with NUL in them are an error of the database's, where it has no such
    texts."""

    __slots__ = ("_send", "columns")

    def __init__(self, dialect: Dialect, statement: UpdateBase, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._send: Callable[[Connection, Sequence[Row]], int]
        if dialect.name == "postgresql":
            self._send = _as_arrays(dialect, statement, self.columns)
        else:
            self._send = _one_by_one(dialect, statement, self.columns)

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Run it for all rows; how many rows of the table it changed."""
        return self._send(connection, rows) if rows else 0


def _for_one(statement: UpdateBase, columns: Sequence[str]) -> UpdateBase:
    """The statement for a single row."""
    if isinstance(statement, Insert):
        return statement.values({name: bindparam(name) for name in columns})
    return statement


def _one_by_one(
    dialect: Dialect, statement: UpdateBase, columns: tuple[str, ...]
) -> Callable[[Connection, Sequence[Row]], int]:
    compiled = _for_one(statement, columns).compile(dialect=dialect)
    sql, wanted = str(compiled), tuple(compiled.positiontup or ())
    assert sorted(wanted) == sorted(columns), f"the statement wants {wanted}, the rows have {columns}"
    in_order = None if wanted == columns else itemgetter(*(columns.index(name) for name in wanted))
    bare: dict[tuple[int, ...], _Bare] = {}

    def send(connection: Connection, rows: Sequence[Row]) -> int:
        values = list(rows) if in_order is None else [in_order(row) for row in rows]
        without = tuple(place for place, value in enumerate(values[0]) if value is None)
        if 1 < len(without) < len(columns) - 1:  # for one it takes as long to look as is won
            found = bare.get(without) or bare.setdefault(without, _Bare.of(sql, without))
            if set(map(found.empty, values)) == found.nothing:
                return sent_for_each(connection, found.sql, list(map(found.kept, values)))
        return sent_for_each(connection, sql, values)

    return send


class _Bare(NamedTuple):
    """A statement with NULL at some places: what has to be `nothing` of all rows, and what is kept of a row.

    Most rows have no value in the same few columns. SQLite's driver takes ten times as long to bind None as it takes
    for a number, since it asks whether anybody adapted it; so where all rows have None where the first has it, NULL
    stands in the statement there.
    """

    sql: str
    empty: Callable[[Any], Any]
    nothing: set[Any]
    kept: Callable[[Any], Any]

    @classmethod
    def of(cls, sql: str, without: tuple[int, ...]) -> _Bare:
        first, *others = sql.split("?")
        kept = [place for place in range(len(others)) if place not in without]
        places = ("?" if place in kept else "NULL" for place in range(len(others)))
        written = "".join(f"{place}{text}" for place, text in zip(places, others, strict=True))
        return cls(first + written, itemgetter(*without), {(None,) * len(without)}, itemgetter(*kept))


def _as_arrays(
    dialect: Dialect, statement: UpdateBase, columns: tuple[str, ...]
) -> Callable[[Connection, Sequence[Row]], int]:
    bound = _for_one(statement, columns).compile(dialect=dialect).binds
    assert sorted(bound) == sorted(columns), f"the statement wants {tuple(bound)}, the rows have {columns}"
    types = {name: bound[name].type for name in columns}
    encoders = [_encoder(name, type_) for name, type_ in types.items()]
    apart = _key(statement, columns) if isinstance(statement, Update) else None

    @lru_cache(maxsize=64)
    def written(varies: tuple[bool, ...]) -> tuple[str, list[int]]:
        """The statement, and which of the columns it wants, in its order."""
        varied = [name for name, varied in zip(columns, varies, strict=True) if varied]
        compiled = _over(statement, types, varied).compile(dialect=dialect)
        assert compiled.positiontup is not None
        return str(compiled), [columns.index(name) for name in compiled.positiontup]

    def send(connection: Connection, rows: Sequence[Row]) -> int:
        changed = 0
        for some in _rounds(rows, apart):
            given = list(zip(*some, strict=True))
            varies = _which_vary(given)
            sql, wanted = written(varies)
            values = [
                encoder.array(each) if varied else encoder.one(each[0])
                for encoder, each, varied in zip(encoders, given, varies, strict=True)
            ]
            changed += sent(connection, sql, [values[place] for place in wanted], len(some))
        return changed

    return send


def _which_vary(columns: Sequence[Sequence[Any]]) -> tuple[bool, ...]:
    """Which columns are sent as arrays. One at least, for it says how many rows there are."""
    rows = len(columns[0])
    varies = tuple([rows < WORTH_A_LOOK or values.count(values[0]) < rows for values in columns])
    return varies if any(varies) else (True,) * len(columns)


def _over(statement: UpdateBase, types: Mapping[str, TypeEngine[Any]], varied: Collection[str]) -> UpdateBase:
    """The statement over all rows at once: what was bound is a column of theirs, if it varies.

    Each array is a subselect, so that the planner does not see how long it is. It thinks of a few rows then, and goes
    by the index; of a thousand it may think that reading all of a table is cheaper, and it is wrong where the table was
    not analyzed since it grew.
    """
    arrays = (select(bindparam(name, type_=ARRAY(types[name]))).scalar_subquery() for name in varied)
    rows = func.unnest(*arrays).table_valued(*(column(name, types[name]) for name in varied)).render_derived("given")
    given = {name: rows.c[name] if name in varied else bindparam(name, type_=type_) for name, type_ in types.items()}
    if isinstance(statement, Insert):
        return statement.from_select(list(given), select(*given.values()), include_defaults=False)

    def from_given(element: Any, **_: Any) -> Any:
        return given[element.key] if isinstance(element, BindParameter) else None

    return cast(UpdateBase, replacement_traverse(statement, {}, from_given))


def _key(statement: Update, columns: Sequence[str]) -> Callable[[Row], Any]:
    """The part of a row that says which rows of the table it updates."""
    where = statement.whereclause
    assert where is not None, "an update in bulk says of which rows"
    names = [part.key for part in iterate(where) if isinstance(part, BindParameter)]
    return itemgetter(*(columns.index(name) for name in names))


def _rounds(rows: Sequence[Row], key: Callable[[Row], Any] | None) -> Iterator[Sequence[Row]]:
    """The rows in as few statements as may be. Of two rows that update the same one PostgreSQL takes either, so the
    second goes in a round after the first's."""
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        if key is None or len(set(map(key, some))) == len(some):
            yield some
            continue
        rounds: list[list[Row]] = []
        earlier: Counter[Any] = Counter()
        for row in some:
            number = earlier[key(row)]
            earlier[key(row)] += 1
            if number == len(rounds):
                rounds.append([])
            rounds[number].append(row)
        yield from rounds


class _Encoder(NamedTuple):
    """How PostgreSQL is sent many values, and one."""

    array: Callable[[Sequence[Any]], str]
    one: Callable[[Any], str | None]


def _encoder(name: str, type_: TypeEngine[Any]) -> _Encoder:
    if isinstance(type_, Integer):
        # As text, too: the driver gives numbers types by their size, and the statement is prepared again for each.
        return _Encoder(integers, lambda value: None if value is None else repr(value))
    assert not isinstance(type_, NullType), f"say the type of {name} where it is bound"
    return _Encoder(texts, lambda value: value)


# The driver writes arrays too, but value by value, and their type by what is in them: six times slower, and the
# statement is prepared again for each.


def integers(values: Sequence[int | None]) -> str:
    """An array of integers, as PostgreSQL reads it."""
    return "{" + str(list(values))[1:-1].replace("None", "NULL") + "}"


def texts(values: Sequence[str | None]) -> str:
    """An array of texts, as PostgreSQL reads it."""
    if None not in values and (joined := "\0".join(values)).count("\0") == len(values) - 1:  # type: ignore[arg-type]
        return '{"' + _escaped(joined).replace("\0", '","') + '"}'  # at once, for no text holds NUL
    return "{" + ",".join(["NULL" if value is None else f'"{_escaped(value)}"' for value in values]) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
