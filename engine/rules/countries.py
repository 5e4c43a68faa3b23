"""What the rules of a country ask of marketing messages that go there. Pure; the rules themselves are data."""

from __future__ import annotations

from dataclasses import dataclass

from tactful.elements.contract import QuietHours


@dataclass(frozen=True, slots=True)
class CountryRules:
    """The rules of one country, where the project enabled them.

    They hold for messages on `channels` to numbers that begin with one of `calling_codes` (`+1`), and to contacts whose
    `country` is one of `countries`. Countries in `shares` have the same calling code and other rules: a number of
    theirs is told by the contact's `country` alone. `quiet` are the hours in which no marketing may arrive, on the
    clock where the contact is.
    """

    name: str
    title: str
    countries: frozenset[str]
    calling_codes: tuple[str, ...]
    channels: frozenset[str]
    quiet: QuietHours
    shares: frozenset[str] = frozenset()

    def hold_for(self, channel: str, destination: str, country: str | None) -> bool:
        """Whether they hold for a message. In doubt they do: a number says little of where its owner is."""
        if channel not in self.channels:
            return False
        if country in self.countries:
            return True
        return destination.startswith(self.calling_codes) and country not in self.shares


def country_code(written: object) -> str | None:
    """A contact's `country` as two capital letters; None where it is anything else."""
    code = written.strip().upper() if isinstance(written, str) else ""
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None
