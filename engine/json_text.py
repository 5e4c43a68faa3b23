"""JSON text, quickly: for the many short texts of the hot path.

The standard library puts its encoder together anew for every text, which takes longer than to write most of ours; here
that is done once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder
from typing import Any

_make: Callable[..., Callable[[Any, int], tuple[str, ...]]] | None = getattr(encoder, "c_make_encoder", None)


def json_writer(*, only_ascii: bool, compact: bool, in_order: bool) -> Callable[[Any], str]:
    """What turns a value into the text that `json.dumps` makes of it. `compact` leaves white space out, `in_order`
    sorts keys, so that equal values have equal texts. It raises TypeError and ValueError as that does, but
    RecursionError for what holds itself."""
    item, key = (",", ":") if compact else (", ", ": ")
    plain = json.JSONEncoder(ensure_ascii=only_ascii, separators=(item, key), sort_keys=in_order)
    if _make is None:  # a Python whose encoder is not in C
        return plain.encode
    quoted = encoder.encode_basestring_ascii if only_ascii else encoder.encode_basestring
    pieces = _make(None, plain.default, quoted, None, key, item, in_order, False, True)
    return lambda value: "".join(pieces(value, 0))
