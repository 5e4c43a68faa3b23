"""Templates: the texts of messages, in Liquid."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, NoReturn, Self

from liquid import BoundTemplate, Environment, FalsyStrictUndefined, RenderContext
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidError, UndefinedError
from liquid.expression import Expression
from liquid.filter import liquid_filter, with_context
from liquid.static_analysis import TemplateAnalysis
from markupsafe import Markup
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.wall_time import read_date
from tactful.elements.options.written import NameUse, kind_of

LONGEST = 250_000
"""Characters of a template. Mail programs cut off what is longer than a fifth of this."""


class TemplateFailure(Exception):
    """A template that cannot be rendered for this contact: a value is missing, or a limit was passed.

    `message` is one plain sentence that names the place; `line` counts from 1, None where unknown.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.line)


class Template:
    """A text with `{{ … }}` and `{% … %}` in it, parsed once. Immutable; equal by its text and file.

    `text` is the source, `file` the name of the file it stands in, or None where it stands in the flow
    itself. As a pydantic field it takes the text itself, or `{file: name}`, which reads the file through the
    validation context (`{"read": name -> text}`).
    """

    __slots__ = ("_html", "_names", "_plain", "file", "text")

    text: str
    file: str | None
    _plain: BoundTemplate
    _html: BoundTemplate | None
    _names: tuple[NameUse, ...]

    def __init__(self, text: str, file: str | None = None) -> None:
        """Parse the text. Raises `Mistake`, its `at` an offset in `text` and its `file` the file's name."""
        plain = _parse(_PLAIN, text, file)
        analysis = plain.analyze(include_partials=False)
        _refuse(plain, analysis, file)
        slots = {"text": text, "file": file, "_plain": plain, "_html": None, "_names": _names(text, analysis)}
        for name, value in slots.items():
            object.__setattr__(self, name, value)

    @classmethod
    def read(cls, value: object, read: Callable[[str], str] | None = None) -> Self:
        """Read what stood in a file: a text, `{file: name}`, or an instance already. Raises `Mistake`.

        `read` gives the text of a file by its name; what it raises goes through.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls(value)
        if not isinstance(value, Mapping):
            raise Mistake(
                f"here stands a text or `{{file: name}}`, not {kind_of(value)}",
                hint="put it in quotes",
                code="not-text",
            )
        name = value.get("file")
        if set(value) != {"file"} or not isinstance(name, str) or not name:
            raise Mistake("a text in a file is written `{file: name}`", code="bad-file")
        if read is None:
            raise Mistake(f"`{name}` cannot be read: there are no files here", code="no-files")
        return cls(read(name), name)

    def render(self, scope: Mapping[str, Any], *, html: bool) -> str:
        """The finished text. With `html`, values are escaped (`| safe` marks one that is HTML already).

        `scope` holds what the template may name: `contact`, `entry`, `journey`, `flow`, `message`,
        `opt_out_link`; and `now`, a datetime, where `"now" | date: …` shall work. A value that is missing may
        be asked for (`{% if contact.city %}`) or replaced (`| default: "…"`); to print one raises
        `TemplateFailure`, as does everything else that goes wrong. A template never runs longer than 10,000
        turns of its loops.
        """
        template = self._bound_for_html() if html else self._plain
        try:
            # Liquid would take a `now` and `today` it is not given from the clock of the machine.
            now = scope.get("now") or _Missing("now", token=None)
            return template.render({**scope, "now": now, "today": now})
        except LiquidError as error:
            raise self._failed(error) from None
        except (ArithmeticError, RecursionError, TypeError, ValueError, LookupError, AttributeError) as error:
            # Filters of the library let these out for values they were not made for.
            raise TemplateFailure(f"{self._where(None)}cannot be rendered: {error}") from error

    def _bound_for_html(self) -> BoundTemplate:
        if self._html is None:
            object.__setattr__(self, "_html", _parse(_HTML, self.text, self.file))
        assert self._html is not None
        return self._html

    def _failed(self, error: LiquidError) -> TemplateFailure:
        line = None
        if error.token is not None and 0 <= error.token.start_index < len(self.text):
            line = self.text.count("\n", 0, error.token.start_index) + 1
        message = str(error.args[0]) if error.args else "something went wrong"
        if isinstance(error, UndefinedError):
            name = message.removesuffix(" is undefined").strip("'")
            message = f"`{name}` has no value here"
        return TemplateFailure(f"{self._where(line)}{message}", line)

    def _where(self, line: int | None) -> str:
        parts = ([self.file] if self.file else []) + ([f"line {line}"] if line else [])
        return f"{', '.join(parts)}: " if parts else ""

    def names(self) -> list[NameUse]:
        """The names it takes from the scope, with their place in `text`, in the order of the text. Names it
        makes itself (`assign`, `for`) are not among them."""
        return list(self._names)

    def mentions(self, name: str) -> bool:
        """Whether it takes a name from the scope: a root (`opt_out_link`) or a path (`contact.city`)."""
        return any(name in (use.root, str(use)) for use in self._names)

    def always_prints(self, name: str) -> bool:
        """Whether a name from the scope stands in every text it makes: printed, and inside no `if` or the like."""
        return any(
            isinstance(expression, FilteredExpression) and str(expression.left) == name
            for node in self._plain.nodes  # the outermost alone: what a tag holds may be left out
            if isinstance(node, OutputNode)
            for expression in node.expressions()
        )

    def always_says(self) -> str:
        """The words that stand in every text it makes, with a blank for what is computed, or left out at times."""
        return " ".join(node.text for node in self._plain.nodes if isinstance(node, ContentNode))

    def gist(self, longest: int = 40) -> str:
        """The beginning of its text for a picture, on one line, with `…` for what is computed or left out."""
        text = " ".join(_COMPUTED.sub("…", self.text[: 20 * longest]).split())
        return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("Template is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("Template is immutable")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Template({self.text!r}, file={self.file!r})" if self.file else f"Template({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text and other.file == self.file

    def __hash__(self) -> int:
        return hash((self.text, self.file))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.text, self.file)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: object, info: core_schema.ValidationInfo) -> Template:
            context = info.context if isinstance(info.context, Mapping) else {}
            return cls.read(value, context.get("read"))

        def write(template: Template) -> Any:
            return {"file": template.file} if template.file else template.text

        return core_schema.with_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(write)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        file = {
            "type": "object",
            "properties": {"file": {"type": "string", "description": "A file beside the flow."}},
            "required": ["file"],
            "additionalProperties": False,
        }
        return {"anyOf": [{"type": "string", "format": "tactful-template"}, file]}


_COMPUTED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def _names(text: str, analysis: TemplateAnalysis) -> tuple[NameUse, ...]:
    """The names a template takes from the scope, in the order of the text."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    uses = []
    for root, variables in analysis.globals.items():
        for variable in variables:
            path, at = _path(variable.segments[1:]), variable.span.index
            line = bisect_right(starts, at)
            uses.append(NameUse(str(root), path[0] if path else "", path, at, line, at - starts[line - 1] + 1))
    return tuple(sorted(uses, key=lambda use: use.at))


def _path(segments: list[Any]) -> tuple[str, ...]:
    """The written part of a variable's path; ends where the template computes the rest
    (`contact[entry.key]`)."""
    path: list[str] = []
    for segment in segments:
        if isinstance(segment, list):
            break
        path.append(str(segment))
    return tuple(path)


# --- Liquid, as we let it be ---------------------------------------------------------------------------


class _Missing(FalsyStrictUndefined):
    """A value that is not there: it may be asked for or replaced, not printed. No order holds for it."""

    force_liquid_default = True


class _Liquid(Environment):
    block_nesting_limit = 30
    context_depth_limit = 30
    loop_iteration_limit = 10_000
    local_namespace_limit = 500_000
    output_stream_limit = 2_000_000


def _environment(*, html: bool) -> Environment:
    liquid = _Liquid(undefined=_Missing, autoescape=html)
    for tag in ("include", "render"):  # other files come in by `{file: …}` alone
        del liquid.tags[tag]
    liquid.add_filter("date", _date)
    return liquid


@with_context
@liquid_filter
def _date(value: object, form: object, *, context: RenderContext) -> str:
    """Liquid's `date`, without the clock and the zone of the machine it runs on."""
    if value in ("now", "today"):
        value = context.resolve("now", token=None)
    if isinstance(value, _Missing):
        raise UndefinedError(f"{value.name} is undefined", token=value.token)
    moment = read_date(value.strip()) if isinstance(value, str) else value
    if not isinstance(moment, date):
        return "" if value is None else str(value)
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    written = moment.strftime(str(form))
    return Markup(written) if isinstance(form, Markup) else written


def _parse(environment: Environment, text: str, file: str | None) -> BoundTemplate:
    if len(text) > LONGEST:
        raise Mistake(f"a text has {LONGEST:,} characters at most, this one {len(text):,}", code="too-long", file=file)
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        # Liquid would look for the end of each of them, again and again; where the last has one, all have.
        last = text.rfind(opening)
        if last >= 0 and text.find(closing, last) < 0:
            raise Mistake(f"`{opening}` is never closed", last, f"end it with `{closing}`", "bad-template", file)
    try:
        return environment.from_string(text)
    except LiquidError as error:
        at = error.token.start_index if error.token is not None else None
        message = str(error.args[0]) if error.args else "this text cannot be read"
        at = at if at is not None and 0 <= at < len(text) else None
        raise Mistake(f"Liquid: {message}", at, _hint(message), "bad-template", file) from None
    except RecursionError:
        raise Mistake("this text is nested too deeply to read", code="too-deep", file=file) from None


def _refuse(template: BoundTemplate, analysis: TemplateAnalysis, file: str | None) -> None:
    """Raise `Mistake` for what would only go wrong when a message is sent."""
    for name, spans in analysis.filters.items():
        if name not in template.env.filters:
            hint = meant(name, template.env.filters)
            raise Mistake(f"Liquid: there is no filter `{name}`", spans[0].index, hint, "unknown-filter", file)
    static = RenderContext(template)
    nodes: list[Node] = list(template.nodes)
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children(static, include_partials=False))
        for expression in node.expressions():
            if spread := next(_spread_ranges(expression), None):
                # A filter would write out the whole of `(1..1000000000)`, and no limit stops it.
                at = max(spread.token.start_index, 0)
                raise Mistake("Liquid: a range stands in `for` and nowhere else", at, code="bad-template", file=file)


def _spread_ranges(expression: Expression) -> Iterator[RangeLiteral]:
    filtered = isinstance(expression, FilteredExpression)
    for part in expression.children():
        if filtered and isinstance(part, RangeLiteral):
            yield part
        yield from _spread_ranges(part)


def _hint(message: str) -> str | None:
    """For a mistyped tag, the one that was meant."""
    quoted = message.split("'")
    if message.startswith("unexpected tag") and len(quoted) > 1:
        return meant(quoted[1], [tag for tag in _PLAIN.tags if tag.isidentifier()])
    return None


_PLAIN = _environment(html=False)
_HTML = _environment(html=True)
