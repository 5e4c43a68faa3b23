"""The element `add_to_do_not_contact`."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from tactful.elements import contract
from tactful.elements.contract import Covers, Element, Leave, Level, Stay, Visit
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.wording import on_channel


class AddToDoNotContact(Element):
    """Puts the contact's number or email on the Do Not Contact list.

    From then on nothing is sent there: not by this flow, nor by any other, nor what was waiting to be sent.
    `channel` is the channel to be silent on, or `all` for every address of the contact. With `level:
    any_sender` (the default) none of your senders writes to them any more; with `this_sender` only one does
    not: the flow's own for that channel, or the one `sender` names.

    `covers: marketing` (the default) lets through what transactional flows send, such as a new
    password; `everything` lets nothing through.

    Example:
        unopened:
          type: add_to_do_not_contact
          channel: email
          level: any_sender
          reason: did not open in 48 hours
          next: end
    """

    channel: Literal["email", "sms", "whatsapp", "push", "all"] = Field(description="The channel, or `all` of them.")
    level: Level = Field("any_sender", description="`any_sender`: all senders; `this_sender`: one of them alone.")
    sender: str | None = Field(
        None, description="Which sender, with `this_sender`; without it, the flow's sender for the channel."
    )
    covers: Covers = Field("marketing", description="`marketing`, or `everything`, receipts and passwords included.")
    reason: str | None = Field(None, description="Why, for whoever reads the list.")

    @model_validator(mode="after")
    def _names_a_sender_where_it_means_one(self) -> Self:
        if self.sender is not None and self.level == "any_sender":
            hint = "write `level: this_sender`, or leave `sender` out"
            raise Mistake("`any_sender` has no use for a `sender`", hint=hint, code="sender-not-used")
        if self.level == "this_sender" and self.channel == "all":
            raise Mistake("no sender writes on all channels", hint="name the channel", code="bad-channel")
        return self

    def summary(self) -> str:
        return on_channel(self.channel, self.level, self.sender, self.covers)

    def blocks(self) -> frozenset[str]:
        """The channel, or `all`; with `this_sender`, for that sender alone."""
        return frozenset({self.channel})

    def enter(self, visit: Visit) -> Leave | Stay:
        return self._leave

    @cached_property
    def _leave(self) -> Leave:
        effect = contract.AddToDoNotContact(self.channel, self.level, self.sender, self.covers, self.reason)
        return Leave(effects=(effect,))
