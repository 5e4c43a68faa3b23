"""The element `send_whatsapp`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from tactful.elements.contract import Send
from tactful.elements.options.template import Template


class SendWhatsapp(Send):
    """Sends a WhatsApp message to the contact's phone.

    `text` is a Liquid template. WhatsApp delivers free text to people who wrote to you in the last 24 hours;
    all others get what your provider approved as a template.

    The journey waits until the message was handed over, through quiet hours and limits, and then goes on by
    `sent`. It leaves by `suppressed` when the contact is on the Do Not Contact list, has had as many messages
    as a limit allows, or has no number; and by `failed` when the message was refused, or was not sent within
    `valid_for`. These two end the journey unless `next` names them.

    Example:
        thanks:
          type: send_whatsapp
          text: "Thank you for your order, {{ contact.first_name | default: 'friend' }}!"
          next: end
    """

    sends: ClassVar[str | None] = "whatsapp"

    text: Template = Field(description="The message, a Liquid template: the text itself, or `{file: name}`.")

    def summary(self) -> str:
        return f"“{self.text.gist()}”"

    def parts(self) -> Mapping[str, Template]:
        return self._parts

    @cached_property
    def _parts(self) -> Mapping[str, Template]:
        return {"text": self.text}
