"""What waiting journeys take on PostgreSQL, where an update leaves the old row behind until it is cleaned up."""

from __future__ import annotations

from typing import Any

import psycopg

from tactful.engine.store.database import open_store
from tactful.engine.store.tables import JourneyRow, MessageRow

STEPS, EACH = 30, 1_000
NOW, DAY = 1_772_442_000_000, 86_400_000


def bytes_of(connection: psycopg.Connection[Any], table: str) -> float:
    found = connection.execute(
        "select pg_table_size(oid) + pg_indexes_size(oid) from pg_class where relname = %s", (table,)
    ).fetchone()
    assert found is not None
    return float(found[0]) / (STEPS * EACH)


def test_a_waiting_journey_takes_no_more_than_300_bytes_with_its_indexes(postgresql: Any) -> None:
    url = postgresql.new_database()
    store = open_store(url)
    write = store.statements
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for step in range(STEPS):
            numbers = range(step * EACH + 1, (step + 1) * EACH + 1)
            with store.write() as tx:
                entry = '["began",%d,%d,{"value":35}]'
                write.begin_journeys.run(tx, [
                    (n, n, 1, 1, 1, "active", "offer", 1, NOW, NOW, None, n, entry % (NOW, n), None, None, None)
                    for n in numbers
                ])  # fmt: skip
            with store.write() as tx:
                write.move_journeys.run(
                    tx, [("active", "opened", 2, NOW, NOW + DAY + n, n, None, None, None, n, n) for n in numbers]
                )
            connection.execute("vacuum journey")  # in a test as small as this, autovacuum would not come in time
        assert bytes_of(connection, JourneyRow.__tablename__) <= 300
    store.close()


def test_old_rows_are_cleaned_up_before_they_are_many(postgresql: Any) -> None:
    with psycopg.connect(postgresql.new_database().replace("+psycopg", ""), autocommit=True) as connection:
        for table in (JourneyRow.__tablename__, MessageRow.__tablename__):
            asked = "select reloptions from pg_class where relname = %s"
            (options,) = connection.execute(asked, (table,)).fetchone() or ((),)
            assert set(options) == {"autovacuum_vacuum_scale_factor=0.02", "autovacuum_vacuum_threshold=1000"}
