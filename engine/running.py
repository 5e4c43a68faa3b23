"""The lock that says a daemon runs on a database: one at a time, and anybody may ask.

The system lets go of it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tactful.engine.store.beside import name_beside, open_beside

LOCK = ".lock"


class AlreadyRunning(Exception):
    """Another daemon runs on this database."""


class CannotLock(Exception):
    """This user may not take the lock of this database; the message says why and what to do."""


@contextmanager
def only_one(database: Path | None) -> Iterator[None]:
    """Hold the lock. Raises AlreadyRunning and CannotLock. What is no file (None) needs none."""
    if database is None:
        yield
        return
    try:
        lock = open_beside(database, LOCK)
    except PermissionError:
        raise _cannot_lock(name_beside(database, LOCK)) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"a daemon runs on {database} already; stop it first") from None
        yield
    finally:
        os.close(lock)


def is_running(database: Path | None) -> bool:
    """Whether a daemon runs on a database now. Leaves nothing behind."""
    if database is None or not name_beside(database, LOCK).exists():
        return False
    try:
        lock = os.open(name_beside(database, LOCK), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _cannot_lock(file: Path) -> CannotLock:
    if not file.exists():
        return CannotLock(f"{file} cannot be made: this user may not write to its folder")
    return CannotLock(
        f"this user may not open {file}, which another one made; delete it while no daemon runs, and run all commands "
        "as the user whom the database belongs to"
    )
