"""`settle`: what became of messages whose outcome nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tactful.engine.cli.frame import Json, Project

if TYPE_CHECKING:
    from tactful.elements.contract import MessageKey
    from tactful.engine.compose import Engine


def settle(
    messages: Annotated[
        list[str], typer.Argument(metavar="MESSAGE", help="Such as 1204.3, or several; `all` for all unknown ones.")
    ],
    outcome: Annotated[str, typer.Argument(metavar="sent|failed|repeat", help="What became of them.")],
    sender: Annotated[
        str | None, typer.Option("--sender", metavar="SENDER", help="With `all`: only those of this sender.")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Settle messages whose outcome nobody knows.

    Say of `unknown` messages that they were sent, or that they failed, or have them sent again: all that are named, or
    none where one of them is not unknown.

    Look them up at the provider first. `sent` and `failed` let the journey go on by that exit; `repeat` puts the
    message back into the outbox, and the person may get it twice.

    Example:
      tactful settle 1204.3 sent
      tactful settle all repeat --sender +38595000111

    With --json: a list of {"message", "state"}: the state it has now.
    """
    from collections import Counter

    from tactful.engine import reports
    from tactful.engine.cli.opening import needs_daemon, one_of, the_engine, the_project
    from tactful.engine.cli.screen import count, out, print_json
    from tactful.engine.clock import SystemClock
    from tactful.engine.outbox import FAILED, QUEUED, SENT, WITHDRAWN, Settled

    state, why = {
        "sent": (SENT, "a person said it was sent"),
        "failed": (FAILED, "a person said it failed"),
        "repeat": (QUEUED, "a person had it sent again"),
    }[one_of(outcome, ("sent", "failed", "repeat"), "the outcome")]
    with the_engine(the_project(project)) as engine:
        keys = _unknown(engine, messages, sender)
        now = SystemClock().now()
        engine.outbox.settle([Settled(key, state, why, due_at=now) for key in keys], now)
        with engine.store.read() as tx:
            became = [(key, found.state) for key in keys if (found := reports.message(tx, key)) is not None]
        if as_json:
            print_json([{"message": str(key), "state": is_now} for key, is_now in became])
            return
        for is_now, number in Counter(is_now for _, is_now in became).items():
            named = f"message {became[0][0]}" if len(became) == 1 else count(number, "message")
            out().print(f"{named} {'is' if number == 1 else 'are'} {is_now} now")
            if is_now == QUEUED:
                needs_daemon(engine.store, "It goes out" if number == 1 else "They go out")
            elif is_now == WITHDRAWN:
                out().print("Where a journey has ended meanwhile, its message is not sent again.")
        if not became:
            out().print("No message is unknown.")


def _unknown(engine: Engine, names: list[str], sender: str | None) -> list[MessageKey]:
    """The messages that are to be settled. Raises Trouble where one of them is not unknown."""
    from tactful.elements.contract import MessageKey
    from tactful.engine import reports
    from tactful.engine.cli.trouble import Trouble, wrong_use
    from tactful.engine.outbox import UNKNOWN

    lists = "`tactful messages --state unknown` lists them"
    with engine.store.read() as tx:
        if names == ["all"]:
            return [each.key for each in reports.messages(tx, state=UNKNOWN) if sender in (None, each.sender)]
        if sender is not None:
            raise wrong_use("--sender goes with `all` only")
        keys = []
        for name in dict.fromkeys(names):
            try:
                key = MessageKey.parse(name)
            except ValueError as error:
                raise wrong_use(str(error), lists) from None
            before = reports.message(tx, key)
            if before is None:
                raise Trouble(f"there is no message {key}", lists)
            if before.state != UNKNOWN:
                raise Trouble(f"message {key} is {before.state}; only one that is unknown wants a person to settle it")
            keys.append(key)
        return keys
