"""Options that name sends of the same flow: `message: offer`, or `message: [offer, offer_b]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from tactful.elements.options.mistake import Mistake
from tactful.elements.options.written import kind_of

if TYPE_CHECKING:
    from tactful.elements.contract import Message, Visit


class SendRef(str):
    """The id of a send in the same flow. Whether there is one by this name is checked on loading the flow."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(read_ref, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "tactful-send"}


def read_ref(value: object) -> SendRef:
    """Read the id of a send. Raises `Mistake` for what is not text."""
    if isinstance(value, str) and value.strip():
        return SendRef(value.strip())
    raise Mistake(
        f"here stands the name of a send in this flow, not {kind_of(value)}",
        hint="for example `offer`",
        code="not-text",
    )


def read_refs(value: object) -> tuple[SendRef, ...]:
    """Read one id or a list of ids, none of them twice. Raises `Mistake`."""
    if not isinstance(value, list | tuple):
        return (read_ref(value),)
    refs = tuple(read_ref(one) for one in value)
    if not refs:
        raise Mistake("the list of sends is empty", hint="name one, or leave the option out", code="empty")
    if len(set(refs)) < len(refs):
        twice = next(ref for ref in refs if refs.count(ref) > 1)
        raise Mistake(f"`{twice}` stands in the list twice", code="duplicate")
    return refs


class _OneOrMore:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(read_refs)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one = {"type": "string", "format": "tactful-send"}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}]}


SendRefs = Annotated[tuple[SendRef, ...], _OneOrMore]
"""One send or several, written as a name or a list of names; always a tuple once read, never empty."""


def newest_sent(refs: tuple[SendRef, ...], visit: Visit) -> Message | None:
    """Of the messages these sends sent in this journey, the one that was sent last; None where none was sent
    yet.

    A message given back here has a `sent_at`.
    """
    newest: Message | None = None
    for ref in refs:
        message = visit.messages.get(ref)
        if message is None or message.sent_at is None:
            continue
        # At the same millisecond, the later step is the later send.
        if newest is None or (message.sent_at, message.step) > (newest.sent_at or 0, newest.step):
            newest = message
    return newest
