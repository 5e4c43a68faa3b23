"""`POST /v1/inbound`: a message that came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Len
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, WithJsonSchema

from tactful.engine.addresses import BadAddress
from tactful.engine.api.fields import NO_NUL, Address, Asked, Body, Name, SenderName, Time, bounded
from tactful.engine.api.keys import needs
from tactful.engine.api.problem import Problem
from tactful.engine.api.strict import StrictRoute
from tactful.engine.optout.inbox import Inbound, Received, UnknownSender, inbox_of

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

MOST_HEADERS, LONGEST_NAME, LONGEST_VALUE = 500, 200, 10_000

Headers = Annotated[
    dict[Annotated[str, bounded(LONGEST_NAME)], Annotated[str, bounded(LONGEST_VALUE, 0)]],
    Len(0, MOST_HEADERS),
    # Made by itself, the description would forget what names may be.
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_HEADERS,
            "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME, "pattern": NO_NUL},
            "additionalProperties": {"type": "string", "maxLength": LONGEST_VALUE, "pattern": NO_NUL},
        }
    ),
]


class InboundMessage(Body):
    """A message that came in."""

    sender: SenderName = Field(description="Which of the project's senders was answered.", examples=["+447700900123"])
    address: Address = Field(alias="from", description="Who wrote, in any spelling.", examples=["+447700900456"])
    text: Annotated[str, bounded(100_000, 0)] = Field(description="What it says.", examples=["STOP"])
    headers: Headers = Field(
        default_factory=dict,
        description="An email's headers, decoded, such as `Subject` and `Auto-Submitted`: machines opt nobody out.",
        examples=[{"Subject": "Re: Spring tea"}],
    )
    id: Name | None = Field(
        None, description="The provider's own id of it: told twice, it is received once.", examples=["SM4f1e"]
    )
    at: Time | None = Field(None, description="When it came; without it, now. What is still to come counts as now.")


class InboundOptions(Asked):
    """How it is received."""

    dry_run: bool = Field(False, description="Only say what would be decided, and do nothing.")


class Decided(BaseModel):
    """What the keyword rules made of a message."""

    decision: Literal["block", "unblock", "review", "none"] | None = Field(
        description="`block` and `unblock` changed the Do Not Contact list; `review` waits for a person. null where "
        "the message was received before."
    )
    keyword: str | None = Field(description="The word that decided.")
    rule: dict[str, Any] | None = Field(description="The rule that decided, as it stands in the project file.")
    level: Literal["any_sender", "this_sender"] | None = Field(description="How far a block goes.")
    normalised: str | None = Field(description="The message as it was compared.")
    why: str | None = Field(description="Why it was so decided, in a sentence.")
    number: int | None = Field(description="The number it is kept under; null with `dry_run`.")
    known: bool = Field(description="Whether a message of this id was received before: then nothing was done.")


def inbound_routes(engine: Engine, project: Project, clock: Clock) -> APIRouter:
    """The routes for messages that come in."""
    router = APIRouter(prefix="/v1", tags=["inbound"], route_class=StrictRoute)
    inbox = inbox_of(engine, project)

    @router.post("/inbound", dependencies=needs("inbound"), operation_id="receive")
    def receive(message: InboundMessage, options: Annotated[InboundOptions, Query()]) -> Decided:
        """Receive a message that came in, such as STOP.

        The keyword rules of the project decide, as `tactful inbound` does. When this is answered, it is committed.
        """
        came = Inbound(message.sender, message.address, message.text, message.headers, message.id, message.at)
        try:
            received = Received(0, inbox.look(came)) if options.dry_run else inbox.receive(came, clock.now())
        except UnknownSender:
            raise Problem(422, errors=[("body.sender", f"the project has no sender {message.sender!r}")]) from None
        except BadAddress as bad:
            raise Problem(422, errors=[("body.from", str(bad))]) from None
        return _decided(received)

    return router


def _decided(received: Received) -> Decided:
    decision = received.decision
    said: Mapping[str, Any] = dict.fromkeys(("decision", "keyword", "rule", "level", "normalised", "why"))
    if decision is not None:
        rule = decision.rule and decision.rule.model_dump(exclude_none=True, exclude_defaults=True)
        said = {
            "decision": decision.decision, "keyword": decision.keyword, "rule": rule, "level": decision.level,
            "normalised": decision.normalised, "why": decision.why,
        }  # fmt: skip
    return Decided(**said, number=received.number or None, known=received.known)
