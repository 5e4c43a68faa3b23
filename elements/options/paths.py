"""The paths of an element that decides: names chosen by the writer of the flow, each of which becomes an
exit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from tactful.elements.options.condition import Condition
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.words import matches, normalise
from tactful.elements.options.written import kind_of

RESERVED = frozenset({"end", "otherwise", "happened", "timed_out", "not_sent"})
"""Names no path may have: they mean something already."""

_NAME = re.compile(r"\w[\w-]*")


def _path_name(name: str) -> str:
    if name in RESERVED:
        raise Mistake(f"`{name}` is a reserved name", hint="give the path another one", code="reserved-name")
    if not _NAME.fullmatch(name):
        raise Mistake(f"`{name}` cannot name a path", hint="letters, digits, `-` and `_`", code="bad-name")
    return name


PathName = Annotated[str, AfterValidator(_path_name)]
"""The name of a path: letters, digits, `-` and `_`, and not one of the reserved names."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that choose a path of `wait_for_reply`, matched as the keywords of opt-outs are. Never
    empty."""

    words: tuple[str, ...]

    def said_in(self, text: str) -> str | None:
        """The first of the words a text says (see `words.matches`), or None."""
        return matches(text, self.words)

    def __str__(self) -> str:
        return ", ".join(self.words)


class _WordsOrCondition:
    """Reads a list as words, a text as a condition. One reader, so that a mistake is reported once."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(read_answer)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        words = {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1}
        return {"anyOf": [words, {"type": "string", "format": Condition.FORMAT}]}


def read_answer(value: object) -> Words | Condition:
    """Read `[yes, ok]` as words, a text as a condition. Raises `Mistake`."""
    if isinstance(value, Words | Condition):
        return value
    if isinstance(value, list | tuple):
        if not value:
            raise Mistake("the list of words is empty", hint="for example `[yes, ok]`", code="empty")
        return Words(tuple(_word(one) for one in value))
    if isinstance(value, str) and re.fullmatch(r"\s*[^\W\d]\w*\s*", value):
        raise Mistake(f"`{value}` is no condition", hint=f"a word is written `[{value.strip()}]`", code="bad-condition")
    return Condition.read(value)


def _word(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        hint = "put it in quotes" if isinstance(value, bool | float) else None
        raise Mistake(f"here stands a word, not {kind_of(value)}", hint=hint, code="not-text")
    word = str(value).strip()
    if not word:
        raise Mistake("an empty word is said by nothing", code="empty")
    return word


Answer = Annotated[Words | Condition, _WordsOrCondition]
"""What chooses a path of `wait_for_reply`: a list of words, or a condition on the reply."""


def word_given_twice(paths: Mapping[str, Words | Condition]) -> tuple[str, str, str] | None:
    """The first word that stands in two paths, with the names of both; None where there is none."""
    owners: dict[str, str] = {}
    for name, answer in paths.items():
        if isinstance(answer, Words):
            for word in answer.words:
                owner = owners.setdefault(normalise(word) or word, name)
                if owner != name:
                    return word, owner, name
    return None
