"""The element `send_push`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from tactful.elements.contract import Send
from tactful.elements.options.template import Template


class SendPush(Send):
    """Sends a notification to the contact's device.

    `text` is a Liquid template; keep it short, devices cut it off. Nobody can answer a notification.

    The journey waits until the notification was handed over, through quiet hours and limits, and then goes on
    by `sent`. It leaves by `suppressed` when the contact is on the Do Not Contact list, or has had as many
    messages as a limit allows; and by `failed` when there is no device, the notification was refused, or was
    not sent within `valid_for`. These two end the journey unless `next` names them.

    Example:
        back_in_stock:
          type: send_push
          text: "{{ entry.product }} is back"
          valid_for: 12 hours
          next: end
    """

    sends: ClassVar[str | None] = "push"

    text: Template = Field(description="The message, a Liquid template: the text itself, or `{file: name}`.")

    def summary(self) -> str:
        return f"“{self.text.gist()}”"

    def parts(self) -> Mapping[str, Template]:
        return self._parts

    @cached_property
    def _parts(self) -> Mapping[str, Template]:
        return {"text": self.text}
