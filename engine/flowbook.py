"""The flows the engine runs: which are published, and every version that a journey still runs on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from tactful.elements.contract import Element
from tactful.engine.rules.situation import LiveFlow, LiveFlows
from tactful.engine.store.statements import Query, table
from tactful.engine.store.tables import FlowRow, FlowVersion, SwitchRow
from tactful.flows.load import load_sources
from tactful.flows.model import Flow
from tactful.flows.problem import Problem

FLOW, FLOW_VERSION, SWITCH = table(FlowRow), table(FlowVersion), table(SwitchRow)

LIVE = "live"
PAUSED = "paused"  # nobody enters, journeys stand still
FINISHING = "finishing"  # nobody enters, journeys go on to their end
STOPPED = "stopped"  # nobody enters, nobody is inside

NOTING = "noting "
"""Before the number of a flow: the switch that says that those in its segment are still being noted, and how far
that came. Until it is done nobody enters."""

_changes = Query(select(SWITCH.c.number).where(SWITCH.c.name == "flows"))  # asked in every transaction


class FlowGone(Exception):
    """A stored version of a flow cannot be loaded any more. The message says why, and quotes nothing of the flow: it
    may stand in the log. `problems` say more."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class UnknownFlow(Exception):
    """There is no published flow of that name."""


class WrongState(Exception):
    """A flow cannot do that from the state it is in; the message says which."""


@dataclass(frozen=True, slots=True)
class _Page:
    """The published flows as they were at one time, `at` counting their changes."""

    at: int
    live: LiveFlows
    number: dict[str, int]
    name: dict[int, str]
    state: dict[str, str]


class Flowbook:
    """Flows by version, and the published ones. Read again only when the database says they changed.

    One per host, refreshed in its transactions. Threads share it: what it holds is replaced whole, and never by
    something older, which a reader may see that began before another thread's change.
    """

    def __init__(self, catalogue: Mapping[str, type[Element]]) -> None:
        self._catalogue = catalogue
        self._versions: dict[int, Flow] = {}
        self._page = _Page(-1, LiveFlows.of(()), {}, {}, {})

    @property
    def at(self) -> int:
        """How often they had changed when they were read."""
        return self._page.at

    @property
    def live(self) -> LiveFlows:
        """The published flows."""
        return self._page.live

    @property
    def number(self) -> dict[str, int]:
        """Flow id -> the flow's number in the database."""
        return self._page.number

    @property
    def name(self) -> dict[int, str]:
        """The other way."""
        return self._page.name

    @property
    def state(self) -> dict[str, str]:
        """Flow id -> `live`, `paused`, `finishing` or `stopped`."""
        return self._page.state

    def number_of(self, flow: str) -> int:
        """A flow's number in the database. Raises UnknownFlow."""
        if flow not in self.number:
            raise UnknownFlow(flow)
        return self.number[flow]

    def must_be(self, flow: str, allowed: Collection[str]) -> None:
        """Raises WrongState where a flow's state is none of these."""
        is_now = self.state[flow]
        if is_now not in allowed:
            raise WrongState(f"flow {flow} is {is_now}; only one that is {' or '.join(sorted(allowed))} can do that")

    def refresh(self, tx: Connection) -> int:
        """Read the published flows again if they changed since; how often they had, as this transaction sees it: one
        that only reads may see less than is known already. Raises FlowGone."""
        changes = next((int(row[0]) for row in _changes.rows(tx)), 0)
        if changes <= self._page.at:
            return changes
        rows = list(tx.execute(select(FLOW.c.number, FLOW.c.id, FLOW.c.version, FLOW.c.state)))
        noting = set(tx.scalars(select(SWITCH.c.name).where(SWITCH.c.name.startswith(NOTING))))
        live = LiveFlows.of(
            LiveFlow(
                self.version(tx, version),
                version,
                enters=state == LIVE and f"{NOTING}{number}" not in noting,
                moves=state != PAUSED,
                watches=state in (LIVE, PAUSED),
            )
            for number, _, version, state in rows
        )
        page = _Page(
            changes,
            live,
            {id: number for number, id, _, _ in rows},
            {number: id for number, id, _, _ in rows},
            {id: state for _, id, _, state in rows},
        )
        if page.at > self._page.at:
            self._page = page
        return changes

    def keep(self, version: int, flow: Flow) -> None:
        """A version that was just committed, as it was loaded: it need not be loaded again from what was stored."""
        self._versions[version] = flow

    def version(self, tx: Connection, version: int) -> Flow:
        """A version of a flow, loaded once from the sources stored with it."""
        found = self._versions.get(version)
        if found is None:
            sources = tx.scalar(select(FLOW_VERSION.c.sources).where(FLOW_VERSION.c.id == version))
            if sources is None:
                raise FlowGone(f"there is no flow version {version} in the database")
            loaded = load_sources(dict(json.loads(sources)), self._catalogue)
            if loaded.flow is None:
                why = ", ".join(problem.in_short() for problem in loaded.errors)
                raise FlowGone(f"flow version {version} does not load any more: {why}", loaded.errors)
            found = self._versions[version] = loaded.flow
        return found
