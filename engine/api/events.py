"""`POST /v1/events`: things that happened to contacts and to messages."""

from __future__ import annotations

import re
from asyncio import wrap_future
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from tactful.elements.contract import MessageKey
from tactful.engine.api.fields import MOST, Body, Name, Time, fault_in
from tactful.engine.api.keys import needs
from tactful.engine.api.strict import StrictRoute
from tactful.engine.incoming import OPTED_IN, OPTED_OUT, Incoming, Told

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

LONG = 20_000
"""Bytes of a body from which on it is looked at in a thread: nobody else is served meanwhile otherwise."""

_MESSAGE = re.compile(r"[1-9][0-9]{0,17}\.[1-9][0-9]{0,8}")


def _names_a_message(text: str) -> str:
    if not _MESSAGE.fullmatch(text):
        raise ValueError("it is no message's name, such as 1204.3")
    return text


MessageName = Annotated[
    str,
    AfterValidator(_names_a_message),
    WithJsonSchema({"type": "string", "pattern": f"^{_MESSAGE.pattern}$"}),
]


class ToldEvent(Body):
    """Something that happened, to a contact or to a message."""

    name: Name = Field(description="What happened.", examples=["basket_abandoned"])
    contact: Name | None = Field(None, description="Whom it happened to, by their own id.", examples=["c-1001"])
    message: MessageName | None = Field(
        None, description="Or the message it is about, for `opened`, `clicked` and the like.", examples=["1204.3"]
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="What it brings along; `event.` in conditions.", examples=[{"value": 35}]
    )
    at: Time | None = Field(None, description="When; without it, now. What is still to come counts as now.")
    id: Name | None = Field(
        None, description="Your own id of the event: told twice, it is learnt once.", examples=["order-4711-paid"]
    )


class ToldEvents(Body):
    """Events in the order they are to be learnt in."""

    events: list[ToldEvent] = Field(min_length=1, max_length=MOST)


class EventAnswer(BaseModel):
    """What became of an event."""

    state: Literal["learnt", "known", "refused"] = Field(
        description="`known`: one of this id was told before. `refused`: nothing came of it."
    )
    why: str | None = Field(description="Why it was refused.")


class EventAnswers(BaseModel):
    """What became of the events."""

    learnt: int = Field(description="How many were learnt.")
    known: int = Field(description="How many were told before.")
    refused: int = Field(description="How many were refused.")
    events: list[EventAnswer] = Field(description="One answer for each, in their order.")


def event_routes(engine: Engine, project: Project, clock: Clock) -> APIRouter:
    """The routes for events."""
    router = APIRouter(prefix="/v1", tags=["events"], route_class=StrictRoute)

    @router.post("/events", dependencies=needs("events"), operation_id="tell", response_model=EventAnswers)
    async def tell(told: ToldEvents, request: Request) -> Response:
        """Tell what happened: 1 to 1,000 events.

        When this is answered, those that were learnt are committed, with everything that followed from them. Each has
        an answer of its own; one that is refused keeps no other back. Give each an `id`, and the same request may be
        made again whenever its answer did not come.
        """
        is_long = len(await request.body()) > LONG
        refused, taken = await run_in_threadpool(_looked_at, told) if is_long else _looked_at(told)
        became = await wrap_future(engine.teller.ask(taken, clock.now()))
        learnt = iter(became)
        answers = _answers([next(learnt) if why is None else Told("refused", why) for why in refused])
        # Written here: what FastAPI is to write has to wait for a thread once more.
        return Response(answers.model_dump_json(), media_type="application/json")

    return router


def _looked_at(told: ToldEvents) -> tuple[list[str | None], list[Incoming]]:
    """For each event what keeps it from being told, if anything; and those that may be."""
    refused = [_refusal(each) for each in told.events]
    return refused, [_incoming(each) for each, why in zip(told.events, refused, strict=True) if why is None]


def _refusal(event: ToldEvent) -> str | None:
    """What keeps an event from being told at all. What it is about, the engine itself looks after."""
    if not event.name.isprintable() or not event.name.strip():
        return "an event's name is one short line of text"
    if event.name == OPTED_IN or (event.name == OPTED_OUT and event.message is None):
        return f"{event.name!r} is what the Do Not Contact list tells; change the list instead"
    return fault_in(event.data) if event.data else None


def _incoming(event: ToldEvent) -> Incoming:
    message = None if event.message is None else MessageKey.parse(event.message)
    return Incoming(event.name, event.contact, message, event.data, event.at, event.id)


def _answers(told: list[Told]) -> EventAnswers:
    states = [each.state for each in told]
    counts = {state: states.count(state) for state in ("learnt", "known", "refused")}
    return EventAnswers.model_validate({**counts, "events": [{"state": each.state, "why": each.why} for each in told]})
