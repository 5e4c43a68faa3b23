"""The lock that says a daemon runs on a database: one at a time, and anybody may ask.

The system lets go of it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another daemon runs on this database."""


@contextmanager
def only_one(database: Path | None) -> Iterator[None]:
    """Hold the lock. Raises AlreadyRunning. A database in memory (None) needs none."""
    if database is None:
        yield
        return
    lock = os.open(_lock_file(database), os.O_CREAT | os.O_RDWR, 0o644)
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
    if database is None or not _lock_file(database).exists():
        return False
    try:
        lock = os.open(_lock_file(database), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _lock_file(database: Path) -> Path:
    return database.with_name(database.name + ".lock")
