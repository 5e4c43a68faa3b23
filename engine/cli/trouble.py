"""How every error ends: one clear message on stderr (what is wrong, where, what to do) and an exit code. Where stderr
is a log of JSON lines, it is one of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from tactful.engine.cli.frame import PROBLEMS, WRONG_USE
from tactful.engine.cli.screen import err, json_log, plain

STOPPED = "stopped; the database keeps what was committed, and nothing of what was not"


class Trouble(Exception):
    """Why a command cannot do what was asked. `message` is a sentence without a full stop, `hint` what to do.

    `detail` are lines shown between them as they are: a text with a caret under it, say.
    """

    def __init__(self, message: str, hint: str | None = None, *, code: int = PROBLEMS, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.detail = detail


def wrong_use(message: str, hint: str | None = None, *, detail: str = "") -> Trouble:
    """A command called wrongly: exit code 2."""
    return Trouble(message, hint, code=WRONG_USE, detail=detail)


def end(error: BaseException) -> int:
    """Say what went wrong; the exit code."""
    if os.environ.get("TACTFUL_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        err().print(f"\n{STOPPED}", style="warn")
        return 130
    explain = _as_it_is if isinstance(error, Trouble) else _explanation(error)
    trouble = explain(error)
    log = json_log()
    if log is None:
        show(trouble)
    elif explain in _QUOTING:
        log.error(trouble.message.partition(": ")[0], exc_info=error)
    else:
        log.error(trouble.message, **({"hint": trouble.hint} if trouble.hint else {}))
    return trouble.code


def show(trouble: Trouble) -> None:
    """Print a trouble."""
    from rich.text import Text

    said = Text.assemble(("error: ", "bad"), plain(trouble.message, lines=True))
    if trouble.detail:
        said.append("\n" + trouble.detail.rstrip("\n"))
    if trouble.hint:
        said.append("\n").append("  hint: ", "dim").append(plain(trouble.hint, lines=True))
    err().print(said)


def caret(text: str, at: int) -> str:
    """A text of one line with a caret under the character meant; long ones cut to its neighbourhood."""
    start = max(0, at - 60)
    shown = "".join(char if char.isprintable() else " " for char in text[start : at + 60])
    return f"    {shown}\n    {' ' * (at - start)}^"


# --- What other parts raise ----------------------------------------------------------------------


def _explanation(error: BaseException) -> Callable[[Any], Trouble]:
    for (module, name), explain in _KNOWN.items():
        kind = getattr(sys.modules.get(module), name, None)  # what was never imported cannot have been raised
        if kind is not None and isinstance(error, kind):
            return explain
    return _fault


def _as_it_is(error: Any) -> Trouble:
    trouble: Trouble = error
    return trouble


def _fault(error: Any) -> Trouble:
    return Trouble(
        f"tactful has a fault of its own: {type(error).__name__}: {error}",
        "please report it; TACTFUL_TRACEBACK=1 before the command shows where it happened",
    )


def _as_said(error: Any) -> Trouble:
    return Trouble(str(error), getattr(error, "hint", None))


def _bad_address(error: Any) -> Trouble:
    return wrong_use(str(error))  # addresses in files are reported there, row by row


def _not_set(error: Any) -> Trouble:
    return Trouble(str(error), "set it and run the command again: export NAME=…")


def _flow_gone(error: Any) -> Trouble:
    return Trouble(str(error), detail="\n".join(problem.render() for problem in error.problems))


def _unknown_flow(error: Any) -> Trouble:
    return Trouble(f"no flow `{error}` is published", "`tactful status` lists those that are")


def _half(error: Any) -> Trouble:
    half = error.object[error.start : error.end]
    return wrong_use(f"{half!a} is half a character, which no text can hold", "give all texts in UTF-8")


def _database(error: Any) -> Trouble:
    return Trouble(f"the database said: {str(getattr(error, 'orig', None) or error).splitlines()[0]}")


def _file(error: Any) -> Trouble:
    where = f"{error.filename}: " if error.filename else ""
    return Trouble(f"{where}{(error.strerror or str(error)).lower()}")


def _element(error: Any) -> Trouble:
    return Trouble(str(error), "an installed package brings it; mend or uninstall that package")


_KNOWN: dict[tuple[str, str], Callable[[Any], Trouble]] = {
    ("tactful.engine.project", "NotSet"): _not_set,
    ("tactful.engine.store.database", "StoreError"): _as_said,
    ("tactful.engine.flowbook", "UnknownFlow"): _unknown_flow,
    ("tactful.engine.flowbook", "WrongState"): _as_said,
    ("tactful.engine.running", "AlreadyRunning"): _as_said,
    ("tactful.engine.running", "CannotLock"): _as_said,
    ("tactful.engine.api.keys", "BadKey"): _as_said,
    ("tactful.engine.keyring", "ShortSecret"): _as_said,
    ("tactful.engine.api.server", "CannotListen"): _as_said,
    ("tactful.engine.optout.webhooks", "BadSecret"): _as_said,
    ("tactful.engine.addresses", "BadAddress"): _bad_address,
    ("tactful.engine.records", "BadFile"): _as_said,
    ("tactful.engine.flowbook", "FlowGone"): _flow_gone,
    ("tactful.engine.channels", "NoConnector"): _as_said,
    ("tactful.engine.render", "CannotRender"): _as_said,
    ("tactful.flows.draw.png", "PngUnavailable"): _as_said,
    ("tactful.elements", "BadElement"): _element,
    ("tactful.elements.options.mistake", "Mistake"): _as_said,
    ("sqlalchemy.exc", "SQLAlchemyError"): _database,
    ("sqlite3", "Error"): _database,
    ("psycopg", "Error"): _database,
    ("builtins", "UnicodeEncodeError"): _half,
    ("builtins", "OSError"): _file,
}
"""Errors that are no fault of ours, by where they are defined, with what is said of them."""

_QUOTING = (_fault, _half, _database)
"""Whose words may quote what was being worked on; the log holds nothing of that."""
