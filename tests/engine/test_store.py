"""The database: laid out as the models say, upgraded in one piece, and plain words where it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, insert, select
from sqlalchemy.exc import IntegrityError

from tactful.engine import outbox
from tactful.engine.compose import open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.keyring import ShortSecret
from tactful.engine.store import holding, reading
from tactful.engine.store.database import StoreError, open_store
from tactful.engine.store.sqlite import SqliteStore as Store
from tactful.engine.store.statements import CONTACT, VISIT, one_of
from tactful.engine.store.tables import metadata


def store_on(path: Path, busy_ms: int = 60_000) -> Store:
    return Store(f"sqlite:///{path}", busy_ms=busy_ms)


@contextmanager
def upgraded(path: Path) -> Iterator[Store]:
    store = store_on(path)
    store.lay_out()
    try:
        yield store
    finally:
        store.close()


def layout(connection: Connection) -> list[tuple[str, ...]]:
    """Every table and index with its columns, keys and conditions, as the database itself tells."""
    found: list[tuple[str, ...]] = []
    tables = connection.exec_driver_sql(
        "select name, wr from pragma_table_list where schema = 'main' and type = 'table' order by name"
    ).all()
    for table, without_rowid in tables:
        if table in ("alembic_version", "sqlite_schema"):
            continue
        found.append((table, str(without_rowid)))
        columns = connection.exec_driver_sql(f"select * from pragma_table_info('{table}')").all()
        found.extend((table, *(str(each) for each in column[1:4]), str(column[5])) for column in columns)
    indexes = connection.exec_driver_sql(
        "select tbl_name, sql from sqlite_schema where type = 'index' and sql is not null order by name"
    ).all()
    return [*found, *(tuple(index) for index in indexes)]


# --- the schema


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # cannot be reflected; `layout` has them by their text
def test_migrations_lead_to_what_the_models_say(tmp_path: Path) -> None:
    with upgraded(tmp_path / "one.db") as store, store.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []
        migrated = layout(tx)
    engine = create_engine(f"sqlite:///{tmp_path / 'two.db'}")
    with engine.begin() as tx:
        metadata.create_all(tx)
        assert layout(tx) == migrated
    engine.dispose()


def test_a_database_that_is_refused_a_short_secret_is_closed(tmp_path: Path) -> None:
    with pytest.raises(ShortSecret):
        open_engine(f"sqlite:///{tmp_path / 'shop.db'}", secret="guess me")
    assert not (tmp_path / "shop.db-wal").exists(), "who closes it last takes this away"


def test_upgraded_twice_is_upgraded_once(tmp_path: Path) -> None:
    with upgraded(tmp_path / "one.db") as store:
        with store.write() as tx:
            tx.execute(insert(CONTACT).values(key="ana", attributes="{}", tags="[]", created_at=0, changed_at=0))
        before = (tmp_path / "one.db").read_bytes()
        store.lay_out()
    with upgraded(tmp_path / "one.db") as store, store.read() as tx:
        assert list(reading.contacts_by_key(tx, ["ana"])) == ["ana"]
    assert before[:16] == b"SQLite format 3\0"


def test_several_who_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    failed: list[Exception] = []
    together = threading.Barrier(6)

    def open_it() -> None:
        together.wait()
        try:
            engine = open_engine(f"sqlite:///{tmp_path / 'one.db'}")
            put_contacts(engine.host, [ContactFields(str(threading.get_ident()))], 0)
            engine.close()
        except Exception as error:  # noqa: BLE001 -- told by the thread that waits
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with upgraded(tmp_path / "one.db") as store, store.read() as tx:
        assert tx.exec_driver_sql("select count(*), max(id) from contact").one() == (6, 6)


# --- databases that cannot be used


def refused(path: Path, busy_ms: int = 60_000) -> str:
    store = store_on(path, busy_ms)
    try:
        with pytest.raises(StoreError) as said:
            store.lay_out()
    finally:
        store.close()
    text = str(said.value)
    assert str(path) in text or str(path.parent) in text
    return text


def test_a_newer_database(tmp_path: Path) -> None:
    with upgraded(tmp_path / "one.db") as store, store.write() as tx:
        tx.exec_driver_sql("update alembic_version set version_num = '9999'")
    assert "is of a newer tactful (schema 9999; this one knows 0006); upgrade tactful" in refused(tmp_path / "one.db")


THEIR_ALEMBIC = """
create table alembic_version (version_num text);
insert into alembic_version values ('abcdef');
"""


@pytest.mark.parametrize("also", ["", THEIR_ALEMBIC])
def test_another_programs_database(tmp_path: Path, also: str) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.executescript("create table invoice (id); create table contact (id); " + also)
    before = path.read_bytes()
    said = refused(path)
    assert "is the database of another program (it holds " in said
    assert "contact" in said
    with closing(sqlite3.connect(path)) as theirs:
        names = {name for (name,) in theirs.execute("select name from sqlite_schema")}
    assert names - {"alembic_version"} == {"invoice", "contact"}, "nothing was added"
    assert len(path.read_bytes()) == len(before)


def test_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "one.db").write_text("dear diary " * 100)
    assert "is not a SQLite database" in refused(tmp_path / "one.db")


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    engine = open_engine(f"sqlite:///{path}")
    put_contacts(engine.host, [ContactFields(f"c{n}") for n in range(2_000)], 0)
    engine.close()
    bytes_ = bytearray(path.read_bytes())
    for at in range(4_096, len(bytes_), 4_096):
        bytes_[at : at + 200] = b"\xff" * 200
    path.write_bytes(bytes_)
    for leftover in tmp_path.glob("one.db-*"):
        leftover.unlink()
    store = store_on(path)
    try:
        with pytest.raises(StoreError, match="is damaged; bring back a backup"), store.write() as tx:
            reading.contacts_by_key(tx, ["c1"])
    finally:
        store.close()


def test_a_folder_that_is_not_there_and_one_that_is_no_file(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'nowhere'}" in refused(tmp_path / "nowhere" / "one.db")
    (tmp_path / "one.db").mkdir()
    assert "cannot be opened; see whether it is a folder" in refused(tmp_path / "one.db")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere, so a test of permissions is another user's."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_database_that_may_not_be_written_to() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.db"
        with upgraded(path) as store, store.write() as tx:
            tx.exec_driver_sql("delete from alembic_version")
            tx.exec_driver_sql("insert into alembic_version values ('0001')")
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            with as_nobody():
                store = store_on(path)
                with pytest.raises(StoreError, match=r"cannot be (written to|opened); see w"), store.write() as tx:
                    tx.exec_driver_sql("delete from contact")
                store.close()
        finally:
            Path(folder).chmod(0o755)


def test_a_database_that_another_program_does_not_let_go_of(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with upgraded(path), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        store = store_on(path, busy_ms=50)
        with pytest.raises(StoreError, match="is in use by another program"), store.write():
            pass
        with store.read() as tx:
            assert tx.exec_driver_sql("select count(*) from contact").scalar() == 0, "reading goes on"
        other.execute("rollback")
        with store.write() as tx:
            tx.exec_driver_sql("delete from contact")
        store.close()


def test_a_full_disk(tmp_path: Path) -> None:
    with upgraded(tmp_path / "one.db") as store:
        with store.write() as tx:
            pages = tx.exec_driver_sql("pragma page_count").scalar_one()
            tx.exec_driver_sql(f"pragma max_page_count = {pages}")
        put = "insert into contact (key, attributes, tags, created_at, changed_at) values (?, ?, '[]', 0, 0)"
        with pytest.raises(StoreError, match="the disk is full; nothing was changed"), store.write() as tx:
            tx.exec_driver_sql(put, [(f"c{n}", "x" * 9_000) for n in range(10)])
        with store.read() as tx:
            assert tx.exec_driver_sql("select count(*) from contact").scalar() == 0


def test_a_fault_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    with upgraded(tmp_path / "one.db") as store:
        row = {"key": "ana", "attributes": "{}", "tags": "[]", "created_at": 0, "changed_at": 0}
        with pytest.raises(IntegrityError), store.write() as tx:
            tx.execute(insert(CONTACT), [row, row])
        with store.read() as tx:
            assert tx.exec_driver_sql("select count(*) from contact").scalar() == 0, "and it is rolled back whole"


def test_a_kind_of_database_there_is_no_way_to() -> None:
    with pytest.raises(StoreError, match="no way to keep things in `mysql`"):
        open_store("mysql://localhost/tactful")


def test_a_server_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tactful.engine.store.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r'pip install "tactful\[postgresql\]"'):
        open_store("postgresql+psycopg://localhost/tactful")


# --- statements


@pytest.mark.parametrize(("module", "query"), [
    *((reading, name) for name in ("_contacts", "_contacts_by_key", "_active", "_messages", "_members", "_log",
                                   "_entries", "_stands", "_keys_seen")),
    *((holding, name) for name in ("_these", "_named", "_written_to", "_told_of", "_due")),
    *((outbox, name) for name in ("_due", "_in_hand")),
])  # fmt: skip
def test_what_the_hot_path_reads_is_found_by_an_index(tmp_path: Path, module: ModuleType, query: str) -> None:
    found = getattr(module, query)
    with upgraded(tmp_path / "one.db") as store, store.read() as tx:
        sql, wanted, fixed = found._compile(tx.dialect)
        values = tuple(fixed.get(name, "[1,2]" if name not in ("now", "most", "began", "behind") else 1)
                       for name in wanted)  # fmt: skip
        plan = [row[3] for row in tx.exec_driver_sql("explain query plan " + sql, values).all()]
    assert [step for step in plan if step.startswith("SCAN") and "VIRTUAL" not in step] == []
    if query == "_log":
        assert any("event_contact" in step for step in plan), plan


def test_a_list_of_any_length_is_one_value(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'one.db'}")
    put_contacts(engine.host, [ContactFields(f"c'{n}\"") for n in range(10)], 0)
    try:
        with engine.store.read() as tx:
            keys = [f"c'{n}\"" for n in range(300_000)]
            assert len(reading.contacts_by_key(tx, keys)) == 10
            assert len(reading.contacts(tx, range(-5, 10**6))) == 10
            assert reading.contacts(tx, [10**30, 2**63]) == {}
            assert one_of(CONTACT.c.id, []) is not None
            assert reading.contacts(tx, []) == {}
    finally:
        engine.close()


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 1, "a", "done", 5, 6, None, None, 9), (1, 2, "b", "done", 6, 7, None, None, 9)],
        [(1, 1, "a", "done", 5, 6, None, None, 9), (1, 2, "b", "done", 6, 7, 3, "so", 9)],
        [(1, 1, "a", "done", 5, 6, 3, "so", 9), (1, 2, "b", "done", 6, 7, None, None, 9)],
        [(1, 1, "a", "done", 5, 6, None, "so", 9), (1, 2, "b", "done", 6, 7, 3, None, 9)],
    ],
)
def test_a_batch_is_written_whoever_of_it_has_no_value(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    with upgraded(tmp_path / "a.db") as store, store.write() as tx:
        assert store.statements.add_visits.run(tx, rows) == len(rows)
        assert list(tx.execute(select(VISIT).order_by(VISIT.c.step))) == rows


@pytest.mark.parametrize(
    "address", ["nonsense", "postgresql://u:p@ss:w0rd/x@127.0.0.1/d", "postgresql://u:w0rd@h:abc/d"]
)
def test_an_address_that_cannot_be_read_is_not_quoted(address: str) -> None:
    with pytest.raises(StoreError, match="cannot be read") as refused:
        open_store(address)
    assert "w0rd" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_more_at_once_than_there_are_connections_is_said_in_words(tmp_path: Path) -> None:
    with upgraded(tmp_path / "one.db") as store, ExitStack() as held:
        store.engine.pool._timeout = 0  # type: ignore[attr-defined]  # seconds it waits for one to come back
        for _ in range(16):
            held.enter_context(store.engine.connect())
        with pytest.raises(StoreError, match="more at once"), store.read():
            pass


def test_of_what_stands_in_the_query_of_an_address_only_the_server_shows() -> None:
    secrets = "password=w0rd&sslpassword=w0rd&options=-ca.b%3Dw0rd"
    assert (
        open_store(f"postgresql+psycopg://acme:w0rd@db/acme?{secrets}").name == "postgresql+psycopg://acme:***@db/acme"
    )
    by_socket = open_store(f"postgresql+psycopg:///acme?host=pg&{secrets}")
    assert by_socket.name == "postgresql+psycopg:///acme?host=pg"


def test_a_password_with_an_at_sign_written_as_it_is_shows_nowhere() -> None:
    with pytest.raises(StoreError, match="cannot be read") as refused:
        open_store("postgresql+psycopg://app:Pg@S3cretPw@127.0.0.1/t1")
    assert "S3cret" not in str(refused.value)
