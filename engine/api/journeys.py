"""`/v1/flows/{flow}/journeys` and `/v1/journeys`: who goes into a flow, who comes out, and where somebody is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tactful.engine import reports
from tactful.engine.api.fields import LARGEST_INTEGER, MOST, Asked, Body, Name, WrittenTime, fault_in
from tactful.engine.api.keys import needs
from tactful.engine.api.problem import Problem
from tactful.engine.api.strict import StrictRoute
from tactful.engine.flowbook import UnknownFlow

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

MOST_OUT = 20
"""Contacts that one request takes out: they stand in its address, which has an end."""

FlowId = Annotated[
    Name, Path(description="The id of a published flow.", examples=["win-back"], json_schema_extra={"format": "flow"})
]
JourneyId = Annotated[int, Path(ge=1, le=LARGEST_INTEGER, description="The journey's number.", examples=[1204])]


class Entering(Body):
    """Who comes into a flow."""

    contacts: list[Name] = Field(
        min_length=1, max_length=MOST, description="Contacts, by their own ids.", examples=[["c-1001"]]
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="What `entry.` knows.", examples=[{"value": 35}]
    )  # fmt: skip


class EnteredContact(BaseModel):
    """What became of a contact's entry."""

    contact: str
    journey: int | None = Field(description="The journey that began; null where none did.")
    why: str | None = Field(description="Why none did.")


class EnteredContacts(BaseModel):
    """What became of the entries."""

    entered: int = Field(description="How many journeys began.")
    journeys: list[EnteredContact] = Field(description="One answer for each contact, in their order.")


class Leaving(Asked):
    """Who is taken out."""

    contact: list[Name] = Field(
        min_length=1, max_length=MOST_OUT, description="A contact, by their own id; may be repeated.",
        examples=[["c-1001"]],
    )  # fmt: skip


class Left(BaseModel):
    """How many journeys ended."""

    left: int


class EventReport(BaseModel):
    """Something that happened."""

    name: str
    at: WrittenTime
    data: dict[str, Any]


class MessageReport(BaseModel):
    """A message and what became of it."""

    message: str = Field(description="Its name, by which events of it are told.", examples=["1204.3"])
    flow: str
    contact: str
    element: str
    channel: str
    sender: str
    destination: str | None = Field(description="Where it went; null until it was taken to be sent.")
    purpose: str
    state: Literal[
        "queued", "held", "sending", "sent", "delivered", "failed", "suppressed", "withdrawn", "expired", "unknown"
    ]
    due_at: WrittenTime | None = Field(description="When it is tried (again).")
    taken_at: WrittenTime | None
    sent_at: WrittenTime | None
    tries: int
    why: str | None


class Step(BaseModel):
    """An element the journey came by."""

    step: int
    element: str
    exit: str | None = Field(description="By which exit it left; null where it stands now.")
    arrived_at: WrittenTime
    left_at: WrittenTime | None
    event: EventReport | None = Field(description="What ended the wait there.")
    why: str | None
    message: MessageReport | None = Field(description="What was sent there.")


class JourneyReport(BaseModel):
    """A journey, step by step."""

    id: int
    flow: str
    version: int
    contact: str
    state: Literal["active", "done", "stopped", "removed", "failed"]
    element: str | None = Field(description="Where it stands; null once it ended.")
    entered_at: WrittenTime
    arrived_at: WrittenTime
    due_at: WrittenTime | None = Field(description="Until when it waits.")
    stands_still: bool = Field(description="Whether its flow is paused.")
    ended_at: WrittenTime | None
    why: str | None
    time_zone: str | None = Field(description="The contact's own.")
    entry: EventReport = Field(description="What it began with.")
    values: dict[str, Any] = Field(description="What it remembers.")
    goals: dict[str, WrittenTime] = Field(description="The goals it reached, and when.")
    steps: list[Step]


def journey_routes(engine: Engine, project: Project, clock: Clock) -> APIRouter:
    """The routes for journeys."""
    router = APIRouter(prefix="/v1", tags=["journeys"], route_class=StrictRoute)

    @router.post("/flows/{flow}/journeys", dependencies=needs("journeys:write"), operation_id="enter")
    def enter(flow: FlowId, body: Entering) -> EnteredContacts:
        """Bring contacts into a published flow: 1 to 1,000.

        Who was in the flow before comes in again only as its `again:` allows.
        """
        if fault := fault_in(body.data):
            raise Problem(422, errors=[("body.data", fault)])
        try:
            entered = engine.host.enter(flow, body.contacts, clock.now(), body.data)
        except UnknownFlow:
            raise _no_flow(flow) from None
        journeys = [EnteredContact(contact=each.contact, journey=each.journey, why=each.why) for each in entered]
        return EnteredContacts(entered=sum(each.journey is not None for each in journeys), journeys=journeys)

    @router.delete("/flows/{flow}/journeys", dependencies=needs("journeys:write"), operation_id="take_out")
    def take_out(flow: FlowId, who: Annotated[Leaving, Query()]) -> Left:
        """Take contacts out of a flow, with their waiting messages."""
        with engine.store.read() as tx:
            if not reports.is_published(tx, flow):
                raise _no_flow(flow)
        return Left(left=engine.host.take_out(flow, who.contact, clock.now(), "taken out over the API"))

    @router.get("/journeys/{id}", dependencies=needs("journeys:read"), operation_id="journey")
    def journey(id: JourneyId) -> JourneyReport:
        """A journey: every element it came by, when, by which exit and why; and where it stands now."""
        with engine.store.read() as tx:
            found = reports.trace(tx, id)
        if found is None:
            raise Problem(404, f"there is no journey {id}")
        return JourneyReport.model_validate(found.as_json())

    return router


def _no_flow(flow: str) -> Problem:
    return Problem(404, f"no flow {flow!r} is published")
