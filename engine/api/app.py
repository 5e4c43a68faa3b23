"""The API put together: routes, keys, limits, problems and their description (OpenAPI)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
from fastapi import FastAPI

from tactful.engine.api.contacts import contact_routes
from tactful.engine.api.description import described
from tactful.engine.api.do_not_contact import do_not_contact_routes
from tactful.engine.api.events import event_routes
from tactful.engine.api.health import health_routes
from tactful.engine.api.inbound import inbound_routes
from tactful.engine.api.journeys import journey_routes
from tactful.engine.api.keys import Keys
from tactful.engine.api.limits import Bodies, Crowd, Door, Rates
from tactful.engine.api.problem import answer_with_problems
from tactful.engine.api.public import public_routes
from tactful.engine.http_options import Http

if TYPE_CHECKING:
    from starlette.routing import Route

    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

THREADS = 32
"""Requests that are worked on at once. More would not be quicker, since connections are few. Those that tell events
wait without a thread (`telling.py`)."""


def create_app(
    engine: Engine,
    project: Project,
    clock: Clock,
    keys: Keys,
    changed: Callable[[], None] = lambda: None,
    watched: Sequence[Route] = (),
) -> FastAPI:
    """The API, and the public pages where the project gives them no address of their own. `changed` is called after
    each request that may have changed something; `watched` are further routes, which need no key."""
    http = project.http or Http()
    app = _framed(project, clock, keys, changed)
    for routes in (inbound_routes, do_not_contact_routes, event_routes, contact_routes, journey_routes):
        app.router.routes.extend(routes(engine, project, clock).routes)
    app.router.routes.extend(health_routes(engine, clock).routes)
    app.router.routes.extend(watched)
    if http.public is None:
        app.router.routes.extend(public_routes(engine, project, clock))
    return app


def create_public_app(
    engine: Engine, project: Project, clock: Clock, changed: Callable[[], None] = lambda: None
) -> FastAPI:
    """The public pages alone, for an address of their own."""
    app = _framed(project, clock, Keys(), changed, openapi=None)
    app.router.routes.extend(public_routes(engine, project, clock))
    return app


def create_watch_app(watched: Sequence[Route]) -> FastAPI:
    """What machines that look after machines ask, alone, for an address of its own: nothing there is refused for what
    others ask of the API."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    answer_with_problems(app)
    app.router.routes.extend(watched)
    return app


def _framed(
    project: Project, clock: Clock, keys: Keys, changed: Callable[[], None], openapi: str | None = "/openapi.json"
) -> FastAPI:
    limits = (project.http or Http()).limits
    app = FastAPI(
        title="tactful",
        openapi_url=openapi,
        docs_url=None,  # their pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_few_threads,
    )
    answer_with_problems(app)
    # The last one added is the outermost.
    app.add_middleware(Bodies, most_bytes=limits.megabytes * 1_000_000)
    app.add_middleware(Door, keys=keys, rates=Rates(limits, clock))
    app.add_middleware(Crowd, changed=changed)
    app.openapi = partial(described, app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _few_threads(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
