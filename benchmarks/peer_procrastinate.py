"""What is common on PostgreSQL: a job of Procrastinate's for each contact. Measured where it is installed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.application import COUNTS, ENTERED, OPENED, TABLES, TIMED_OUT, ended
from benchmarks.databases import Kind

NAME, INSTALL = "Procrastinate, a job for each contact", "procrastinate"


def naive(kind: Kind, contacts: int) -> float:
    """Microseconds of processor time a contact, the server's with it. Raises ImportError where it is not there."""
    url = kind.new()
    spent = asyncio.run(_run(kind, url.replace("+psycopg", ""), contacts))
    kind.drop(url)
    return spent * 1e6 / contacts


async def _run(kind: Kind, url: str, contacts: int) -> float:
    import procrastinate
    import psycopg

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    database = await psycopg.AsyncConnection.connect(url, autocommit=True)

    @app.task(name="time_out")
    async def time_out(contact: int) -> None:
        await do(TIMED_OUT, contact)

    async def do(statements: tuple[str, ...], contact: int) -> None:
        async with lock, database.transaction():
            for sql in statements:
                await database.execute(sql, (contact,))

    lock, jobs = asyncio.Lock(), dict[int, Any]()
    async with database, app.open_async():
        await app.schema_manager.apply_schema_async()
        for sql in TABLES:
            await database.execute(sql)
        due = datetime.now(UTC) + timedelta(days=1)
        began = kind.processor_time()
        for contact in range(contacts):
            await do(ENTERED, contact)
            jobs[contact] = await time_out.configure(schedule_at=due).defer_async(contact=contact)
        for contact in range(0, contacts, 4):
            await app.job_manager.cancel_job_by_id_async(jobs[contact])
            await do(OPENED, contact)
        spent = kind.processor_time() - began
        await database.execute(
            "update procrastinate_jobs set scheduled_at = now()"
        )  # the day passes, and is not counted
        began = kind.processor_time()
        await app.run_worker_async(wait=False, concurrency=10, install_signal_handlers=False)
        spent += kind.processor_time() - began
        found = await (await database.execute(COUNTS)).fetchone()
        assert found == ended(contacts), found
    return spent
