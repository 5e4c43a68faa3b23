"""`GET /health`: whether the API can answer, for whoever watches over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text

from tactful.engine.running import is_running

if TYPE_CHECKING:
    from tactful.engine.compose import Engine


class Health(BaseModel):
    """How it stands."""

    status: Literal["ok"]
    runner: bool = Field(description="Whether a runner works on the database, here or in another process.")


def health_routes(engine: Engine) -> APIRouter:
    """The route for whoever watches over it."""
    router = APIRouter(tags=["health"])

    @router.get("/health", operation_id="health")
    def health() -> Health:
        """Answers as long as the database can be read. It needs no key."""
        with engine.store.read() as tx:
            tx.execute(text("SELECT 1 FROM flow LIMIT 1"))
        return Health(status="ok", runner=is_running(engine.store.path))

    return router
