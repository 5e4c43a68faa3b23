"""The element `send_sms`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from tactful.elements.contract import Send
from tactful.elements.options.template import Template


class SendSms(Send):
    """Sends a text message to the contact's phone.

    `text` is a Liquid template. From a sender that cannot receive answers, put `{{ opt_out_link }}` into it,
    so that people can say no. Nobody learns whether a text message was opened; wait for `delivered`,
    `clicked` or `replied`.

    The journey waits until the message was handed over, through quiet hours and limits, and then goes on by
    `sent`. It leaves by `suppressed` when the contact is on the Do Not Contact list, has had as many messages
    as a limit allows, or has no number; and by `failed` when the message was refused, or was not sent within
    `valid_for`. These two end the journey unless `next` names them.

    Example:
        reminder:
          type: send_sms
          text: >-
            {{ contact.first_name | default: 'Hello' }}, your table is booked for 19:00.
            No more of this: {{ opt_out_link }}
          valid_for: 3 hours
          next: end
    """

    sends: ClassVar[str | None] = "sms"

    text: Template = Field(description="The message, a Liquid template: the text itself, or `{file: name}`.")

    def summary(self) -> str:
        return f"“{self.text.gist()}”"

    def parts(self) -> Mapping[str, Template]:
        return self._parts

    @cached_property
    def _parts(self) -> Mapping[str, Template]:
        return {"text": self.text}
