"""The history of a destination as a chain: each act carries a hash of itself and of the one before it. Pure.

Whoever changes an act afterwards, slips one in or takes one out of the middle breaks the chain from there on, and
`tactful dnc verify` says where. What a chain cannot show is an end that was cut off; the list as it stands is
compared with what its history comes to for that.
"""

from __future__ import annotations

from hashlib import sha256

from tactful.engine.json_text import json_writer

_written = json_writer(only_ascii=True, compact=False, in_order=False)


def chained(
    before: str,
    destination: str,
    channel: str,
    sender: str,
    covers: str,
    act: str,
    source: str,
    reason: str | None,
    at: int,
    evidence: str | None,
) -> str:
    """The hash of an act, as hexadecimal digits. `before` is that of the act before it for the same destination,
    empty for the first; `evidence` is the text it is kept as.

    What this returns is stored for years: it must stay as it is.
    """
    written = _written([before, destination, channel, sender, covers, act, source, reason, at, evidence])
    return sha256(written.encode("ascii")).hexdigest()
