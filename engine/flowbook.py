"""The flows the engine runs: which are published, and every version that a journey still runs on."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, select

from tactful.elements.contract import Element
from tactful.engine.rules.turn import LiveFlow, LiveFlows
from tactful.engine.store.statements import table
from tactful.engine.store.tables import FlowRow, FlowVersion, SwitchRow
from tactful.flows.load import load_sources
from tactful.flows.model import Flow

FLOW, FLOW_VERSION, SWITCH = table(FlowRow), table(FlowVersion), table(SwitchRow)

LIVE = "live"
PAUSED = "paused"  # nobody enters, journeys stand still
FINISHING = "finishing"  # nobody enters, journeys go on to their end
STOPPED = "stopped"  # nobody enters, nobody is inside


class FlowGone(Exception):
    """A stored version of a flow cannot be loaded any more; the message says why."""


class Flowbook:
    """Flows by version, and the published ones. Read again only when the database says they changed.

    One per host, used inside its transactions.
    """

    def __init__(self, catalogue: Mapping[str, type[Element]]) -> None:
        self._catalogue = catalogue
        self._versions: dict[int, Flow] = {}
        self._seen = -1
        self.live = LiveFlows.of(())
        self.number: dict[str, int] = {}
        self.name: dict[int, str] = {}
        self.state: dict[str, str] = {}

    def refresh(self, tx: Connection) -> None:
        """Read the published flows again if they changed since."""
        now = int(tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == "flows")) or 0)
        if now == self._seen:
            return
        rows = list(tx.execute(select(FLOW.c.number, FLOW.c.id, FLOW.c.version, FLOW.c.state)))
        self.number = {id: number for number, id, _, _ in rows}
        self.name = {number: id for number, id, _, _ in rows}
        self.state = {id: state for _, id, _, state in rows}
        self.live = LiveFlows.of(
            LiveFlow(self.version(tx, version), version, enters=state == LIVE, moves=state != PAUSED)
            for _, _, version, state in rows
        )
        self._seen = now

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
                problems = "\n".join(problem.render() for problem in loaded.problems)
                raise FlowGone(f"flow version {version} does not load any more:\n{problems}")
            found = self._versions[version] = loaded.flow
        return found
