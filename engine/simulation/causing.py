"""What elements cause, beside a life: the effects of `contract.py`, carried out at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tactful.elements.contract import (
    AddToDoNotContact,
    Effect,
    Message,
    ReachGoal,
    RemoveFromDoNotContact,
    SendMessage,
    SetValues,
    UpdateContact,
)
from tactful.engine.interpreter import updated
from tactful.engine.optout.do_not_contact import resolve
from tactful.engine.simulation.passage import Passage, Waiting
from tactful.engine.simulation.spot import Sending, Spot

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life


def cause(life: Life, journey: Passage, spot: Spot, effect: Effect) -> None:
    """Carry out what an element causes at its spot."""
    match effect:
        case AddToDoNotContact():
            for destination, channel, sender in resolve(life.contact, effect, life.machine.flow.settings):
                life.block(destination, channel, sender, effect.covers, spot.id)
            life.mail.hurry()
        case RemoveFromDoNotContact():
            for destination, channel, sender in resolve(life.contact, effect, life.machine.flow.settings):
                life.mail.unblock(destination, channel, sender, effect.covers)
        case UpdateContact():
            contact = updated(life.contact, effect)
            if contact is not life.contact:
                life.contact, life.changed = contact, True
        case SetValues(values):
            journey.values = {**journey.values, **values}
        case ReachGoal(name):
            life.tally.goals[name] += 1
        case SendMessage():
            sending = life.machine.sending(effect)
            if sending.sender:
                queue(life, journey, spot, sending)
                state = "queued"
            else:
                note_unsendable(life, journey, spot)
                state = "failed"
            journey.messages = {**journey.messages, spot.id: Message(journey.step, state, None)}


def queue(life: Life, journey: Passage, spot: Spot, sending: Sending) -> None:
    """Put a message in the outbox."""
    span = sending.valid_for
    expires_at = None if span is None else life.machine.after(span, life.now, life.zone)
    life.mail.waiting.append(Waiting(journey, spot, sending, life.now, expires_at))


def note_unsendable(life: Life, journey: Passage, spot: Spot) -> None:
    """A message failed for want of a sender."""
    if life.trace is not None:
        life.trace.became(life, journey, spot.id, journey.step, "failed")
