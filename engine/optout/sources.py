"""Where opt-outs come from, by kind. The source of an entry names a flow's element, a file or a keyword; counts cannot
go by so many names."""

from __future__ import annotations

from functools import lru_cache

KEYWORD, LINK, FLOW, PROVIDER = "keyword", "link", "flow", "provider"
COMPLAINT, BOUNCE, IMPORT, BY_HAND, API, OTHER = "complaint", "bounce", "import", "person", "api", "other"

_WHOLE = {
    "an answer, read as an opt-out": KEYWORD,
    "opt-out link": LINK,
    "opt-out told by another system": PROVIDER,
    "complaint": COMPLAINT,
    "hard bounce": BOUNCE,
    "a person": BY_HAND,
}
_BY_FIRST_WORD = {
    "keyword": KEYWORD, "flow": FLOW, "Infobip": PROVIDER, "Twilio": PROVIDER, "import": IMPORT, "API": API
}  # fmt: skip


@lru_cache(maxsize=1024)
def kind_of(source: str) -> str:
    """The kind of a source, as an entry of the Do Not Contact list has it."""
    return _WHOLE.get(source) or _BY_FIRST_WORD.get(source.partition(" ")[0], OTHER)
