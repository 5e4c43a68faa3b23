"""The words of the opt-out pages, as data: one YAML file a language, in `page_texts/`, named by its BCP 47 tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tactful.flows.source import read

_FOLDER = files("tactful.engine.optout").joinpath("page_texts")

ENGLISH = "en"
OTHER_TAGS: Mapping[str, str] = {"no": "nb", "nn": "nb", "sh": "sr-latn", "hbs": "sr-latn"}
"""Tags of languages that have no file of their own, and whose words their readers read."""

_LONGEST_HEADER = 200


class PageTexts(BaseModel):
    """The words of all pages in one language: short sentences that any reader understands. None names anybody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str = Field(min_length=1, description="What the language calls itself.")
    stop_title: str = Field(min_length=1, description="The page a link leads to asks this.")
    stop_text: str = Field(min_length=1, description="What the button does.")
    stop_button: str = Field(min_length=1)
    still_come: str = Field(min_length=1, description="Where only marketing is stopped.")
    more: str = Field(min_length=1, description="The way to the choices.")
    choose_title: str = Field(min_length=1, description="The page with choices asks this; the next six answer it.")
    sender: str = Field(min_length=1)
    email: str = Field(min_length=1)
    sms: str = Field(min_length=1)
    whatsapp: str = Field(min_length=1)
    push: str = Field(min_length=1)
    everything: str = Field(min_length=1)
    choose_button: str = Field(min_length=1)
    done_title: str = Field(min_length=1, description="It is done: they are on the list.")
    done_text: str = Field(min_length=1)
    again_text: str = Field(min_length=1, description="Before the button for the way back.")
    again_button: str = Field(min_length=1)
    back_title: str = Field(min_length=1, description="They are off the list again.")
    back_text: str = Field(min_length=1)
    off_title: str = Field(min_length=1, description="The way back ends at an entry of other origin.")
    off_text: str = Field(min_length=1)
    unknown_title: str = Field(min_length=1, description="For a link that is none of ours, or of nobody any more.")
    unknown_text: str = Field(min_length=1)


@lru_cache(maxsize=1)
def languages() -> Mapping[str, str]:
    """The tags of all languages there are (`pt`, `sr-Latn`), by their lower-case spelling."""
    names = sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml"))
    return {name.lower(): name for name in names}


@lru_cache(maxsize=64)
def page_texts(language: str) -> PageTexts:
    """The words in one of the `languages`, by its tag; the same object every time."""
    file = _FOLDER.joinpath(f"{language}.yaml")
    document, problems = read(f"page_texts/{file.name}", file.read_bytes())
    if document is None or problems:
        raise ValueError("\n".join(problem.render() for problem in problems))
    return PageTexts.model_validate(document.data)


def language_of(attributes: Mapping[str, Any], accepted: str | None) -> str:
    """The language to speak to somebody: what is known of them (their attribute `language` or `locale`), else what
    their browser asks for (`Accept-Language`), else English."""
    wanted = [str(attributes[name]) for name in ("language", "locale") if attributes.get(name)]
    for tag in (*wanted, *_by_preference(accepted or "")):
        if found := _matching(tag):
            return found
    return ENGLISH


def _matching(tag: str) -> str | None:
    """The language there is for a tag: its own, or that of its beginning (`de-AT` reads `de`)."""
    parts = tag.partition(".")[0].replace("_", "-").strip().lower().split("-")[:4]
    for length in range(len(parts), 0, -1):
        name = "-".join(parts[:length])
        if found := languages().get(OTHER_TAGS.get(name, name)):
            return found
    return None


def _by_preference(accepted: str) -> Iterator[str]:
    """The tags of an `Accept-Language` header, the dearest first. What is no number weighs nothing."""
    weighed = []
    for part in accepted[:_LONGEST_HEADER].split(","):
        tag, _, weight = part.partition(";")
        number = weight.strip().removeprefix("q=").strip()
        weighed.append((_number(number) if weight else 1.0, tag))
    return (tag for weight, tag in sorted(weighed, key=lambda each: -each[0]) if weight > 0)


def _number(text: str) -> float:
    plain = text.replace(".", "", 1)
    return min(float(text), 1.0) if plain.isascii() and plain.isdigit() else 0.0
