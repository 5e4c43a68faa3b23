"""Does the acts of a scenario on a world."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from tactful.elements.contract import Contact
from tactful.engine.incoming import Incoming
from tactful.engine.instants import parse_instant
from tactful.engine.testing import history
from tactful.engine.testing.history import MessageStand
from tactful.engine.testing.steps import (
    Act,
    After,
    Blocks,
    Changes,
    Enter,
    Fails,
    Happens,
    OptsOut,
    Replies,
    Reported,
    Restart,
    Until,
)
from tactful.engine.testing.trace import wall
from tactful.engine.testing.world import NoMessage, World


class Missed(Exception):
    """An expectation that does not hold, or an act that cannot be done: what was expected, and what stands instead."""

    def __init__(self, expected: str, instead: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.instead = instead


class Actor:
    """Does acts for one contact of a world, whose key is `contact`."""

    def __init__(self, world: World, contact: str) -> None:
        self._world = world
        self._contact = contact

    def do(self, act: Act) -> None:
        """Do it, with all that follows from it now. Raises Missed where it cannot be done."""
        world = self._world
        match act:
            case Enter(flow, data):
                world.enter_all(flow, [self._contact], data)
            case Happens(event, data):
                world.tell(Incoming(event, self._contact, data=data))
            case Reported(event, element, data):
                world.tell(Incoming(event, message=self._message(element).key, data=data))
            case Replies(text, to=None, sender=sender):
                world.receives(text, str(sender), self._contact)
            case Replies(text, to=str(element)):
                self._message(element)
                world.replies(element, text)
            case OptsOut(element):
                self._message(element)
                world.opts_out(element)
            case Blocks(channel, sender, there):
                self._block(channel, sender, there)
            case Fails(element):
                world.refuse_next("the scenario has the provider refuse it", element=element)
            case Changes(fields):
                world.put(replace(fields, key=self._contact))
            case After(duration):
                world.until(duration.after(world.clock.now(), self.zone))
            case Until(moment):
                self._until(moment)
            case Restart():
                world.restart()

    @property
    def zone(self) -> ZoneInfo:
        """The contact's zone as it is now, else the one the world began with."""
        who = self.who()
        return ZoneInfo(who.time_zone) if who is not None and who.time_zone else self._world.zone

    def who(self) -> Contact | None:
        """The contact as they stand."""
        with self._world.engine.store.read() as tx:
            return history.contact(tx, self._contact)

    def entries(self) -> str:
        """The Do Not Contact list as it stands, in words."""
        entries = (
            f"{block.destination} on {block.channel} from {block.sender or 'any sender'} ({block.source})"
            for block in self._world.do_not_contact
        )
        return "; ".join(entries) or "the list is empty"

    def _block(self, channel: str, sender: str | None, there: bool) -> None:
        what = "put on" if there else "taken off"
        try:
            changed = (self._world.block if there else self._world.unblock)(self._contact, channel, sender)
        except LookupError as missing:
            raise Missed(f"the contact to be {what} the Do Not Contact list for `{channel}`", str(missing)) from None
        if not (there or changed):
            raise Missed(f"the contact to be taken off the Do Not Contact list for `{channel}`", self.entries())

    def _until(self, written: str) -> None:
        now, moment = self._world.clock.now(), parse_instant(written, self.zone)
        if moment < now:
            raise Missed(f"time to pass until {wall(moment, self.zone)}", f"it is {wall(now, self.zone)} already")
        self._world.until(moment)

    def _message(self, element: str) -> MessageStand:
        try:
            return self._world.message(element, self._contact)
        except NoMessage as missing:
            raise Missed(f"a message of `{element}` that was sent", str(missing)) from None
