"""What machines that look after machines ask.

    GET /healthz     whether this process works: 200, or 503 and start it anew
    GET /readyz      whether it can do what it is for: 200, or 503 and send it nothing for now
    GET /metrics     figures for Prometheus

They say nothing of contacts, but whom a project sends as and how much: keep them from the public.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.health import Health, Readiness, health, ready
from tactful.engine.http_options import Webhook
from tactful.engine.pulse import Pulse
from tactful.engine.store.database import StoreError

if TYPE_CHECKING:
    from tactful.engine.metrics import Metrics

_NEVER_KEPT = {"Cache-Control": "no-store"}


def health_routes(
    engine: Engine,
    clock: Clock,
    metrics: Metrics | None = None,
    pulse: Pulse | None = None,
    webhooks: Sequence[Webhook] = (),
) -> list[Route]:
    """The three routes. `metrics` is what counts in this process, `pulse` that of its daemon, where it has one;
    `webhooks` are those of the project."""

    async def healthz(_: Request) -> Response:  # and so wants no thread: all may be taken
        return _answer(health(clock, pulse))

    def readyz(_: Request) -> Response:
        return _answer(ready(engine, clock, pulse, metrics))

    def figures(_: Request) -> Response:
        from tactful.engine.metrics import CONTENT_TYPE, metrics_text

        try:
            return Response(
                metrics_text(engine, clock, metrics, webhooks), media_type=CONTENT_TYPE, headers=_NEVER_KEPT
            )
        except StoreError as error:
            return PlainTextResponse(f"{error}\n", status_code=503)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", figures)]


def _answer(found: Health | Readiness) -> Response:
    return JSONResponse(asdict(found), status_code=200 if found.ok else 503, headers=_NEVER_KEPT)
