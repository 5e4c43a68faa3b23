"""`tactful dnc verify`: whether the history of the Do Not Contact list is as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tactful.engine.cli.frame import FINE, PROBLEMS, Json, Project

if TYPE_CHECKING:
    from tactful.elements.contract import Instant
    from tactful.engine.optout.verifying import Fault, Seal, Verified


def verify(
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="SEAL", help="A seal from before: is it still so up to there?")
    ] = None,
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Check the history of the Do Not Contact list.

    Is it as it was written, and is the list what it comes to? Every act carries a hash of itself and of the act before
    it on the same address, so what was changed afterwards, or taken out, shows. So does an entry that no act put on the
    list, and one that is missing. Whoever can write to the database could still cut off an end: write the seal down
    elsewhere, and compare with --expect. Acts that come later do not change it. The exit code is 1 where anything is
    wrong.

    Example:
      tactful dnc verify

    With --json: {"acts", "destinations", "entries", "seal", "as_sealed" (null without --expect), "wrong": number of
    faults, "faults": [{"what": "broken" | "missing" | "unfounded" | "changed", "destination", "act", "at", "says"}]}.
    """
    from tactful.engine import switches
    from tactful.engine.cli.opening import the_engine, the_project
    from tactful.engine.cli.screen import print_json, progress
    from tactful.engine.cli.trouble import wrong_use
    from tactful.engine.optout import verifying

    sealed: Seal | None = None
    if expect is not None:
        sealed = verifying.Seal.read(expect)
        if sealed is None:
            raise wrong_use(
                "--expect is not a seal", "it is what `tactful dnc verify` prints: a number, `:`, 64 digits"
            )
    with the_engine(the_project(project), flows=False) as engine, engine.store.read() as tx:
        with progress("verifying", verifying.count_acts(tx)) as came:
            verified = verifying.verify_list(tx, sealed, came)
        let_go = switches.histories_let_go(tx)
    good = not verified.wrong and verified.as_sealed is not False
    if as_json:
        print_json(_as_json(verified))
    else:
        _show(verified, let_go)
    raise typer.Exit(FINE if good else PROBLEMS)


def _as_json(verified: Verified) -> dict[str, Any]:
    return {
        "acts": verified.acts, "destinations": verified.destinations, "entries": verified.entries,
        "seal": str(verified.seal), "as_sealed": verified.as_sealed, "wrong": verified.wrong,
        "faults": [
            {"what": each.what, "destination": each.destination, "act": each.act, "at": _utc(each), "says": each.says}
            for each in verified.faults
        ],
    }  # fmt: skip


def _utc(fault: Fault) -> str | None:
    """When it was; None where what stands there is no time."""
    from tactful.engine.cli.screen import utc

    try:
        return utc(fault.at)
    except (TypeError, ValueError, OverflowError):
        return None


def _show(verified: Verified, let_go: Instant | None) -> None:
    from rich.text import Text

    from tactful.engine.cli.screen import count, err, local, out, plain

    screen = out()
    for each in verified.faults:
        when = _utc(each)
        said = Text.assemble((plain(each.destination), "name"), ": ", (plain(each.says), "warn"))
        if when is not None:
            said.append(f"  {when}", "dim")
        screen.print(said, soft_wrap=True)
    if verified.wrong > len(verified.faults):
        screen.print(f"and {verified.wrong - len(verified.faults):,} more")
    walked = (
        f"{count(verified.acts, 'act')} on {count(verified.destinations, 'address', 'addresses')}, "
        f"{count(verified.entries, 'entry', 'entries')} on the list"
    )
    if verified.wrong:
        screen.print(Text.assemble((f"{count(verified.wrong, 'fault')}", "bad"), f" in {walked}"))
    else:
        screen.print(Text.assemble(("as it was written", "good"), f": {walked}"))
    if verified.as_sealed:
        screen.print(Text.assemble(("as it was sealed", "good"), ", up to the act of the seal"))
    elif verified.as_sealed is False:
        screen.print(Text.assemble(("not as it was sealed", "bad"), ": acts up to that of the seal are gone or others"))
        if let_go is not None:
            hint = f"histories older than `keep_history` were let go on {local(let_go)} UTC; a seal from before differs"
            err().print(Text(f"  hint: {hint}", "dim"))
    screen.print(f"seal: {verified.seal}", soft_wrap=True)
