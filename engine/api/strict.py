"""Routes whose bodies are JSON that every reader reads alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from tactful.engine.api.problem import Problem


class StrictRoute(APIRoute):
    """A route whose bodies are said to be JSON, and are: without NaN, and no name twice in one object."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            read = _StrictRequest(request.scope, request.receive)
            if takes_body and await read.body() and not _is_json(read.headers.get("content-type", "")):
                raise Problem(415, "send JSON, and say so: `Content-Type: application/json`")
            return await handle(read)

        return strict


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return json.loads(await self.body(), parse_constant=_no_number, object_pairs_hook=_each_once)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            said = str(error) if isinstance(error, _Unclear) else "it cannot be read"
            raise Problem(400, f"the body is not JSON: {said}") from None


class _Unclear(ValueError):
    """JSON that readers read differently."""


def _no_number(written: str) -> NoReturn:
    raise _Unclear(f"{written} is not a number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unclear("a name stands twice in one object")
    return found
