"""The log says what happens, and nothing of whom it happens to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError
from tests.engine.test_kill import CLOCK, Mailbox, mailbox

from tactful.elements import catalogue
from tactful.engine.compose import open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.log import without_values
from tactful.engine.store.database import StoreError, open_store
from tactful.flows.load import load_sources

__all__ = ["mailbox"]  # the fixture

ADDRESS, NAME, TEXT = "zdenka.tajna@example.com", "Zdenka-Tajna", "strictly confidential greeting"
FLOW = f"""
flow: quiet
settings: {{sender: {{email: news@acme.example}}}}
elements:
  offer: {{type: send_email, subject: "{TEXT} {{{{ contact.first_name }}}}", text: "{TEXT}", next: note}}
  note: {{type: update_contact, set: {{first_name: '"{NAME} II"'}}}}
"""
PROJECT = """
database: "{url}"
senders:
  news@acme.example: {{channel: email, via: smtp, host: 127.0.0.1, port: {port}}}
"""
TROUBLE = {
    "sqlite": (
        "create trigger trouble before update on {table} begin select raise(abort, 'trouble'); end",
        "sqlite3.IntegrityError",
    ),
    "postgresql": (
        "alter table {table} add constraint trouble check (false) not valid",  # its error quotes the whole row
        "psycopg.errors.CheckViolation",
    ),
}
"""What makes each change of a table an error of the database's, and its name."""


@pytest.mark.parametrize("table", ["message", "contact"])
def test_a_daemon_in_trouble_tells_nothing_of_its_contacts(
    tmp_path: Path, mailbox: tuple[Mailbox, int], url: str, table: str
) -> None:
    (tmp_path / "tactful.yaml").write_text(PROJECT.format(url=url, port=mailbox[1]))
    engine = open_engine(url)
    flow = load_sources({"flow.yaml": FLOW}, catalogue())
    assert flow.flow is not None, [problem.render() for problem in flow.problems]
    engine.lifecycle.publish(flow.flow, CLOCK.now())
    put_contacts(engine.host, [ContactFields(ADDRESS, ADDRESS, attributes={"first_name": NAME})], CLOCK.now())
    engine.host.enter("quiet", [ADDRESS], CLOCK.now(), {"said": TEXT})
    with engine.store.write() as tx:
        # What is taken, or changed in a contact, cannot be written: the database is given it, and fails.
        trouble, error = TROUBLE[tx.dialect.name]
        tx.exec_driver_sql(trouble.format(table=table))
    engine.close()
    command = [str(Path(sys.executable).with_name("tactful")), "serve", "--project", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "failed" in line:
            process.send_signal(signal.SIGTERM)
            break
    said.append(process.communicate(timeout=60)[1])
    text = "".join(said)
    failed = [each for each in map(json.loads, text.splitlines()) if "failed" in each["event"]]
    assert failed, text
    assert error in failed[0]["exception"]
    assert "in deliver" in failed[0]["exception"], "where it happened is said"
    for secret in (ADDRESS, NAME, TEXT, "zdenka", "tajna"):
        assert secret.lower() not in text.lower(), text


def test_an_exception_is_told_without_its_words() -> None:
    def fails() -> None:
        try:
            int(ADDRESS)
        except ValueError as error:
            raise KeyError(NAME) from error

    with pytest.raises(KeyError) as raised:
        fails()
    for exc_info in (raised.value, (raised.type, raised.value, raised.tb)):
        event = without_values(None, "error", {"event": "it failed", "exc_info": exc_info})
        assert set(event) == {"event", "exception"}
        assert "builtins.ValueError\nand from that:\n" in event["exception"]
        assert event["exception"].endswith("builtins.KeyError")
        assert ADDRESS not in event["exception"]
        assert NAME not in event["exception"]


def test_what_is_wrong_with_the_database_is_said() -> None:
    event = without_values(None, "error", {"event": "it failed", "exc_info": StoreError("the database is full")})
    assert event["exception"].endswith("StoreError: the database is full")


def test_errors_of_a_database_do_not_hold_what_it_was_given(url: str) -> None:
    with (
        closing(open_store(url)) as store,
        pytest.raises(DBAPIError, match=r"no such table|does not exist") as raised,
        store.write() as tx,
    ):
        tx.execute(sql("insert into nowhere values (:who)"), {"who": ADDRESS})
    assert ADDRESS not in str(raised.value)
