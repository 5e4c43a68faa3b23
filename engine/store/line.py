"""Who writes next to a SQLite file.

SQLite lets in whoever asks at the right moment. One that found it taken asks again only now and then, and comes off
badly beside one that writes all the time. So writers stand in line: the threads of a process in the order they came
(`FairLock`), and of each process one at a file beside the database (`Line`). Whoever is in front there stays until
SQLite let them begin, and whoever wrote goes to the back: nobody writes twice while another waits in front.

The line is a courtesy. What keeps two from writing at once is SQLite's own lock. Where there can be no such file, on
another system or in a folder that may not be written to, and for another program, all is as it was without.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tactful.engine.clock import SystemClock
from tactful.engine.store.beside import name_beside, open_beside

if sys.platform != "win32":
    import fcntl

LOOK_SECONDS = 0.001
"""How often whoever waits for another process looks whether it is their turn: some microseconds' work."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_NEVER = threading.Event()


class FairLock:
    """A lock for threads, which get it in the order they asked for it. Python's own goes to whoever is quickest, and
    that is most often the one that just let go of it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()
        self.waits = 0
        """How often somebody had to wait so far."""

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
            self.waits += 1
        try:
            mine.acquire()  # until it is handed over
        except BaseException:  # somebody pressed Ctrl-C
            self._give_up(mine)
            raise

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False

    def _give_up(self, mine: threading.Lock) -> None:
        with self._guard, suppress(ValueError):
            self._waiting.remove(mine)
            return
        self.__exit__()  # it was handed over already


class Line:
    """The line of those who want to write to a database, one of each process. Used by one thread at a time."""

    def __init__(self, database: Path, busy_ms: int) -> None:
        self.path = name_beside(database, "-line")
        self._database = database
        self._busy_ms = busy_ms
        self._file: int | None = None
        self._is_there = sys.platform != "win32"

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that writes, when its turn has come. Raises SQLite's own error where it does not come in
        `busy_ms`: then another program does not let go of the database."""
        until = SystemClock().monotonic() + self._busy_ms / 1000
        connection.execute("PRAGMA busy_timeout=0")  # it is we who look again
        try:
            with self._in_front(until):
                patiently(lambda: connection.execute("BEGIN IMMEDIATE"), until)
        finally:
            connection.execute(f"PRAGMA busy_timeout={self._busy_ms}")

    def close(self) -> None:
        """Let go of the file. It stays where it is: others may stand at it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _in_front(self, until: float) -> Iterator[None]:
        """In front of the line; or beside it, where there is none, or where the one in front does not move on."""
        if not self._get_in_front(until):
            yield
            return
        assert self._file is not None
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _get_in_front(self, until: float) -> bool:
        if not self._is_there:
            return False
        try:
            if self._file is None:
                self._file = open_beside(self._database, "-line")
            while True:
                try:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not _wait(until):
                        return False
                else:
                    return True
        except OSError:  # a folder or a file system where this cannot be
            self._is_there = False
            self.close()
            return False


def patiently(attempt: Callable[[], object], until: float) -> None:
    """Do what SQLite may refuse at once while another process is at it, again and again until a moment (of the
    monotonic clock) has come."""
    while True:
        try:
            attempt()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or not _wait(until):
                raise
        else:
            return


def _wait(until: float) -> bool:
    """Wait a little; False where the time is over."""
    if SystemClock().monotonic() >= until:
        return False
    _NEVER.wait(LOOK_SECONDS)
    return True
