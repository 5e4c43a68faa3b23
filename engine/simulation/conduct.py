"""What contacts do, decided by draws: the rates of `behaviour.py`, made ready for one flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tactful.elements.contract import NOTHING, Instant, MessageKey
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.duration import Duration
from tactful.engine.addresses import destination_of
from tactful.engine.incoming import OPTED_IN, OPTED_OUT
from tactful.engine.optout.inbox import REVIEW_HOURS
from tactful.engine.optout.keywords import Decision, Rulebook, decide
from tactful.engine.optout.packs import pack
from tactful.engine.project_options import KeywordRule, PackRule
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER
from tactful.engine.simulation.behaviour import Answers, Doing, Drawn, OwnDoing, Rates
from tactful.engine.simulation.chance import Choice, after, below, first, longest, lot, numbers, one
from tactful.engine.simulation.life import Life
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.passage import DO, NO, OPT_OUT, Waiting
from tactful.engine.simulation.spot import HOUR, KINDS, Sending, Spot

_USUAL_AFTER = {
    "bounced": "1 minute", "delivered": "5 seconds", "opened": "3 hours", "clicked": "5 minutes",
    "replied": "30 minutes", "opted_out": "15 minutes", "complained": "3 hours",
}  # fmt: skip

# The first eight of sixteen draws decide what is done with a message (and the sixth, what an answer says), the others
# when: clicks have their own moment, but those who click are among those who open.
_decisions = first(8)

CROWD, MESSAGE, FOLLOWS, OWN, ENTRY = range(5)
"""What draws are for."""


class _Habit:
    """What is done with the messages of one element."""

    __slots__ = ("after", "arrives", "bounces", "clicks", "complains", "fails", "follows", "heard", "index", "longest",
                 "looks", "opens", "opts_out", "replies", "says")  # fmt: skip

    def __init__(self, answers: Answers, channel: str, index: int, listens: frozenset[str] | None) -> None:
        can = CHANNELS[channel].reports
        self.index = index
        self.fails = below(answers.fails)
        self.bounces = _bound(answers.bounces, "bounced" in can)
        self.arrives = below(1.0 if answers.delivered is None else answers.delivered.share)
        self.opens = _bound(answers.opens, "opened" in can)
        self.clicks = _bound(answers.clicks, "clicked" in can)
        self.looks = max(self.opens, self.clicks)
        self.replies = _bound(answers.replies, "replied" in can)
        self.opts_out = _bound(answers.opts_out, "opted_out" in can)
        self.complains = _bound(answers.complains, "complained" in can)
        self.says = None if answers.replies is None else Choice(list(answers.replies.texts.items()))
        self.heard = tuple(listens is None or kind in listens for kind in KINDS)
        doings = (answers.bounces, answers.delivered, answers.opens, answers.clicks, answers.replies, answers.opts_out,
                  answers.complains)  # fmt: skip
        medians = [_median(doing, kind) for doing, kind in zip(doings, KINDS, strict=True)]
        self.after = tuple(after(median) for median in medians)
        self.longest = tuple(0 if heard else longest(median) for median, heard in zip(medians, self.heard, strict=True))
        self.follows = [_Own(name, doing, listens) for name, doing in answers.events.items()]


class _Own:
    """An event of the contact's own that follows from something."""

    __slots__ = ("after", "data", "heard", "name", "share")

    def __init__(self, name: str, doing: OwnDoing, listens: frozenset[str] | None) -> None:
        self.name = name
        self.share = below(doing.share)
        self.after = after(span_of(doing.after or Duration.parse("1 day")))
        self.data = tuple(doing.data.items())
        self.heard = listens is None or name in listens


def span_of(duration: Duration) -> int:
    """A duration in ms, every day of 24 hours: what people take is no matter of the calendar."""
    return duration.days * 24 * HOUR + duration.ms


def _bound(doing: Doing | None, possible: bool) -> int:
    return below(doing.share) if doing is not None and possible else 0


def _median(doing: Doing | None, kind: str) -> int:
    span = doing.after if doing is not None and doing.after is not None else Duration.parse(_USUAL_AFTER[kind])
    return span_of(span)


class Drawing:
    """The conduct of a crowd: what each does is a draw. `senders` are the channels of the project's senders by name;
    answers to them are read by its keyword `rules`, as the inbox does."""

    def __init__(
        self,
        machine: Machine,
        rates: Rates,
        seed: int,
        senders: Mapping[str, str] | None = None,
        rules: Sequence[KeywordRule | PackRule] = (),
    ) -> None:
        self.machine = machine
        self.rates = rates
        self.seed = seed
        self._senders = senders or {}
        self._rules = tuple(rules)
        self._books: dict[str, Rulebook] = {}
        self._decided: dict[tuple[str, str, bool], Decision] = {}
        self._habits: dict[tuple[int, str], _Habit] = {}
        self._entry_data = tuple(rates.entry.data.items())
        self._again = None if rates.entry.again is None else after(span_of(rates.entry.again))
        self._comes_drawn = bool(self._entry_data) or self._again is not None
        self._own = [_Own(name, doing, machine.listens) for name, doing in rates.events.items()]

    # --- what follows from a message

    def answers(self, life: Life, message: Waiting) -> bool:
        """Plan what a contact does with a message they get now; False where the provider refuses it."""
        spot, sending = message.spot, message.sending
        habit = self._habits.get((spot.number, sending.channel)) or self._habit(spot, sending)
        now, journey, step = life.now, message.journey.number, message.step
        drawn = lot(self.seed, MESSAGE, life.contact.number, journey, step)
        fails, bounces, arrives, opens, replies, says, opts_out, complains = _decisions(drawn)
        if fails < habit.fails:
            return False
        if bounces < habit.bounces:
            self._no(life, habit, 0, drawn, message)
            return True
        if arrives >= habit.arrives:
            return True
        if 0 < habit.longest[1] <= life.until - now:  # as `_plan` would, in short
            life.tally.happened[habit.index + 1] += 1
        else:
            _plan(life, habit, 1, now, drawn, message)
        if opens < habit.looks:
            if habit.opens:
                _plan(life, habit, 2, now, drawn, message)
            if opens < habit.clicks:
                _plan(life, habit, 3, now + habit.after[2](one(drawn, 10)), drawn, message)
        if replies < habit.replies:
            self._reply(life, habit, message, now + habit.after[4](one(drawn, 12)), says)
        if opts_out < habit.opts_out:
            at = now + habit.after[5](one(drawn, 13))
            if at <= life.until:
                life.tally.happened[habit.index + 5] += 1
                life.plan(at, (OPT_OUT, None, (message.key, message.sending)))
        if complains < habit.complains:
            self._no(life, habit, 6, drawn, message)
        if habit.follows:
            for at, own in enumerate(habit.follows):
                draws = numbers(self.seed, FOLLOWS, life.contact.number, journey, step, at)
                self._own_event(life, own, draws, now)
        return True

    def _habit(self, spot: Spot, sending: Sending) -> _Habit:
        answers = self.rates.of(spot.id, sending.channel)
        habit = _Habit(answers, sending.channel, spot.number * len(KINDS), self.machine.listens)
        self._habits[spot.number, sending.channel] = habit
        return habit

    def _reply(self, life: Life, habit: _Habit, message: Waiting, at: Instant, draw: int) -> None:
        assert habit.says is not None
        if at <= life.until:
            life.tally.happened[habit.index + 4] += 1
            life.plan(at, (DO, self.receive, (habit.says(draw), message.sending, message.key)))

    def _no(self, life: Life, habit: _Habit, kind: int, drawn: bytes, message: Waiting) -> None:
        at = life.now + habit.after[kind](one(drawn, 8 + kind))
        if at <= life.until:
            life.tally.happened[habit.index + kind] += 1
            life.plan(at, (NO, KINDS[kind], (message.key, message.sending)))

    def _own_event(self, life: Life, own: _Own, draws: Sequence[int], since: Instant) -> None:
        if draws[0] >= own.share:
            return
        at = since + own.after(draws[1])
        if at <= life.until:
            life.tally.own_events[own.name] += 1
            if own.heard:
                life.plan(at, (own.name, _drawn(own.data, draws, 2), None))

    # --- what comes by itself

    def begin(self, life: Life, came_at: Instant, entry: str | None) -> None:
        """Plan what a contact does by themselves, who comes at a moment: `entry` is the event that brings them in."""
        if entry is not None and came_at <= life.until:
            if self._comes_drawn:
                self._come(life, came_at, entry)
            else:
                life.tally.own_events[entry] += 1
                life.plan(came_at, (entry, NOTHING, None))
        if self._own:
            for number, own in enumerate(self._own):
                self._own_event(life, own, numbers(self.seed, OWN, life.contact.number, number), came_at)

    def _come(self, life: Life, at: Instant, entry: str) -> None:
        next_after, number = self._again, 0
        while at <= life.until:
            draws = numbers(self.seed, ENTRY, life.contact.number, number)
            life.tally.own_events[entry] += 1
            life.plan(at, (entry, _drawn(self._entry_data, draws, 1), None))
            if next_after is None:
                break
            at += next_after(draws[0])
            number += 1

    # --- answers

    def receive(self, life: Life, about: tuple[str, Sending, MessageKey]) -> None:
        """An answer comes in: as `optout/inbox.py` reads it, with the same rules."""
        text, sending, key = about
        sender = sending.sender
        channel = self._senders.get(sender)
        if channel is None:  # no project says how its answers are to be read
            life.happens("replied", {"text": text, "sender": sender}, key)
            return
        to = destination_of(life.contact, channel)
        if to is None:
            life.happens("replied", {"text": text, "sender": sender}, life.newest_from(sender))
            return
        decision = self._decide(sender, text, life.mail.is_blocked(channel, sender))
        entry = (channel, sender) if decision.level == "this_sender" else (ALL_CHANNELS, ANY_SENDER)
        if decision.decision == "block":
            life.block(to, *entry, "everything", f"keyword {decision.keyword}")
        elif decision.decision == "unblock":
            life.mail.unblock(to, *entry, "everything")
            life.mail.agree(channel)  # whoever asks to be written to again has
        elif decision.decision == "review":
            until = life.now + REVIEW_HOURS * HOUR
            life.mail.review(to, until)
            life.plan(until, (DO, self._nobody_read_it, (to, *entry, channel, sender, decision.keyword)))
        if decision.decision != "none":
            life.mail.hurry()
        if decision.decision in ("block", "unblock"):
            name = OPTED_OUT if decision.decision == "block" else OPTED_IN
            life.happens(name, {"channel": channel, "sender": sender, "keyword": decision.keyword}, None)
        if not decision.ends_here:
            life.happens("replied", {"text": text, "sender": sender}, life.newest_from(sender))

    def _nobody_read_it(self, life: Life, about: tuple[str, str, str, str, str, str | None]) -> None:
        to, on, by, channel, sender, keyword = about
        life.mail.end_review(to)
        life.block(to, on, by, "everything", "an answer, read as an opt-out")
        life.mail.hurry()
        life.happens(OPTED_OUT, {"channel": channel, "sender": sender, "keyword": keyword}, None)

    def _decide(self, sender: str, text: str, blocked: bool) -> Decision:
        known = self._decided.get((sender, text, blocked))
        if known is None:
            book = self._books.get(sender)
            if book is None:
                book = self._books[sender] = Rulebook(self._rules, sender, pack)
            known = decide(text, book, blocked_now=blocked)
            if len(self._decided) < 10_000:
                self._decided[sender, text, blocked] = known
        return known


def _plan(life: Life, habit: _Habit, kind: int, since: Instant, drawn: bytes, message: Waiting) -> None:
    """An event of a message. Where nobody waits for it, and it surely comes in time, its moment does not matter."""
    longest = habit.longest[kind]
    if longest and life.until - since >= longest:
        life.tally.happened[habit.index + kind] += 1
        return
    at = since + habit.after[kind](one(drawn, 8 + kind))
    if at <= life.until:
        life.tally.happened[habit.index + kind] += 1
        if habit.heard[kind]:
            life.plan(at, (KINDS[kind], NOTHING, message.key))


def _drawn(data: Sequence[tuple[str, Drawn]], draws: Sequence[int], first: int) -> Mapping[str, Any]:
    if not data:
        return NOTHING
    return {name: drawn(draws[(first + at) % len(draws)]) for at, (name, drawn) in enumerate(data)}
