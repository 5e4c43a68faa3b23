"""The public pages, which need no key: opt-out links, opens and clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import Route

    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project


def public_routes(engine: Engine, project: Project, clock: Clock) -> list[Route]:
    """All of them, for one server beside the API or one of their own."""
    return []
