"""The element `wait_for_reply`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import Field, field_validator

from tactful.elements.contract import Await, Element, Event, Family, Leave, SetValues, Stay, Visit
from tactful.elements.options.duration import Within
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.paths import Answer, PathName, Words, word_given_twice
from tactful.elements.options.reference import SendRefs, newest_sent
from tactful.elements.options.wording import up_to


class WaitForReply(Element):
    """Waits for the contact's answer and takes the path it asks for.

    Each of the `paths` is chosen by a list of words, or by a condition on the answer (`event.text`). A word
    is found as keywords of opt-outs are: in capitals or not, with punctuation, emoji and words of courtesy
    around it ("Yes, please!"), but not inside a sentence that says more. The first path that fits is taken,
    from the top; an answer that fits none leaves by `otherwise`. The text of the answer is kept as
    `journey.reply`.

    With `message`, it waits for an answer to a message sent earlier in this journey; the time runs from when
    that was sent, an answer that came before counts too, and the journey leaves at once by `not_sent` where
    it was not sent. Without, any answer that reaches this journey counts that came since the wait or pause
    before, and the time runs from the arrival here.

    The journey leaves by `timed_out` when no answer came `within` the time. To wait without a limit, write
    `within: forever`. What an opt-out rule takes for itself (`STOP`) does not arrive here, unless the rule
    forwards it.

    Example:
        answer:
          type: wait_for_reply
          message: invitation
          within: 2 days
          paths:
            agree: [yes, ok, sure]
            later: 'contains(event.text, "later")'
          next: {agree: voucher, later: reminder, otherwise: colleague, timed_out: end, not_sent: end}
    """

    exits: ClassVar[tuple[str, ...]] = ("otherwise", "timed_out")
    family: ClassVar[Family] = "wait"

    message: SendRefs | None = Field(
        None,
        description="The send, or a list of sends, of this flow whose message is answered; left out: any.",
    )
    within: Within = Field(description="How long to wait at most: a duration, or `forever`.")
    paths: Mapping[PathName, Answer] = Field(
        min_length=1, description="The paths by name: a list of words, or a condition on `event.text`."
    )

    @field_validator("paths")
    @classmethod
    def _no_word_twice(cls, paths: Mapping[str, Answer]) -> Mapping[str, Answer]:
        if twice := word_given_twice(paths):
            word, first, second = twice
            raise Mistake(f"the word `{word}` stands in both `{first}` and `{second}`", code="duplicate")
        return paths

    def ways_out(self) -> tuple[str, ...]:
        return (*self.paths, *self.exits) if self.message is None else (*self.paths, *self.exits, "not_sent")

    def summary(self) -> str:
        return f"a reply, {up_to(self.within)}"

    def lets_time_pass(self) -> bool:
        """Without `message`, always; with it not, as with `wait_for_event`."""
        return self.message is None

    def awaits(self, visit: Visit) -> tuple[Await, ...]:
        if self.message is None:
            return _ANY_REPLY
        sent = newest_sent(self.message, visit)
        return () if sent is None else (Await("replied", sent.step),)

    def enter(self, visit: Visit) -> Leave | Stay:
        begins = visit.now
        if self.message is not None:
            sent = newest_sent(self.message, visit)
            if sent is None or sent.sent_at is None:
                return _NOT_SENT
            begins = sent.sent_at
        return Stay(until=None if self.within == "forever" else self.within.after(begins, visit.zone))

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        text = event.data.get("text")
        reply = text if isinstance(text, str) else ""
        kept = (SetValues({"reply": reply}),)
        for name, answer in self._answers:
            if answer.said_in(reply) is not None if isinstance(answer, Words) else visit.holds(answer, event):
                return Leave(name, kept)
        return Leave("otherwise", kept)

    def time_up(self, visit: Visit) -> Leave | Stay:
        return _TIMED_OUT

    @cached_property
    def _answers(self) -> tuple[tuple[str, Answer], ...]:
        return tuple(self.paths.items())


_ANY_REPLY = (Await("replied"),)
_TIMED_OUT, _NOT_SENT = Leave("timed_out"), Leave("not_sent")
