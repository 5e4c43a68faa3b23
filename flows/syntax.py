"""What YAML's parser complains of, in the words of someone who writes a flow."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

from tactful.flows.text import Source, Spot


class Explained(NamedTuple):
    """A syntax error as a problem tells it."""

    spot: Spot
    code: str
    message: str
    hint: str | None


def explain(source: Source, fault: yaml.YAMLError) -> Explained:
    """Where and why YAML cannot be read. One file has one such error at a time: nothing after it can be trusted."""
    mark = getattr(fault, "problem_mark", None)
    context_mark = getattr(fault, "context_mark", None)
    problem = str(getattr(fault, "problem", None) or fault)
    context = str(getattr(fault, "context", None) or "")
    at = min(mark.index if mark is not None else getattr(fault, "position", 0), len(source.text))
    begun = context_mark.index if context_mark is not None else at
    return _explain(source, problem, context, at, begun)


def _explain(source: Source, problem: str, context: str, at: int, begun: int) -> Explained:
    text = source.text
    here, spot, opened = text[at : at + 1], Spot(source, at), Spot(source, begun)
    line_start = text.rfind("\n", 0, at) + 1
    before = text[line_start:at]
    if here == ":" and not before.strip():
        return Explained(spot, "bad-key", "a key is missing before this `:`", None)
    if here == "\t" or "\t" in re.match(r"[ \t]*", text[line_start:]).group():  # type: ignore[union-attr]
        tab = text.find("\t", line_start)
        return Explained(Spot(source, tab), "tab", "a tab cannot indent YAML", "use spaces")
    if "quoted scalar" in context and ("end of stream" in problem or "document indicator" in problem):
        return Explained(opened, "open-quote", "the quote that begins here is never closed", None)
    if "escape" in problem:
        hint = "in double quotes `\\` begins an escape; use single quotes for text with backslashes"
        return Explained(spot, "syntax", "this is no escape that YAML knows", hint)
    if "mapping values are not allowed" in problem:
        hint = "text with a colon and a space in it wants quotes around it; or is the indentation off?"
        return Explained(spot, "syntax", "there cannot be a second `:` here", hint)
    if "could not find expected ':'" in problem:
        return Explained(
            opened if begun < at else spot,
            "syntax",
            "a key without a `:`",
            "a text of several lines wants quotes, or `|` before it",
        )
    if "flow mapping" in context or "flow sequence" in context or "flow node" in context:
        bracket, close = ("{", "}") if text[begun : begun + 1] == "{" else ("[", "]")
        if not text[at:].strip():
            return Explained(opened, "syntax", f"the `{bracket}` here is never closed", f"add a `{close}`")
        return Explained(
            spot,
            "syntax",
            f"here must be a `,` or the `{close}` for the `{bracket}` on line {opened.place.line}",
            "within brackets, a text with `,`, `[`, `]`, `{` or `}` in it wants quotes around it",
        )
    if "block mapping" in context or "did not find expected key" in problem:
        begun_at = opened.place
        hint = f"keys of the mapping of line {begun_at.line} stand in column {begun_at.column}; or is a quote missing?"
        return Explained(spot, "syntax", "this is neither a key of the mapping above nor part of its last value", hint)
    if "block collection" in context or "block sequence" in context or "'-' indicator" in problem:
        return Explained(spot, "syntax", "here must be a `-`, as the list above begun one", "is the indentation off?")
    if here and here in "@`%":
        return Explained(spot, "syntax", f"a text cannot begin with `{here}`", "put quotes around it")
    if "anchor" in context or "alias" in context:
        return Explained(spot, "syntax", "`&` and `*` must be followed by a name", "put quotes around the text")
    if "tag" in context or "tag" in problem:
        return Explained(opened, "tag", "tags (`!…`) are not supported", "put quotes around the text")
    if "document start" in problem:
        return Explained(
            spot,
            "syntax",
            "nothing of the file can follow here",
            "is the indentation off, or a quote missing?",
        )
    where = f" ({context})" if context else ""
    hint = "is a quote or a bracket missing?" if before.strip() else "is the indentation off?"
    return Explained(spot, "syntax", f"YAML cannot read this: {problem}{where}", hint)
