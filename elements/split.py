"""The element `split`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from typing import Annotated, ClassVar

from pydantic import Field

from tactful.elements.contract import Element, Family, Leave, Stay, Visit
from tactful.elements.options.paths import PathName

Weight = Annotated[float, Field(gt=0, le=1_000_000_000, allow_inf_nan=False, strict=True)]


class Split(Element):
    """Divides contacts among paths by weight, to try one thing against another.

    `paths` names the paths and their weights, which need not add up to 100: `{a: 1, b: 1}` is half and half.
    The name of a path is the exit it leaves by.

    The same contact always takes the same path, however often they come by. Who takes which depends on the
    flow's id and on the name of this element, so two splits divide independently; renaming either, or
    changing the weights, deals people out anew.

    Example:
        which_subject:
          type: split
          paths: {short: 50, long: 50}
          next: {short: offer_short, long: offer_long}
    """

    exits: ClassVar[tuple[str, ...]] = ()
    family: ClassVar[Family] = "decide"

    paths: Mapping[PathName, Weight] = Field(
        min_length=1, description="The paths by name, each with its weight, a positive number."
    )

    def ways_out(self) -> tuple[str, ...]:
        return tuple(self.paths)

    def summary(self) -> str:
        return " / ".join(f"{weight:g}" for weight in self.paths.values())

    def enter(self, visit: Visit) -> Leave | Stay:
        return self.path_of(visit.flow, visit.element, visit.contact.key)

    def path_of(self, flow: str, element: str, contact: str) -> Leave:
        """The way out of a contact (by their own id), at this element of a flow."""
        ends, leaves = self._shares
        # The lengths keep ("ab", "c") apart from ("a", "bc").
        name = f"{len(flow)}:{len(element)}:{flow}{element}{contact}"
        drawn = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=7).digest())
        # 7 bytes: below 2**56; a float holds the upper 53 bits of it, and the quotient is below 1.
        return leaves[bisect_right(ends, (drawn >> 3) / 2**53 * ends[-1], hi=len(ends) - 1)]

    @cached_property
    def _shares(self) -> tuple[tuple[float, ...], tuple[Leave, ...]]:
        """Where each path's share ends, on a line as long as all weights together; and how it is left by."""
        return tuple(accumulate(self.paths.values())), tuple(Leave(name) for name in self.paths)
