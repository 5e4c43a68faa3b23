"""What answers without an API key: opt-out pages, pixels and click links, and what providers tell, each of which is
trusted for what it carries: a signed link, a signature, a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tactful.engine.api.opt_out_pages import opt_out_routes
from tactful.engine.api.provider_routes import provider_routes
from tactful.engine.api.tracking_routes import tracking_routes

if TYPE_CHECKING:
    from starlette.routing import Route

    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

TOLD_BY_GET = ("/v/", "/c/")
"""Where paths begin whose GET tells the engine something: that a message was opened, or a link in it followed."""


def public_routes(engine: Engine, project: Project, clock: Clock) -> list[Route]:
    """All of them, for one server beside the API or one of their own."""
    return [
        *opt_out_routes(engine, project, clock),
        *tracking_routes(engine, project, clock),
        *provider_routes(engine, project, clock),
    ]
