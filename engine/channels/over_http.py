"""What connectors over HTTP share: one request for each message, and what may be said of it.

    connect, TLS                      nothing was sent            trouble: try later, and so for the rest of the batch
    the request, up to its answer     the provider may have it    the line goes dead, or too slow: unknown
    the answer                        it says                     what its own words mean is each connector's affair

Connections stay open from one message to the next. Redirects are not followed: who knows where to, with a secret.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tactful.engine.channels import Outcome, Outgoing, Refused, Unknown, without_addresses
from tactful.engine.senders import is_this_machine

if TYPE_CHECKING:
    import httpx

    from tactful.elements.contract import Instant, MessageKey

CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 65_536
LONGEST_RETRY_AFTER_MS = 86_400_000

_FAILED = frozenset({500, 501, 503, 505})
"""The provider itself says that it did not do it. With any other 5xx it may be a gateway that speaks, and that knows
nothing of what the one behind it did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered. `said` is its JSON, None where it is none; the wait it asks for is in milliseconds."""

    status: int
    said: Any
    retry_after_ms: int | None


class Line:
    """A way to one provider. `headers` carry the login; `secrets` are what no text of ours may show."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str], secrets: Sequence[str], timeout_seconds: float
    ) -> None:
        self._base_url = base_url
        self._headers = dict(headers)
        self._secrets = tuple(secrets)
        self._timeout_seconds = timeout_seconds
        self._client: httpx.Client | None = None
        self._lock = Lock()

    def post(self, path: str, content: bytes, now: Instant) -> Answer | Refused | Unknown:
        """Send one request, and wait for its answer."""
        import httpx

        try:
            with self._opened().stream("POST", self._base_url + path, content=content) as response:
                said = b""
                for piece in response.iter_raw():
                    said += piece
                    if len(said) > LARGEST_ANSWER:
                        return Unknown("the provider's answer is far too long")
            return Answer(response.status_code, _json(said), _retry_after(response.headers.get("Retry-After"), now))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            return Refused(f"cannot connect to {self._host}: {self._reason(error)}", final=False, down=True)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL):
            return Refused(
                "the request could not be put together; are the sender's settings right?", final=False, down=True
            )
        except httpx.TimeoutException:
            return Unknown(f"no answer from the provider within {self._timeout_seconds:g} seconds")
        except httpx.HTTPError:
            return Unknown("the connection broke before the provider had answered")

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def cleaned(self, said: object, destination: str) -> str:
        """What a provider said, fit to be kept and shown: without addresses, and without our secrets."""
        return without_addresses(str(said), destination, secrets=self._secrets)

    @property
    def _host(self) -> str:
        return urlsplit(self._base_url).netloc

    def _opened(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    # No compression: an answer is short, and what unpacks to gigabytes is none.
                    headers={**self._headers, "Accept": "application/json", "Accept-Encoding": "identity"},
                    timeout=httpx.Timeout(self._timeout_seconds, connect=min(CONNECT_SECONDS, self._timeout_seconds)),
                    verify=ssl.create_default_context(),
                    follow_redirects=False,
                    trust_env=not is_this_machine(urlsplit(self._base_url).hostname),  # for a proxy
                )
            return self._client

    def _reason(self, error: Exception) -> str:
        import httpx

        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"its certificate does not hold: {cause.verify_message}"
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.TimeoutException):
            return "no answer"
        return without_addresses(str(error) or type(error).__name__, secrets=self._secrets)


def carry(batch: Sequence[Outgoing], post: Callable[[Outgoing], Outcome]) -> Iterator[tuple[MessageKey, Outcome]]:
    """Post the messages of a batch in order, none before the outcome of the last was taken; none when it is down."""
    down: Refused | None = None
    for message in batch:
        outcome = post(message) if down is None else down
        if isinstance(outcome, Refused) and outcome.down:
            down = outcome
        yield message.key, outcome


def by_status(answer: Answer, why: str, login: str) -> Outcome:
    """The outcome of a message by the status alone, where the provider says nothing that tells more.

    `why` is what it said, cleaned; `login` names the settings that a login is made of. A status in the 200s that
    comes here is one whose text makes no sense.
    """
    status, later = answer.status, answer.retry_after_ms
    if 200 <= status < 300:
        return Unknown("the provider's answer to the message made no sense")
    if 300 <= status < 400:
        return Refused(f"the provider answered {status}, a redirect; is `base_url` right?", final=False, down=True)
    if status in (401, 403, 407):
        return Refused(f"the provider answered {status}; is {login} right?", final=False, down=True)
    if status in (404, 405, 410):
        return Refused(f"the provider answered {status}; is `base_url` right?", final=False, down=True)
    if status in (408, 425, 429, 503):
        return Refused(why, final=False, retry_after_ms=later, down=True)
    if status in _FAILED:
        return Refused(why, final=False, retry_after_ms=later)
    if 400 <= status < 500:
        return Refused(why, final=True)
    return Unknown(why)


def sendable(text: str) -> bytes | None:
    """A text as it is sent; None for one with halves of characters in it, which nobody can send."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


NOT_SENDABLE = Refused("there are characters in it that cannot be sent", final=True)


def _json(said: bytes) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return None


def _retry_after(written: str | None, now: Instant) -> int | None:
    """The wait that a `Retry-After` header asks for, in seconds or until a date; at most a day."""
    if written is None:
        return None
    if written.isascii() and written.isdigit():
        wait = int(written[:9]) * 1000
    else:
        try:
            wait = int(parsedate_to_datetime(written).timestamp() * 1000) - now
        except (ValueError, OverflowError):
            return None
    return min(wait, LONGEST_RETRY_AFTER_MS) if wait > 0 else None
