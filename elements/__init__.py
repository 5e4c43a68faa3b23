"""The node types of a flow, one file for each YAML word; imports nothing else of tactful.

`catalogue()` gives them all by their word, those of other installed packages too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tactful.elements.contract import Element

GROUP = "tactful.elements"
"""The entry points by which a package adds elements: the name is the YAML word, the value the class."""

_WORD = re.compile(r"[a-z][a-z0-9_]*")


class BadElement(Exception):
    """An element cannot be taken into the catalogue; the message names it, where it comes from, and why."""


def catalogue() -> Mapping[str, type[Element]]:
    """All elements by their YAML word: ours first, then those of installed packages, each in alphabetical
    order.

    Reads the folder and the installed packages anew each time; keep what it returns and pass it on. It cannot
    be changed. Raises `BadElement` for a word that two packages claim, and for what is no element.
    """
    found = dict(_ours())
    origin = dict.fromkeys(found, "tactful")
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        package = _package_of(point)
        if point.name in found:
            raise BadElement(f"two packages have an element `{point.name}`: {origin[point.name]} and {package}")
        found[point.name] = _load(point)
        origin[point.name] = package
    return MappingProxyType(found)


def _ours() -> Mapping[str, type[Element]]:
    from tactful.elements.contract import Element  # not above: its options are imported through this package

    found: dict[str, type[Element]] = {}
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        if module.ispkg or module.name == "contract" or module.name.startswith("_"):
            continue
        name = f"{__name__}.{module.name}"
        here = [
            value
            for value in vars(import_module(name)).values()
            if isinstance(value, type) and issubclass(value, Element) and value.__module__ == name
        ]
        if len(here) != 1:
            raise BadElement(f"{name} holds {len(here)} elements; one file is one element")
        found[module.name] = here[0]
    return found


def _load(point: EntryPoint) -> type[Element]:
    from tactful.elements.contract import Element

    said = f"the element `{point.name}` of {_package_of(point)}"
    if not _WORD.fullmatch(point.name):
        raise BadElement(f"{said} has no proper name: lower-case letters, digits and `_`")
    try:
        element = point.load()
    except Exception as error:  # it is anybody's code
        raise BadElement(f"{said} cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(element, type) and issubclass(element, Element)):
        raise BadElement(f"{said}: `{point.value}` is no subclass of tactful.elements.contract.Element")
    return element


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]


__all__ = ["GROUP", "BadElement", "catalogue"]
