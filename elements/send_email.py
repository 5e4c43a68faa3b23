"""The element `send_email`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Self

from pydantic import Field, model_validator

from tactful.elements.contract import Send
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.template import Template


class SendEmail(Send):
    """Sends an email to the contact's address.

    It needs a `subject`, and `html`, `text` or both; with `html` alone, a plain text is made from it. A long
    text stands better in a file beside the flow: `html: {file: offer.html}`. All three are Liquid templates:
    `{{ contact.first_name | default: "friend" }}`.

    The journey waits until the email was handed over, through quiet hours and limits, and then goes on by
    `sent`. It leaves by `suppressed` when the contact is on the Do Not Contact list, has had as many messages
    as a limit allows, or has no address; and by `failed` when the email was refused, or was not sent within
    `valid_for`. These two end the journey unless `next` names them.

    Example:
        offer:
          type: send_email
          subject: "We kept your basket, {{ contact.first_name | default: 'friend' }}"
          html: {file: offer.html}
          valid_for: 2 days
          next: {sent: end, failed: end}
    """

    sends: ClassVar[str | None] = "email"

    subject: Template = Field(description="The subject line, a Liquid template.")
    html: Template | None = Field(None, description="The email as HTML: the text itself, or `{file: name}`.")
    text: Template | None = Field(
        None,
        description="The email as plain text; made from `html` where left out.",
    )

    @model_validator(mode="after")
    def _has_a_body(self) -> Self:
        if self.html is None and self.text is None:
            raise Mistake("an email needs `html` or `text`", code="missing-option")
        return self

    def summary(self) -> str:
        return f"“{self.subject.gist()}”"

    def parts(self) -> Mapping[str, Template]:
        return self._parts

    @cached_property
    def _parts(self) -> Mapping[str, Template]:
        parts = {"subject": self.subject, "html": self.html, "text": self.text}
        return {name: part for name, part in parts.items() if part is not None}
