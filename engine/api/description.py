"""The API described (OpenAPI): what every endpoint may answer besides what it says itself."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from tactful.engine.api.problem import MEDIA_TYPE, ProblemBody

if TYPE_CHECKING:
    from fastapi import FastAPI

_ABOUT = """\
Messages that came in, the Do Not Contact list, events, contacts and journeys.

Every request brings an API key, `Authorization: Bearer KEY`, which has the scope that the endpoint names. What is
answered with 200 is committed. Every error is a problem (RFC 9457).
"""

_SAYS = {
    "400": "The body is not JSON.",
    "401": "No API key of this project was brought.",
    "403": "The API key has not the scope.",
    "404": "There is no such thing.",
    "408": "The body took too long to come.",
    "413": "The request is too large.",
    "415": "The body is not said to be JSON.",
    "422": "The request is not as it should be; `errors` say where.",
    "429": "Too many requests. Come again after so many seconds.",
    "500": "A fault of ours.",
    "503": "It cannot be done now. Come again after so many seconds.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def described(app: FastAPI) -> dict[str, Any]:
    """The description of an application, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title="tactful", version=version("tactful"), description=_ABOUT, routes=app.routes)
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                _add_problems(path, operation)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem
        app.openapi_schema = schema
    return app.openapi_schema


def _add_problems(path: str, operation: dict[str, Any]) -> None:
    statuses = {"429", "500", "503"}
    if operation.get("security"):
        statuses |= {"401", "403"}
        scopes = sorted({scope for each in operation["security"] for scope in each.get("key", ())})
        operation["security"] = [{"key": []}]
        operation["description"] = f"{operation['description']}\n\nScope: `{'`, `'.join(scopes)}`."
    if "requestBody" in operation:
        statuses |= {"400", "408", "413", "415"}
    if "requestBody" in operation or operation.get("parameters"):
        statuses |= {"422"}
    if "{" in path:
        statuses |= {"404"}
    operation["responses"].pop("422", None)
    operation["responses"].update({status: _problem(status) for status in sorted(statuses)})


def _problem(status: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": _SAYS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in ("429", "503"):
        said["headers"] = _RETRY_AFTER
    return said
