"""Writers of a SQLite file have their turns in the order they came: threads, and processes, whatever becomes of one."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from tests.engine.conftest import wait_until

from tactful.engine.clock import SystemClock
from tactful.engine.store.line import FairLock, Line, patiently
from tactful.engine.store.sqlite import SqliteStore

CLOCK = SystemClock()
ROUNDS = 50


# --- threads


def test_threads_get_the_lock_in_the_order_they_asked() -> None:
    lock, got = FairLock(), list[int]()

    def ask(number: int) -> None:
        with lock:
            got.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    with lock:
        for number, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda number=number: lock.waiting == number)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert got == list(range(8))


def test_a_thread_that_lets_go_and_asks_again_comes_after_those_who_wait() -> None:
    for _ in range(ROUNDS):
        lock, got = FairLock(), list[str]()

        def ask(lock: FairLock = lock, got: list[str] = got) -> None:
            with lock:
                got.append("who waited")

        thread = threading.Thread(target=ask)
        with lock:
            thread.start()
            wait_until(lambda lock=lock: lock.waiting == 1)  # type: ignore[misc]
        with lock:
            got.append("who was quick")
        thread.join()
        assert got == ["who waited", "who was quick"]


def test_whoever_gives_up_waiting_leaves_the_line() -> None:
    lock, held, let_go = FairLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            wait_until(lambda: lock.waiting == 1)
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C, for the main thread
            let_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    with pytest.raises(KeyboardInterrupt), lock:
        pass
    assert lock.waiting == 0
    let_go.set()
    thread.join()
    with lock:
        assert lock.waiting == 0


# --- processes

WRITES_ALL_THE_TIME = """
import sys
from tactful.engine.store.sqlite import SqliteStore
store = SqliteStore("sqlite:///" + sys.argv[1])
while True:
    with store.write() as tx:
        tx.exec_driver_sql("update counted set turns = turns + 1")
        tx.exec_driver_sql("with recursive t(n) as (select 1 union all select n + 1 from t where n < 10000) "
                           "select count(*) from t").all()
"""
WRITES_ONCE = """
import sys
from tactful.engine.store.sqlite import SqliteStore
with SqliteStore("sqlite:///" + sys.argv[1]).write() as tx:
    tx.exec_driver_sql("update counted set turns = turns + 1")
    print("writing", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(program: str, database: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def connected(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(database, isolation_level=None, timeout=60, check_same_thread=False)


def counted(connection: sqlite3.Connection) -> int:
    return int(connection.execute("select turns from counted").fetchone()[0])


def somebody_is_in_front(line: Line) -> bool:
    with suppress(FileNotFoundError), open(line.path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def one_in_front(database: Path, line: Line, becomes: signal.Signals) -> Iterator[sqlite3.Connection]:
    """Another process came to the front of the line and got this signal there. It gives the connection that holds the
    database, since before it came."""
    with closing(connected(database)) as holding:
        holding.execute("begin immediate")
        with another(WRITES_ONCE, database) as other:
            wait_until(lambda: somebody_is_in_front(line))
            other.send_signal(becomes)
            if becomes == signal.SIGKILL:
                other.wait()
            yield holding


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "one.db"
    with closing(SqliteStore(f"sqlite:///{path}")) as store, store.write() as tx:
        tx.exec_driver_sql("create table counted (turns integer)")
        tx.exec_driver_sql("insert into counted values (0)")
    return path


def test_two_processes_that_write_all_the_time_take_turns(database: Path) -> None:
    looking, asking = connected(database), connected(database)
    with (
        closing(Line(database, 60_000)) as line,
        closing(looking),
        closing(asking),
        another(WRITES_ALL_THE_TIME, database),
    ):
        at_try: list[int] = []
        asking.set_trace_callback(lambda sql: at_try.append(counted(looking)) if sql == "BEGIN IMMEDIATE" else None)
        line.begin(asking)
        for _ in range(ROUNDS):
            wait_until(lambda: somebody_is_in_front(line))
            before = counted(asking)
            asking.execute("commit")
            at_try.clear()
            line.begin(asking)
            assert counted(asking) > before, "who was in front comes before who wrote just now"
            assert counted(asking) - at_try[0] <= 1, "whoever writes comes to the end of that, and waits"


def test_who_is_killed_in_front_or_while_writing_keeps_nobody_waiting(database: Path) -> None:
    with closing(Line(database, 60_000)) as line, one_in_front(database, line, signal.SIGKILL) as holding:
        assert not somebody_is_in_front(line)
        holding.execute("rollback")
        with another(WRITES_ONCE, database) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"writing\n"
            assert not somebody_is_in_front(line), "whoever writes has left the line"
            other.send_signal(signal.SIGKILL)
            other.wait()
        line.begin(holding)
        assert counted(holding) == 0, "what was not committed is not there"


def test_one_in_front_that_does_not_move_on_is_passed_in_the_end(database: Path) -> None:
    with closing(Line(database, 50)) as line, one_in_front(database, line, signal.SIGSTOP) as holding:
        holding.execute("rollback")
        line.begin(holding)
        holding.execute("rollback")


def test_where_no_line_can_be_all_goes_on_without(database: Path) -> None:
    database.with_name("one.db-line").unlink()
    database.with_name("one.db-line").mkdir()
    with closing(SqliteStore(f"sqlite:///{database}")) as store:
        for turns in (1, 2):
            with store.write() as tx:
                tx.exec_driver_sql("update counted set turns = turns + 1")
                assert tx.exec_driver_sql("select turns from counted").scalar() == turns


@pytest.mark.parametrize(("of_database", "of_line"), [(0o644, 0o600), (0o664, 0o660), (0o600, 0o600)])
def test_the_line_is_for_those_who_may_write(database: Path, of_database: int, of_line: int) -> None:
    database.with_name("one.db-line").unlink()
    database.chmod(of_database)
    before = os.umask(0o077)
    try:
        with closing(SqliteStore(f"sqlite:///{database}")) as store, store.write():
            pass
    finally:
        os.umask(before)
    assert database.with_name("one.db-line").stat().st_mode & 0o777 == of_line


# --- what SQLite refuses at once


def test_what_sqlite_refuses_at_once_is_asked_again(tmp_path: Path) -> None:
    """To write ahead, a new file must be had alone for a moment, and SQLite does not wait for that."""
    with closing(connected(tmp_path / "new.db")) as one, closing(connected(tmp_path / "new.db")) as other:
        other.execute("begin immediate")
        refused: list[str] = []

        def attempt() -> None:
            try:
                one.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                refused.append(str(error))
                if len(refused) == 2:
                    other.execute("rollback")
                raise

        patiently(attempt, CLOCK.monotonic() + 60)
        assert refused == ["database is locked"] * 2
        assert one.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_refused_for_good_is_not_asked_again(tmp_path: Path) -> None:
    with closing(connected(tmp_path / "new.db")) as one:
        asked: list[int] = []

        def attempt() -> None:
            asked.append(1)
            one.execute("select * from nowhere")

        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            patiently(attempt, CLOCK.monotonic() + 60)
        assert len(asked) == 1


OPENS_ALL = """
import sys
from pathlib import Path
from tactful.engine.store.sqlite import SqliteStore
print("there", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    store = SqliteStore(f"sqlite:///{sys.argv[1]}/{number}.db")
    store.lay_out()
    with store.write() as tx:
        tx.exec_driver_sql("insert into contact (key, attributes, tags, created_at, changed_at) "
                           "values (?, '{}', '[]', 0, 0)", (sys.argv[3],))
    store.close()
"""


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    processes, files = 6, 5
    opening = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS_ALL, str(tmp_path), str(files), f"c{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in range(processes)
    ]  # fmt: skip
    for each in opening:
        assert each.stdout is not None
        assert each.stdout.readline() == b"there\n"
    for each in opening:
        assert each.stdin is not None
        each.stdin.write(b"\n")
        each.stdin.flush()
    assert [each.communicate()[1].decode()[-500:] for each in opening] == [""] * processes
    for number in range(files):
        with closing(connected(tmp_path / f"{number}.db")) as one:
            assert one.execute("select count(*) from contact").fetchone() == (processes,)
