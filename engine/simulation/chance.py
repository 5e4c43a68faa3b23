"""Numbers that look drawn, and are the same for the same question for ever.

Every draw is a hash of what it is for: the seed, the contact, their journey, the step. So nothing depends on the order
in which things are asked, and a rate that changes, or an element that is new, moves none of the other draws: two
versions of a flow are tried on people who do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log
from struct import Struct
from typing import Any

ONE = 1 << 32
"""A draw is a whole number from 0 up to this."""

_question = Struct("<6q").pack
_one = Struct("<I").unpack_from
_LOG_TWO, _LOG_ONE = log(2), log(ONE)


def lot(seed: int, what: int, who: int, which: int = 0, step: int = 0, more: int = 0) -> bytes:
    """Sixteen draws in a lump, for what is named by these numbers: `first` and `one` take them out."""
    return blake2b(_question(seed, what, who, which, step, more)).digest()


def first(many: int) -> Callable[[bytes], Sequence[int]]:
    """What takes so many draws out of a lot, from the beginning."""
    return Struct(f"<{many}I").unpack_from


def one(drawn: bytes, at: int) -> int:
    """One draw out of a lot, from 0 to 15."""
    draw: int = _one(drawn, 4 * at)[0]
    return draw


_all = first(16)


def numbers(seed: int, what: int, who: int, which: int = 0, step: int = 0, more: int = 0) -> Sequence[int]:
    """Sixteen draws, for what is named by these numbers."""
    return _all(lot(seed, what, who, which, step, more))


def below(share: float) -> int:
    """The bound that a draw is below with this likelihood."""
    return round(share * ONE)


def after(median: int) -> Callable[[int], int]:
    """From a draw, how long somebody takes (in ms, 1 or more): half of them take no longer than the median, a few take
    many times that, as waiting times do (an exponential distribution)."""
    mean = median / _LOG_TWO
    return lambda draw: 1 + int((_LOG_ONE - log(draw + 0.5)) * mean)


def longest(median: int) -> int:
    """The longest that `after` ever says."""
    return after(median)(0)


class Choice:
    """One of several, by weight."""

    __slots__ = ("_bounds", "_of")

    def __init__(self, weights: Sequence[tuple[Any, float]]) -> None:
        total = sum(weight for _, weight in weights)
        so_far = 0.0
        self._of = [value for value, _ in weights]
        self._bounds: list[float] = []
        for _, weight in weights:
            so_far += weight
            self._bounds.append(so_far / total * ONE)

    def __call__(self, draw: int) -> Any:
        """The one this draw means."""
        for value, bound in zip(self._of, self._bounds, strict=True):
            if draw < bound:
                return value
        return self._of[-1]
