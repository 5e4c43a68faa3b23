"""Ready-made keywords, as data: one YAML file a pack, in `packs/`.

What a pack holds, and the form of its file, stands at its models below. `keywords.py` says how the words are matched.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tactful.elements.options.mistake import did_you_mean
from tactful.elements.options.words import normalise, signs_of
from tactful.flows.source import read

_FOLDER = files("tactful.engine.optout").joinpath("packs")


class UnknownPack(LookupError):
    """There is no pack of this name; the message says which one may have been meant."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Data):
    """Words of one kind and one origin."""

    words: tuple[str, ...] = Field(min_length=1, description="The words, or several in a row; case does not count.")
    source: str = Field(min_length=1, description="A law, a standard, a vendor's list, a dictionary, or `judgement`.")
    conversational: bool = Field(False, description="Said in other talk too: it unblocks only who is blocked.")
    alone: bool = Field(False, description="For a person to read only where a message says nothing else.")

    @field_validator("words")
    @classmethod
    def _each_says_something(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if not normalise(word) and not signs_of(word):
                raise ValueError(f"{word!r} says nothing")
        return words


class Pack(_Data):
    """One list of keywords. `block`, `unblock` and `help` are what a whole message says, courtesy aside.

    `review` is what a person must read: said alone where it is so marked, else inside a sentence too. In its words `…`
    stands for up to five words, and a `*` at the end of one for any ending. `courtesy` changes nothing about what is
    asked; `negations` do, and are courtesy in no language while the pack is in force. With `sentences_of`, the
    `review`, `courtesy` and `negations` of another pack are this one's too.
    """

    title: str = Field(min_length=1, description="What it is, for people.")
    languages: tuple[str, ...] = Field(min_length=1, description="BCP 47 codes of the languages of its words.")
    sentences_of: str | None = Field(None, description="The pack of the same language that says the rest.")
    block: tuple[Words, ...] = Field(min_length=1)
    unblock: tuple[Words, ...] = ()
    help: tuple[Words, ...] = ()
    review: tuple[Words, ...] = ()
    courtesy: tuple[Words, ...] = ()
    negations: tuple[Words, ...] = ()


@lru_cache(maxsize=1)
def pack_names() -> tuple[str, ...]:
    """The names of all packs there are, in the order of the alphabet."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")))


@lru_cache(maxsize=64)
def pack(name: str) -> Pack:
    """The pack of this name; the same object every time. Raises UnknownPack."""
    if name not in pack_names():
        meant = did_you_mean(name, pack_names())
        raise UnknownPack(f"there is no pack `{name[:60]}`" + (f"; did you mean `{meant}`?" if meant else ""))
    file = _FOLDER.joinpath(f"{name}.yaml")
    document, problems = read(f"packs/{file.name}", file.read_bytes())
    if document is None or problems:
        raise ValueError("\n".join(problem.render() for problem in problems))
    own = Pack.model_validate(document.data)
    if own.sentences_of is None:
        return own
    other = pack(own.sentences_of)
    return own.model_copy(
        update={
            "review": own.review + other.review,
            "courtesy": own.courtesy + other.courtesy,
            "negations": own.negations + other.negations,
        }
    )
