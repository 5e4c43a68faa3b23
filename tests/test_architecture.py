"""The architecture, held: engine -> flows -> elements, a pure core, one file for each thing.

Sources are parsed, never imported, so that an import inside a function or under TYPE_CHECKING counts as well.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("elements", "flows", "engine")

# What a folder may never import.
FORBIDDEN = {
    "elements/": ("tactful.flows", "tactful.engine"),
    "flows/": ("tactful.engine",),
}

# Where the core is pure, and all of tactful that it may import.
PURE = {
    "engine/interpreter.py": ("tactful.elements", "tactful.flows"),
    "engine/rules/": (
        "tactful.elements",
        "tactful.flows",
        "tactful.engine.rules",
        "tactful.engine.interpreter",
    ),
}

# What of the standard library computes only: no clock, no chance, no files, no network, no threads.
# fmt: off
PURE_STDLIB = frozenset({
    "__future__", "abc", "bisect", "calendar", "collections", "copy", "dataclasses", "datetime", "decimal",
    "enum", "fractions", "functools", "graphlib", "hashlib", "heapq", "itertools", "json", "math", "operator",
    "re", "string", "types", "typing", "unicodedata", "zoneinfo",
})
# fmt: on

VAGUE = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"})


def inside(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the packages or lies within one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def module_of(path: str) -> str:
    """The dotted name of a file, once installed: "flows/load.py" is "tactful.flows.load"."""
    return "tactful." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Every import as (line, dotted name); `from a import b` counts as "a.b", for b may be a module."""
    package = module_of(path).split(".")
    if not path.endswith("/__init__.py"):
        package.pop()
    for node in ast.walk(ast.parse(source, path)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = package[: len(package) - level + 1] if level else []
                base = ".".join([*start, *([module] if module else [])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def arrows(path: str, source: str) -> Iterator[str]:
    """Imports against the direction engine -> flows -> elements."""
    for folder, forbidden in FORBIDDEN.items():
        if path.startswith(folder):
            for line, name in imports(path, source):
                if inside(name, forbidden):
                    yield f"{path}:{line}: {folder} must not import {name}"


def impurities(path: str, source: str) -> Iterator[str]:
    """Whatever the pure core imports beyond what it may."""
    for place, allowed in PURE.items():
        if path == place or (place.endswith("/") and path.startswith(place)):
            for line, name in imports(path, source):
                if not inside(name, allowed) and name.partition(".")[0] not in PURE_STDLIB:
                    yield f"{path}:{line}: the pure core must not import {name}"


def graph_library_elsewhere(path: str, source: str) -> Iterator[str]:
    """networkx outside the one file that knows it."""
    if path != "flows/graph.py":
        for line, name in imports(path, source):
            if inside(name, ("networkx",)):
                yield f"{path}:{line}: only flows/graph.py imports networkx"


def bare_names(path: str, source: str) -> Iterator[str]:
    """Our folders imported without `tactful.`: the module would exist twice."""
    for line, name in imports(path, source):
        if inside(name, PACKAGES):
            yield f"{path}:{line}: write tactful.{name}"


def vague_names(path: str, source: str) -> Iterator[str]:
    """Modules and folders named for nothing in particular."""
    for part in Path(path).with_suffix("").parts:
        if VAGUE & set(part.lower().split("_")):
            yield f"{path}: {part!r} says nothing about what is in it"


def missing_docstrings(path: str, source: str) -> Iterator[str]:
    """Public modules that do not say what they are."""
    name = Path(path).stem
    if (name == "__init__" or not name.startswith("_")) and not ast.get_docstring(ast.parse(source, path)):
        yield f"{path}: a module begins with a docstring"


def element_classes(source: str, bases: frozenset[str]) -> list[str]:
    """The classes of a source that descend from one of `bases`, in their order."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            parents = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            if parents & {*bases, *found}:
                found.append(node.name)
    return found


def kinds_of_element() -> frozenset[str]:
    """`Element`, and what elements/contract.py derives from it to be derived from further."""
    contract = ROOT / "elements" / "contract.py"
    source = contract.read_text(encoding="utf-8") if contract.exists() else ""
    return frozenset({"Element", *element_classes(source, frozenset({"Element"}))})


def misnamed_elements(path: str, source: str) -> Iterator[str]:
    """Files in elements/ that are not exactly one element named alike: send_email.py holds SendEmail."""
    file = Path(path)
    if file.parent != Path("elements") or file.stem == "contract" or file.stem.startswith("_"):
        return
    found = element_classes(source, kinds_of_element())
    if len(found) != 1:
        yield f"{path}: one file is one element, here are {found or 'none'}"
    elif found[0].lower() != file.stem.replace("_", ""):
        yield f"{path}: the file's name is the YAML word, so {found[0]} lives elsewhere"


Rule = Callable[[str, str], Iterator[str]]
RULES: tuple[Rule, ...] = (
    arrows,
    impurities,
    graph_library_elsewhere,
    bare_names,
    vague_names,
    missing_docstrings,
    misnamed_elements,
)


def named(rule: Rule) -> str:
    return rule.__name__


def sources(*folders: str) -> dict[str, str]:
    """Python files by path from the root, with "/" on every system."""
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.py"))
    }


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_rule_holds(rule):
    found = sources(*PACKAGES)
    assert {path.partition("/")[0] for path in found} == set(PACKAGES), "the folders must not be empty"
    assert [violation for path, source in found.items() for violation in rule(path, source)] == []


@pytest.mark.parametrize("rule", [bare_names, vague_names], ids=named)
def test_rule_holds_beside_the_packages(rule):
    found = sources("tests", "examples", "benchmarks")
    assert [violation for path, source in found.items() for violation in rule(path, source)] == []


def test_every_spelling_of_an_import_is_seen():
    assert list(imports("engine/rules/turn.py", "from . import entry")) == [(1, "tactful.engine.rules.entry")]
    assert list(imports("engine/rules/turn.py", "from ..store import rows")) == [(1, "tactful.engine.store.rows")]
    assert list(imports("flows/__init__.py", "from .graph import Flow")) == [(1, "tactful.flows.graph.Flow")]
    assert list(imports("flows/load.py", "def f():\n    import a.b as c")) == [(2, "a.b")]


ELEMENT = "from tactful.elements.contract import Element\nclass {}(Element): ...\n"


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (arrows, "elements/branch.py", "import tactful.flows.condition"),
        (arrows, "elements/options/zone.py", "def f():\n    from tactful import engine"),
        (arrows, "elements/branch.py", "from ..flows import condition"),
        (
            arrows,
            "flows/load.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tactful.engine",
        ),
        (arrows, "flows/load.py", "import importlib\nimportlib.import_module('tactful.engine.host')"),
        (impurities, "engine/interpreter.py", "from tactful.engine import clock"),
        (impurities, "engine/interpreter.py", "from .rules import turn"),
        (impurities, "engine/rules/permission.py", "import sqlalchemy as sa"),
        (impurities, "engine/rules/permission.py", "from tactful.engine.store import rows"),
        (impurities, "engine/rules/permission.py", "from time import time"),
        (impurities, "engine/rules/permission.py", "import random"),
        (graph_library_elsewhere, "flows/checks.py", "from networkx.algorithms import dag"),
        (bare_names, "engine/host.py", "from flows.load import load"),
        (bare_names, "tests/test_host.py", "import engine"),
        (vague_names, "flows/utils.py", ""),
        (vague_names, "engine/common/time_zones.py", ""),
        (vague_names, "engine/job_manager.py", ""),
        (missing_docstrings, "engine/host.py", "import json"),
        (missing_docstrings, "engine/rules/__init__.py", ""),
        (misnamed_elements, "elements/send_email.py", ELEMENT.format("SendSms")),
        (
            misnamed_elements,
            "elements/send_email.py",
            ELEMENT.format("SendEmail") + "class Wait(SendEmail): ...",
        ),
        (misnamed_elements, "elements/send_email.py", "'''None.'''"),
    ],
)
def test_violation_is_seen(rule, path, source):
    assert len(list(rule(path, source))) == 1


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (arrows, "elements/branch.py", "from tactful.elements.contract import Element"),
        (arrows, "flows/load.py", "from tactful import elements"),
        (arrows, "engine/host.py", "from tactful.flows.load import load"),
        (impurities, "engine/interpreter.py", "from tactful.flows.model import Flow"),
        (impurities, "engine/rules/turn.py", "from tactful.engine import interpreter\nfrom . import entry"),
        (
            impurities,
            "engine/rules/turn.py",
            "from collections.abc import Mapping\nfrom datetime import datetime",
        ),
        (impurities, "engine/host.py", "import sqlalchemy"),
        (graph_library_elsewhere, "flows/graph.py", "import networkx as nx"),
        (bare_names, "engine/host.py", "import tactful.engine.store"),
        (vague_names, "engine/commonmark.py", ""),
        (missing_docstrings, "engine/_private.py", ""),
        (misnamed_elements, "elements/send_email.py", ELEMENT.format("SendEmail")),
        (misnamed_elements, "elements/send_sms.py", ELEMENT.format("SendSMS")),
        (misnamed_elements, "elements/contract.py", "class Element: ..."),
        (misnamed_elements, "elements/options/quiet_hours.py", "class Hours: ..."),
    ],
)
def test_what_is_right_passes(rule, path, source):
    assert list(rule(path, source)) == []
