"""What all option values that are written as one text have in common."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, NoReturn, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from tactful.elements.options.mistake import Mistake


class NameUse(NamedTuple):
    """A name used in a condition or a template: `contact.country` is root `contact`, name `country`.

    `path` is everything after the root (`event.cart.total`: `("cart", "total")`); `name` its first part,
    empty where the root stands alone (`opt_out_link`). `at` is the offset in the text; `line` and `column`
    count from 1.
    """

    root: str
    name: str
    path: tuple[str, ...]
    at: int
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return ".".join((self.root, *self.path))


class Written:
    """An immutable value read from `text`; two are equal when they were written alike.

    A subclass implements `parse` and fills its slots with `_set`. As a pydantic field it takes the text or an
    instance, and its schema is that of a string with the subclass's `FORMAT` and `EXAMPLES`.
    """

    __slots__ = ("text",)

    KIND: ClassVar[str]
    """What it is, in an error: "a duration"."""
    FORMAT: ClassVar[str]
    """Its `format` in JSON Schema, by which an editor knows it."""
    EXAMPLES: ClassVar[tuple[str, ...]]

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text. Raises `Mistake`."""
        raise NotImplementedError

    @classmethod
    def read(cls, value: object) -> Self:
        """Read what stood in a file: text, or an instance already. Raises `Mistake` for anything else."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        raise Mistake(
            f"{cls.KIND} is written as text, not as {kind_of(value)}",
            hint=f"for example `{cls.EXAMPLES[0]}`",
            code="not-text",
        )

    def _set(self, **slots: object) -> Self:
        for name, value in slots.items():
            object.__setattr__(self, name, value)
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.text == self.text if isinstance(other, Written) else False

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.text))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).parse, (self.text,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.read, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": cls.FORMAT, "examples": list(cls.EXAMPLES)}


def kind_of(value: object) -> str:
    """What a value of a file is, in the words of someone who writes YAML: "a number", "a list"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    return type(value).__name__
