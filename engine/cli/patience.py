"""A command that has to wait for its turn to write says so, instead of standing there as if it hung."""

from __future__ import annotations

from threading import Timer

from tactful.engine.store.tally import Observer, Tally

SECONDS = 1.0
"""How long it waits in silence."""


class _Waiting(Tally):
    """A tally with the alarm that rings if its transaction does not begin soon."""

    alarm: Timer


class Patience(Observer):
    """Says that a transaction waits, once it has for `SECONDS`."""

    def asked(self) -> Tally:
        tally = _Waiting()
        tally.alarm = Timer(SECONDS, _say)
        tally.alarm.daemon = True
        tally.alarm.start()
        return tally

    def began(self, tally: Tally) -> None:
        assert isinstance(tally, _Waiting), "it was asked for here"
        tally.alarm.cancel()


def _say() -> None:
    from tactful.engine.cli.screen import note

    note("Another program writes to the database; this waits for its turn, a minute at most.")
