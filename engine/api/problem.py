"""Errors as the API tells them: problem details (RFC 9457), `application/problem+json`, for every one of them.

A fault of ours says that it is one, and nothing more: what happened stands in the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from tactful.engine.api.wording import worded
from tactful.engine.flowbook import FlowGone
from tactful.engine.store.database import StoreError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute

MEDIA_TYPE = "application/problem+json"
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Those of RFC 9110 where older Pythons know the words of its forerunners."""

MOST_FAULTS = 100
"""Faults named in one answer."""

log = structlog.get_logger()


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="Where: `body.events[3].name`, `query.channel`.", examples=["body.events[3].name"])
    why: str = Field(description="What is wrong with it.", examples=["it is missing"])


class ProblemBody(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(
        description="`about:blank`: the status says what kind of problem it is.", examples=["about:blank"]
    )
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="The status.", examples=[404])
    detail: str | None = Field(None, description="What is wrong, and what to do.")
    errors: list[Fault] | None = Field(None, description=f"What is wrong with the request, the first {MOST_FAULTS}.")


class Problem(HTTPException):
    """What is wrong with a request; `errors` are the faults in it, each where it is and why."""

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail or "", headers)
        self.errors = tuple(errors)


def response_to(problem: HTTPException) -> Response:
    """A problem as it is answered."""
    errors = problem.errors if isinstance(problem, Problem) else ()
    return Response(
        written(problem.status_code, problem.detail or None, errors),
        problem.status_code,
        {**(problem.headers or {}), "cache-control": "no-store"},
        MEDIA_TYPE,
    )


def written(status: int, detail: str | None = None, errors: Sequence[tuple[str, str]] = ()) -> bytes:
    """The body of a problem. In ASCII: what is quoted in it may be half a character."""
    said: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
    }
    if detail and detail != said["title"]:
        said["detail"] = detail
    if errors:
        said["errors"] = [{"where": where, "why": why} for where, why in errors[:MOST_FAULTS]]
    return json.dumps(said).encode("ascii")


def answer_with_problems(app: FastAPI) -> None:
    """Have all errors of an application answered as problems."""

    def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            error = Problem(405, None, headers={"allow": ", ".join(_methods(request))})
        return response_to(error)

    def unfit(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response_to(_as_problem(error))

    def broken(request: Request, error: Exception) -> Response:
        log.error("a request could not be answered", why=str(error))
        return unusable(request, error)

    def unusable(request: Request, error: Exception) -> Response:
        return response_to(Problem(503, "the database cannot be used now; try again", headers={"retry-after": "10"}))

    def fault(request: Request, error: Exception) -> Response:
        return response_to(Problem(500))  # the server logs it

    app.add_exception_handler(HTTPException, told)
    app.add_exception_handler(RequestValidationError, unfit)
    app.add_exception_handler(StoreError, unusable)
    app.add_exception_handler(FlowGone, broken)
    app.add_exception_handler(Exception, fault)


def _as_problem(error: RequestValidationError) -> Problem:
    faults = error.errors()
    for each in faults:
        if each["type"] == "json_invalid":
            return Problem(
                400, f"the body is not JSON: {each['ctx']['error'].lower()} at character {each['loc'][-1] + 1}"
            )
    return Problem(422, "the request is not as it should be", [_fault(each) for each in faults])


def _fault(found: Mapping[str, Any]) -> tuple[str, str]:
    return _place(found["loc"]), worded(found["type"], found.get("ctx", {}))


def _place(path: Sequence[int | str]) -> str:
    written = ""
    for part in path:
        shown = f"[{part}]" if isinstance(part, int) else f".{str(part)[:100]}"
        written += shown if written else shown.removeprefix(".")
    return written


def _methods(request: Request) -> list[str]:
    """The methods there are for a path: several routes may share it, and each knows only its own."""
    app: Starlette = request.app
    found = {method for route in app.routes for method in _methods_of(route, request)}
    return sorted(found)


def _methods_of(route: BaseRoute, request: Request) -> set[str]:
    here = route.matches(request.scope)[0] is not Match.NONE
    return set(getattr(route, "methods", None) or ()) if here else set()
