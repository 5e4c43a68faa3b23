"""The rules of countries, as data: one YAML file a country, in `countries/`. None holds unless a project enables it.

They are a help, and no advice: what a law asks of you, a file cannot know.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from tactful.elements.contract import QuietHours
from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import did_you_mean
from tactful.engine.rules.countries import CountryRules
from tactful.flows.header import QuietHoursOptions
from tactful.flows.source import read

_FOLDER = files("tactful.engine.optout").joinpath("countries")


class UnknownCountry(LookupError):
    """There are no rules of this name; the message says which may have been meant."""


class Country(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, description="The country, as it stands in a sentence.")
    source: str = Field(min_length=1, description="Where this is written, and what it leaves out.")
    countries: frozenset[str] = Field(min_length=1, description="ISO 3166 codes of those who live there.")
    calling_codes: tuple[str, ...] = Field(min_length=1, description="How the numbers of the country begin.")
    shares: frozenset[str] = Field(frozenset(), description="Countries with the same calling code and other rules.")
    channels: frozenset[str] = Field(min_length=1, description="The channels they hold for.")
    quiet_hours: QuietHoursOptions = Field(description="When no marketing may arrive, where the contact is.")
    keywords: str | None = Field(None, description="The pack of keywords every two-way sender must understand.")
    keep_history: Duration | None = Field(None, description="How long the history of an opt-out is kept at least.")


@lru_cache(maxsize=1)
def country_names() -> tuple[str, ...]:
    """The names of all rules there are, in the order of the alphabet."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")))


@lru_cache(maxsize=64)
def country(name: str) -> Country:
    """The rules of this name, as they are written. Raises UnknownCountry."""
    if name not in country_names():
        meant = did_you_mean(name, country_names())
        raise UnknownCountry(f"there are no rules of `{name[:60]}`" + (f"; did you mean `{meant}`?" if meant else ""))
    document, problems = read(f"countries/{name}.yaml", _FOLDER.joinpath(f"{name}.yaml").read_bytes())
    if document is None or problems:
        raise ValueError("\n".join(problem.render() for problem in problems))
    return Country.model_validate(document.data)


def rules_of(name: str) -> CountryRules:
    """The same, as the check of a message has them. Raises UnknownCountry."""
    found = country(name)
    hours = found.quiet_hours
    return CountryRules(
        name, found.title, found.countries, found.calling_codes, found.channels,
        QuietHours(hours.start.minutes, hours.end.minutes), found.shares,
    )  # fmt: skip
