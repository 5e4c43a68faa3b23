"""DBOS: a durable workflow for each contact, which waits for its message with a time limit.

As its manual has it: the application's own writes are steps that are transactions of a data source, and an `opened` is
a message sent to the workflow. Workflows are asynchronous, for a thread for each that waits would cost more.
"""

from __future__ import annotations

import asyncio
import logging
from time import time
from typing import Any

from benchmarks.application import COUNTS, ENTERED, OPENED, TABLES, TIMED_OUT, ended
from benchmarks.databases import Kind

NAME, INSTALL = "DBOS, a workflow for each contact", "dbos"
DAY = 86_400.0
UNDECIDED = "select count(*) from dbos.workflow_status where status <> 'SUCCESS'"


def naive(kind: Kind, contacts: int) -> float:
    """Microseconds of processor time a contact, the server's with it. Raises ImportError where it is not there."""
    url = kind.new()
    spent = asyncio.run(_run(kind, url, contacts))
    kind.drop(url)
    return spent * 1e6 / contacts


async def _run(kind: Kind, url: str, contacts: int) -> float:
    from dbos import DBOS, AsyncSQLAlchemyDatasource, SetWorkflowID
    from sqlalchemy import text

    with kind.connect(url) as connection:
        for sql in TABLES:
            connection.execute(sql)
    logging.getLogger("dbos").setLevel(logging.ERROR)
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
    database = await AsyncSQLAlchemyDatasource.create(url)

    async def do(statements: tuple[str, ...], contact: int) -> None:
        for sql in statements:
            await database.sql_session().execute(text(sql.replace("%s", ":contact")), {"contact": contact})

    @database.transaction
    async def offer(contact: int) -> None:
        await do(ENTERED, contact)

    @database.transaction
    async def opened(contact: int) -> None:
        await do(OPENED, contact)

    @database.transaction
    async def unopened(contact: int) -> None:
        await do(TIMED_OUT, contact)

    @DBOS.workflow()
    async def journey(contact: int, seconds: float) -> None:
        await offer(contact)
        if await DBOS.recv_async("opened", timeout_seconds=seconds) is None:
            await unopened(contact)
        else:
            await opened(contact)

    DBOS.launch()
    try:
        began = kind.processor_time()
        # It has no clock of its own to set. Those who do not open wait for one and the same moment, soon.
        due = time() + 1 + contacts / 50
        for contact in range(contacts):
            with SetWorkflowID(str(contact)):
                seconds = DAY if contact % 4 == 0 else max(0.1, due - time())
                await DBOS.start_workflow_async(journey, contact, seconds)
        for contact in range(0, contacts, 4):
            await DBOS.send_async(str(contact), "opened", topic="opened")
        with kind.connect(url) as connection:
            while _count(connection, UNDECIDED) != (0,):
                await asyncio.sleep(0.25)
            spent = kind.processor_time() - began
            assert (found := _count(connection, COUNTS)) == ended(contacts), found
    finally:
        DBOS.destroy(destroy_registry=True)
        await database.engine.dispose()
    return spent


def _count(connection: Any, sql: str) -> tuple[int, ...]:
    return tuple(connection.execute(sql).fetchone())
