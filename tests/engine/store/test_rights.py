"""On PostgreSQL the engine runs as a role that owns nothing, with the rights that docs/deploy.md lists and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import URL, make_url
from tests.engine.test_kill import CLOCK, Mailbox, Project, _run_to_the_end, mailbox

from tactful.engine.store.database import Store, StoreError, open_store
from tactful.engine.workers import Worker

if TYPE_CHECKING:
    from tests.conftest import Server

__all__ = ["mailbox"]  # the fixture

DEPLOY = Path(__file__).parents[3] / "docs" / "deploy.md"


def rights(database: str | None) -> str:
    """What docs/deploy.md says, for a database of another name."""
    said = re.search(r"```sql\n(CREATE ROLE tactful .*?)```", DEPLOY.read_text(encoding="utf-8"), re.DOTALL)
    assert said is not None
    return said[1].replace("ON DATABASE tactful ", f"ON DATABASE {database} ")


@pytest.fixture
def admin(postgresql: Server) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The server's own user, in a database whose tables another owns."""
    url = make_url(postgresql.new_database())
    with psycopg.connect(shown(url.set(drivername="postgresql")), autocommit=True) as admin:
        admin.execute("CREATE ROLE tactful_owner LOGIN")
        admin.execute("DROP SCHEMA public CASCADE")
        admin.execute("CREATE SCHEMA public AUTHORIZATION tactful_owner")
        admin.execute(f"REVOKE ALL ON DATABASE {url.database} FROM PUBLIC")
        admin.execute(f"GRANT CONNECT ON DATABASE {url.database} TO tactful_owner")
        with closing(open_store(shown(url.set(username="tactful_owner")))) as store:
            store.lay_out()
        admin.execute(rights(url.database).encode())
        yield admin
        admin.execute("DROP OWNED BY tactful, tactful_owner CASCADE")
        admin.execute("DROP ROLE tactful, tactful_owner")


@pytest.fixture
def url(admin: psycopg.Connection[tuple[object, ...]]) -> str:
    """The address, for the role that owns nothing."""
    host, name = admin.info.host, admin.info.dbname
    return shown(URL.create("postgresql+psycopg", "tactful", database=name, query={"host": host}))


def shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def test_a_daemon_does_all_it_has_to_do(url: str, tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    project = Project(tmp_path, mailbox[1], "at_least_once", url)
    with closing(project.engine):
        project.begin(12)
        _run_to_the_end(project, done=0, seconds=60)
        assert project.states() == {"done": 12}
        assert project.blocked() > 0


def test_what_is_laid_out_later_it_may_use_too(admin: psycopg.Connection[tuple[object, ...]], url: str) -> None:
    admin.execute("SET ROLE tactful_owner")
    admin.execute("CREATE TABLE later (id serial PRIMARY KEY)")
    admin.execute("SET ROLE tactful")
    assert admin.execute("INSERT INTO later DEFAULT VALUES RETURNING id").fetchall() == [(1,)]
    admin.execute("RESET ROLE")


def begin_to_work(store: Store) -> None:
    store.lay_out()
    Worker(store, CLOCK, "harbour 1").join()


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        (
            "ALL ON ALL SEQUENCES IN SCHEMA public",
            r"on all sequences; .* \(permission denied for sequence worker_id_seq",
        ),
        (
            "ALL ON ALL TABLES IN SCHEMA public",
            r"`SELECT, INSERT, UPDATE, DELETE` on all tables .* \(permission denied",
        ),
        ("ALL ON SCHEMA public", "has no schema that this user may use"),
    ],
)
def test_what_it_lacks_is_named(admin: psycopg.Connection[tuple[object, ...]], url: str, lacks: str, says: str) -> None:
    admin.execute(f"REVOKE {lacks} FROM tactful".encode())
    with closing(open_store(url)) as store, pytest.raises(StoreError, match=says):
        begin_to_work(store)


def test_to_change_the_schema_is_for_its_owner(url: str) -> None:
    says = r"only who owns them may lay it out or change its schema \(must be owner of table contact\)"
    with closing(open_store(url)) as store, pytest.raises(StoreError, match=says), store.write() as tx:
        tx.exec_driver_sql("ALTER TABLE contact ADD COLUMN another text")
