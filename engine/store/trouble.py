"""What is wrong with a database that cannot be used, in words for whoever has to do something about it."""

from __future__ import annotations

import re
import sqlite3

from sqlalchemy.exc import DBAPIError

from tactful.elements.options.mistake import meant
from tactful.engine.store.sealing import OUT_OF_USE

_SAYS = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; name another file, or bring back a backup",
    sqlite3.SQLITE_CORRUPT: "is damaged; bring back a backup, or try `sqlite3 FILE .recover`",
    sqlite3.SQLITE_READONLY: "cannot be written to; see who owns the file and its folder, and who runs this",
    sqlite3.SQLITE_PERM: "cannot be used; see who owns the file and its folder, and who runs this",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; see whether it is a folder, and who may read it",
    sqlite3.SQLITE_BUSY: "is in use by another program, which does not let go of it; try again, or stop that one",
    sqlite3.SQLITE_LOCKED: "is in use by another program, which does not let go of it; try again, or stop that one",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full; nothing was changed",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
}


def trouble_with_sqlite(error: BaseException) -> str | None:
    """What to say of an error of the database itself, after its name; None for any other, which is a fault of ours."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER and str(cause).startswith(OUT_OF_USE):
        return str(cause)
    said = None if code is None else _SAYS.get(code & 0xFF)  # the rest of the bits tell the kinds of one trouble apart
    return None if said is None else f"{said} ({cause})"


_SAYS_BY_STATE = {
    "28": "does not let this user in; see the password, and what `pg_hba.conf` allows",
    "3D": "does not exist on its server; create it first (`createdb`)",
    "3F": "has no schema that this user may use; grant it `USAGE` on one, and see `search_path`",
    "53100": "cannot grow: the server's disk is full; nothing was changed",
    "53300": "has as many connections as its server allows; raise `max_connections`, or run fewer daemons",
    "57P": "is going down or starting up; it is tried again",
    "25006": "can only be read from: is this a standby?",
    "25P03": "ended a transaction that stood still for too long, since others waited; nothing was changed",
    "40": "ended a transaction that got into another's way; nothing was changed, and it can be tried again",
}

_MAY_NOT = "42501"
_SAYS_OF_RIGHTS = (
    "lets this user not do what is needed; grant it `SELECT, INSERT, UPDATE, DELETE` on all tables and `USAGE, SELECT`"
    " on all sequences; only who owns them may lay it out or change its schema"
)

_CANNOT_BE_REACHED = "cannot be reached, or the connection broke; see whether its server runs and its address is right"
_TLS_FAILED = "cannot be reached: TLS with it failed; see `sslmode` and the server's settings"
_SAYS_BY_WORDS = {
    "invalid response to ssl negotiation|expected authentication request": (
        "cannot be reached: what answers at its host and port does not speak PostgreSQL; see both in its address"
    ),
    "certificate": "cannot be reached: its certificate is not one that `sslmode` and `sslrootcert` let pass",
    "ssl (syscall )?error": _TLS_FAILED,
    "connection failed: .*(closed the connection|reset by peer)": (
        "cannot be reached: what listens at its host and port hangs up at once; is that PostgreSQL, and does it run?"
    ),
    "closed the connection": _CANNOT_BE_REACHED,
    "no password supplied": "wants a password, and its address has none",
    "password authentication failed": "refuses the password of its user, or knows no such user",
    "is not permitted to log in": "lets its user not log in; `ALTER ROLE … LOGIN` allows it",
    "no pg_hba.conf entry": "lets nobody in from here as this user, or only with TLS; see `pg_hba.conf`",
    "too many|remaining connection slots": _SAYS_BY_STATE["53300"],
    "starting up|shutting down|in recovery mode": _SAYS_BY_STATE["57P"],
    "resolve host|translate host name": "cannot be reached: nobody knows the host that its address names",
    "connection refused": "cannot be reached: nothing listens at its host and port; does the server run there?",
    "no such file or directory": "cannot be reached: no server has its socket there; does it run?",
    "timeout expired|timed out": (
        "cannot be reached: no answer came in time; see whether PostgreSQL listens at its host and port, and firewalls"
    ),
    "no route to host|network is unreachable": "cannot be reached: no way leads to its host; see the network",
    "does not support ssl": "cannot be reached: its address asks for TLS, and the server offers none",
    "ssl": _TLS_FAILED,
}
"""Whom a server does not let in gets no SQLSTATE, only words, in English where the server speaks it. They are not
quoted, since they hold the address."""

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")  # names, which may be any words
_NO_SUCH = re.compile(r'(role|database) "[^"]*" does not exist')
_UNKNOWN_OPTION = re.compile(r'invalid connection option "([^"]*)"')
_BAD_VALUE = re.compile(r'invalid (?!integer)(\w+) value|bad value for (\w+)|for connection option "(\w+)"')
_SAYS_OF_NO_SUCH = {
    "role": "has no such user as its address names; create it first (`createuser`)",
    "database": "does not exist on its server; create it first (`createdb`)",
}


def trouble_with_postgresql(error: BaseException) -> str | None:
    """The same for PostgreSQL. Nothing of the address, where a password may stand, is in it."""
    import psycopg

    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate or ""
    if (cause.diag.message_primary or "").startswith(OUT_OF_USE):
        return cause.diag.message_primary
    if state == _MAY_NOT:  # PostgreSQL names the table or sequence
        return f"{_SAYS_OF_RIGHTS} ({cause.diag.message_primary})"
    for begins, said in _SAYS_BY_STATE.items():
        if state.startswith(begins):
            return said
    if state:
        return None
    if wrong := _of_options(str(cause)):
        return wrong
    return _of_words(str(cause)) if isinstance(cause, psycopg.OperationalError) else None


def _of_options(words: str) -> str | None:
    """What to say of the options that follow the `?` of an address, by their names; None where nothing is wrong."""
    from psycopg.pq import Conninfo

    if unknown := _UNKNOWN_OPTION.search(words):
        likely = meant(unknown[1], [each.keyword.decode() for each in Conninfo.get_defaults()])
        hint = likely or "PostgreSQL lists all under connection parameters of libpq"
        return f"cannot be opened: its address has an option `{unknown[1]}`, which PostgreSQL does not know; {hint}"
    if bad := _BAD_VALUE.search(words):
        name = bad[1] or bad[2] or bad[3]
        takes_not = f"`{name}` in its address has a value that PostgreSQL does not take"
        return f"cannot be opened: {takes_not}; mend it, or leave it out"
    return None


def _of_words(words: str) -> str:
    if missing := _NO_SUCH.search(words):
        return _SAYS_OF_NO_SUCH[missing[1]]
    lower = _QUOTED.sub("", words).lower()
    for part, said in _SAYS_BY_WORDS.items():
        if re.search(part, lower):
            return said
    return _CANNOT_BE_REACHED
