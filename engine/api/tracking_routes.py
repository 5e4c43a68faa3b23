"""Pixels and click links: `/v/{token}.gif` and `/c/{token}`, public, without keys and without cookies.

`GET` tells the engine. `HEAD` has the same answer and is told to nobody: link checkers ask by it, who want to know that
a link works and where it leads, and no person does.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tactful.engine.senders import TrackingSender
from tactful.engine.tracking.seen import Asked, Seen

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
"""A transparent GIF of one point: 43 bytes."""

_HEADERS = {
    "Cache-Control": "no-store, max-age=0",  # a copy on the way would hide the next one who asks
    "Referrer-Policy": "no-referrer",  # a token is nobody else's business
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_NOT_FOUND = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>This link leads nowhere</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }</style>
</head>
<body>
<main>
<h1>This link leads nowhere</h1>
<p>Perhaps a part of it is missing: follow it from the message itself, or copy all of it.</p>
<p>If that does not help, please answer the message. Whoever wrote it can tell you where it was to lead.</p>
</main>
</body>
</html>
"""
_AS_IT_IS = ":/?#[]@!$&'()*+,;=%~-._"


def tracking_routes(engine: Engine, project: Project, clock: Clock) -> list[Route]:
    """The routes of pixels and click links. They answer for messages of any sender, also of one that tracks no more:
    what was sent keeps its links."""
    senders = (project.senders or {}).items()
    seen = Seen(engine, [name for name, each in senders if isinstance(each, TrackingSender) and each.count_prefetched])

    def pixel(request: Request) -> Response:
        seen.pixel(request.path_params["token"], _asked(request, clock))
        # Always the same, also for what we never wrote: it tells nothing of anybody.
        return Response(PIXEL, media_type="image/gif", headers=_HEADERS)

    def link(request: Request) -> Response:
        url = seen.link(request.path_params["token"], _asked(request, clock))
        if url is None:
            policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
            return HTMLResponse(_NOT_FOUND, 404, headers={**_HEADERS, **policy})
        return Response(status_code=302, headers={**_HEADERS, "Location": quote(url, safe=_AS_IT_IS)})

    return [Route("/v/{token:path}.gif", pixel, methods=["GET"]), Route("/c/{token:path}", link, methods=["GET"])]


def _asked(request: Request, clock: Clock) -> Asked:
    return Asked(request.method, clock.now(), {name.lower(): value for name, value in request.headers.items()})
