"""Whether somebody looked, or only a program: mail filters follow links before anybody has read the message, and what
they follow must count for nothing. Pure.

A filter that passes itself off as a browser and takes its time cannot be told from a person. What is known of programs
stands as data in `machines.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from tactful.flows.source import read

AT_ONCE_MS = 2_000
"""Nobody has a message open sooner after it was sent, and filters begin as soon as they have it."""

TOGETHER_MS = 1_000
"""Nobody follows two links of one message within this time; a filter follows all of them."""

LONGEST_AGENT = 500
"""Letters of a user agent that are looked at."""

_PURPOSES = ("purpose", "sec-purpose", "x-purpose", "x-moz")
_AHEAD = ("prefetch", "prerender", "preview", "instant")


class Known(BaseModel):
    """A program, by its user agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str | None = Field(None, description="A regular expression for a part of it.")
    exactly: str | None = Field(None, description="All of it.")
    who: str = Field(description="What it is, for people.")
    source: str = Field(description="Where that can be read.")
    prefetches: bool = Field(False, description="Whether it fetches images of mail that nobody has looked at.")

    def is_it(self, agent: str) -> bool:
        """Whether this is its user agent."""
        if self.exactly is not None:
            return agent == self.exactly
        return re.search(self.agent or "", agent, re.IGNORECASE | re.ASCII) is not None


class Machines(BaseModel):
    """The programs that are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machines: tuple[Known, ...]
    proxies: tuple[Known, ...]


@lru_cache(maxsize=1)
def known_machines() -> Machines:
    """The programs that are known; the same object every time."""
    file = files("tactful.engine.tracking").joinpath("machines.yaml")
    document, problems = read(file.name, file.read_bytes())
    if document is None or problems:
        raise ValueError("\n".join(problem.render() for problem in problems))
    return Machines.model_validate(document.data)


def why_machine(
    method: str,
    headers: Mapping[str, str],
    since_sent_ms: int | None = None,
    since_other_link_ms: int | None = None,
) -> str | None:
    """Why a request for a pixel or a link is nobody's, in a few words; None where a person may stand behind it.

    The names of headers are in lower case. `since_sent_ms` is how long ago its message was sent, `since_other_link_ms`
    how long ago another link of it was followed; None where that is not known.
    """
    if method != "GET":
        return f"asked by {method}"
    for name in _PURPOSES:
        if any(ahead in headers.get(name, "").lower() for ahead in _AHEAD):
            return "fetched ahead by a browser"
    agent = _agent(headers)
    if not agent:
        return "a program that does not say what it is"
    if (who := _machine(agent)) is not None:
        return who
    if since_sent_ms is not None and abs(since_sent_ms) < AT_ONCE_MS:  # clocks differ a little
        return "asked as soon as the message was sent"
    if since_other_link_ms is not None and abs(since_other_link_ms) < TOGETHER_MS:
        return "followed together with other links"
    return None


def service(headers: Mapping[str, str]) -> Known | None:
    """The mail service that fetches an image on behalf of a person; None where it is their own program."""
    return _service(_agent(headers))


def _service(agent: str) -> Known | None:
    return next((known for known in known_machines().proxies if known.is_it(agent)), None)


def _agent(headers: Mapping[str, str]) -> str:
    return headers.get("user-agent", "").strip()[:LONGEST_AGENT]


@lru_cache(maxsize=1_000)
def _machine(agent: str) -> str | None:
    if _service(agent) is not None:
        return None
    return next((known.who for known in known_machines().machines if known.is_it(agent)), None)
