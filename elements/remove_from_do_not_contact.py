"""The element `remove_from_do_not_contact`."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from tactful.elements import contract
from tactful.elements.contract import Covers, Element, Leave, Level, Stay, Visit
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.wording import on_channel


class RemoveFromDoNotContact(Element):
    """Takes the contact's number or email off the Do Not Contact list again.

    Use it when the contact asked to hear from you again. It takes off the entries of exactly this `channel`,
    `level`, `sender` and `covers`, and no others: who said STOP to all senders stays silent when one sender
    is taken off.

    Example:
        welcome_back:
          type: remove_from_do_not_contact
          channel: sms
          level: any_sender
          reason: asked for it by form
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

    def unblocks(self) -> frozenset[str]:
        """The channel, or `all`; with `this_sender`, for that sender alone."""
        return frozenset({self.channel})

    def enter(self, visit: Visit) -> Leave | Stay:
        return self._leave

    @cached_property
    def _leave(self) -> Leave:
        effect = contract.RemoveFromDoNotContact(self.channel, self.level, self.sender, self.covers, self.reason)
        return Leave(effects=(effect,))
