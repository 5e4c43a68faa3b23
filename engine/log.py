"""What may stand in the log: numbers of journeys and contacts, keys of messages, names of flows and senders. Nothing of
what somebody is called, where they are written to, or what is said to them: logs go to many places, and stay there.

(A contact's own id may be their address, so the log has their number.)
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

from tactful.engine.store.database import StoreError


def without_values(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what was raised is told by where and as what. The words of an exception often hold the
    value that was wrong, and those of a database all it was given; only our own about the database are kept."""
    raised = event.pop("exc_info", None)
    if isinstance(raised, tuple):
        raised = raised[1]
    elif raised and not isinstance(raised, BaseException):
        raised = sys.exc_info()[1]
    if isinstance(raised, BaseException):
        event["exception"] = "\n".join(told(raised))
    return event


def told(error: BaseException) -> Iterator[str]:
    """An exception in lines, with those it came from first."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from told(before)
        yield "and from that:"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    kind = type(error)
    words = f": {error}" if isinstance(error, StoreError) else ""
    yield f"{kind.__module__}.{kind.__qualname__}{words}"
