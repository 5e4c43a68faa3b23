"""`GET /health`: whether the API can answer, for whoever watches over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tactful.engine.workers import working

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine


class Health(BaseModel):
    """How it stands."""

    status: Literal["ok"]
    runner: bool = Field(description="Whether a runner works on the database, here or in another process.")


def health_routes(engine: Engine, clock: Clock) -> APIRouter:
    """The route for whoever watches over it."""
    router = APIRouter(tags=["health"])

    @router.get("/health", operation_id="health")
    def health() -> Health:
        """Answers as long as the database can be read. It needs no key."""
        return Health(status="ok", runner=working(engine.store, clock.now()) > 0)

    return router
