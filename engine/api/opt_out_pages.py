"""The pages behind opt-out links, `/o/{token}`: public, without keys, cookies and scripts.

`GET` asks and changes nothing, for programs that look for bad links follow every link of a message (`HEAD` does not
even look). `POST` opts out: by the button of the page, or by that of a mail program, which posts without having seen
any page (RFC 8058). A link works again and again, and a wrong one is answered kindly, always the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.parser import BytesParser
from typing import TYPE_CHECKING, get_args
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from tactful.engine.optout import pages
from tactful.engine.optout.following import How, Scope, covers_of, opt_in, opt_out, scope_of
from tactful.engine.optout.links import PATH, LinkedMessage, OptOutLinks
from tactful.engine.optout.page_languages import language_of, page_texts

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

LARGEST_BODY = 4_096
"""Bytes of a body that is read; what mail programs post has 26, or 200 in parts."""

BODY_SECONDS = 5.0
"""How long a body may take to arrive."""

_SCOPES: tuple[Scope, ...] = get_args(Scope)
_POLICY = (
    f"default-src 'none'; style-src '{pages.STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",  # the address of the page is what opts out
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def opt_out_routes(
    engine: Engine, project: Project, clock: Clock, *, body_seconds: float = BODY_SECONDS
) -> list[Route]:
    """The routes of the opt-out pages. They answer for every link that was ever sent, also where the project sends
    none any more."""
    links = OptOutLinks(engine.store, engine.do_not_contact.keyring, project.opt_out.base_url or "")
    public = _Pages(engine, project, clock, links)

    async def follow(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(headers=_HEADERS)
        said: Mapping[str, str] = {}
        if request.method == "POST":
            try:
                async with asyncio.timeout(body_seconds):
                    said = _said(request.headers.get("content-type", ""), await _body(request))
            except _TooLarge:
                return _refused("this is more than an opt-out takes", 413)
            except (TimeoutError, ClientDisconnect):
                return _refused("this took too long to arrive", 408)
        return await run_in_threadpool(public.answer, request, said)

    return [Route(PATH + "{token:path}", follow, methods=["GET", "HEAD", "POST"], name="opt_out")]


class _Pages:
    def __init__(self, engine: Engine, project: Project, clock: Clock, links: OptOutLinks) -> None:
        self._engine = engine
        self._options = project.opt_out.links
        self._clock = clock
        self._links = links

    def answer(self, request: Request, said: Mapping[str, str]) -> Response:
        token = request.path_params["token"]
        with self._engine.store.read() as tx:
            message = self._links.find(tx, token)
        known = {} if message is None else message.contact.attributes
        language = language_of(known, request.headers.get("accept-language"))
        if message is None:
            return _html(pages.unknown_page(page_texts(language), language), language, 404)
        if request.method == "GET":
            return _html(self._asked(message, token, language, choices="more" in request.query_params), language)
        agent = request.headers.get("user-agent")
        return _html(self._done(message, token, language, said, agent), language)

    def _asked(self, message: LinkedMessage, token: str, language: str, *, choices: bool) -> str:
        texts = page_texts(language)
        marketing_only = covers_of(message.purpose, self._options) == "marketing"
        if not choices:
            return pages.stop_page(texts, language, token, marketing_only=marketing_only)
        chosen = scope_of(self._options)
        return pages.choose_page(texts, language, token, message.channel, chosen, marketing_only=marketing_only)

    def _done(
        self, message: LinkedMessage, token: str, language: str, said: Mapping[str, str], agent: str | None
    ) -> str:
        texts, now = page_texts(language), self._clock.now()
        if said.get("do") == "back":
            again = opt_in(self._engine, message, now, user_agent=agent)
            return pages.back_page(texts, language) if again else pages.off_page(texts, language)
        scope, how = _meant(said)
        opt_out(self._engine, message, self._options, now, scope=scope, how=how, user_agent=agent)
        return pages.done_page(texts, language, token)


def _meant(said: Mapping[str, str]) -> tuple[Scope | None, How]:
    """What a POST asks for, and how. Whatever it holds, it was posted to where people opt out: one that is not
    understood is taken for the plain no."""
    if said.get("List-Unsubscribe", "").lower() == "one-click":
        return None, "one-click"
    for scope in _SCOPES:
        if said.get("do") == "choose" and said.get("what") == scope:
            return scope, "preferences"
    return None, "page"


def _html(page: str, language: str, status: int = 200) -> Response:
    return HTMLResponse(page, status, headers={**_HEADERS, "Content-Language": language})


def _refused(why: str, status: int) -> Response:
    return PlainTextResponse(why + "\n", status, headers={**_HEADERS, "Connection": "close"})


# --- What is posted ------------------------------------------------------------------------------


class _TooLarge(Exception):
    """More is sent than is read."""


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise _TooLarge
    return body


def _said(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form in either encoding (RFC 8058, 3.2); of what is neither, none."""
    if not content_type.lower().startswith("multipart/form-data"):
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace")
    said = {}
    for part in BytesParser().parsebytes(head + body).walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and not part.is_multipart():
            value = part.get_payload(decode=True)
            said[name] = value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else ""
    return said
