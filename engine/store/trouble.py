"""What is wrong with a database that cannot be used, in words for whoever has to do something about it."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

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
    said = None if code is None else _SAYS.get(code & 0xFF)  # the rest of the bits tell the kinds of one trouble apart
    return None if said is None else f"{said} ({cause})"


_SAYS_BY_STATE = {
    "28": "does not let us in; are the user and the password right?",
    "3D": "does not exist on its server; create it first (`createdb`)",
    "42501": "lets this user not do what is needed; grant it the rights to create and change tables",
    "53100": "cannot grow: the server's disk is full; nothing was changed",
    "53300": "has as many connections as its server allows; raise `max_connections`, or run fewer daemons",
    "57P": "is going down or starting up; it is tried again",
    "25006": "can only be read from: is this a standby?",
    "25P03": "ended a transaction that stood still for too long, since others waited; nothing was changed",
    "40": "ended a transaction that got into another's way; nothing was changed, and it can be tried again",
}


def trouble_with_postgresql(error: BaseException) -> str | None:
    """The same for PostgreSQL. Nothing of the address, where a password may stand, is in it."""
    import psycopg

    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate or ""
    for begins, said in _SAYS_BY_STATE.items():
        if state.startswith(begins):
            return said
    if isinstance(cause, psycopg.OperationalError) and not state:
        return "cannot be reached, or the connection broke; see whether its server runs and its address is right"
    return None
