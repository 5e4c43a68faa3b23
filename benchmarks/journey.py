"""The standard journey on the engine, phase by phase: what a contact costs in processor time.

    enter (by event) -> send -> wait for `opened` up to 24 h -> opened: end
                                                             -> timed out: Do Not Contact -> end

A quarter of the contacts open. Visits, the event log and the evidence of the Do Not Contact list are written as always.
No provider is called and nothing is rendered: those belong to whoever sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time

from tactful.elements import catalogue
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.host import BATCH
from tactful.engine.incoming import Incoming
from tactful.engine.outbox import Settled, Taken
from tactful.flows.load import load_sources

NOW = 1_772_442_000_000
DAY = 86_400_000
SENDER = "news@acme.example"
FLOW = f"""
flow: standard
entry: {{event: began}}
settings: {{sender: {{email: {SENDER}}}}}
elements:
  offer: {{type: send_email, subject: S, text: T, next: opened}}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 24 hours
    next: {{happened: end, timed_out: unopened}}
  unopened: {{type: add_to_do_not_contact, channel: email}}
"""

PHASES = ("enter", "take", "sent", "opens", "timeouts")


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of processor time a contact, by phase."""

    phases: dict[str, float]

    @property
    def whole(self) -> float:
        """All phases together."""
        return sum(self.phases.values())


def open_with(url: str, *flows: str) -> Engine:
    """A database with flows published."""
    engine = open_engine(url)
    for each in flows:
        flow = load_sources({"flow.yaml": each}, catalogue()).flow
        assert flow is not None
        engine.lifecycle.publish(flow, NOW)
    return engine


def bring(engine: Engine, contacts: int, behind: int = 0) -> None:
    """Put in the contacts `behind + 1` … `behind + contacts`, who have not entered yet."""
    numbers = range(behind + 1, behind + contacts + 1)
    put_contacts(engine.host, [ContactFields(f"c{n}", f"c{n}@example.com") for n in numbers], NOW)


def run(engine: Engine, contacts: int, behind: int = 0, spent: Callable[[], float] = process_time) -> Costs:
    """Take the contacts `behind + 1` … `behind + contacts` through the whole journey. `spent` tells how much
    processor time was used, in seconds."""
    phases: dict[str, float] = {}

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        began = spent()
        yield
        phases[name] = (spent() - began) * 1e6 / contacts

    began = [Incoming("began", f"c{n}", data={"value": 35}) for n in range(behind + 1, behind + contacts + 1)]
    with phase("enter"):
        engine.host.tell(began, NOW)
    with phase("take"):
        taken = list(_taken(engine))
    outcomes = [Settled(each.key, "sent") for each in taken]
    with phase("sent"):
        engine.outbox.settle(outcomes, NOW)
    opened = [Incoming("opened", message=each.key) for each in taken[::4]]
    with phase("opens"):
        engine.host.tell(opened, NOW + 1_000)
    with phase("timeouts"):
        _until_nothing(lambda: engine.host.tick(NOW + DAY))
    return Costs(phases)


def _taken(engine: Engine) -> Iterator[Taken]:
    while messages := engine.outbox.take(SENDER, NOW, BATCH).messages:
        yield from messages


def _until_nothing(step: Callable[[], int]) -> None:
    while step():
        pass


def check(engine: Engine, contacts: int) -> None:
    """That every journey ended as it should have: three in four by their time, and on the list."""
    with engine.store.read() as tx:
        done = tx.exec_driver_sql("select count(*) from journey where state = 'done'").scalar()
        listed = tx.exec_driver_sql("select count(*) from block").scalar()
        visits = tx.exec_driver_sql("select count(*) from visit").scalar()
    opened = -(-contacts // 4)
    assert (done, listed, visits) == (contacts, contacts - opened, 3 * contacts - opened), (done, listed, visits)
