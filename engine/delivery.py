"""From the outbox to the providers: one lane for each sender, so that a slow one keeps nobody else waiting.

`Lane.deliver` is the whole program: take what may go, render, hand over, record. The threads around it
only repeat it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.backoff import BACKOFF
from tactful.engine.channels import (
    Accepted,
    Blocked,
    Connector,
    NoConnector,
    Outcome,
    Outgoing,
    Refused,
    Unknown,
    attempt_id,
    connect,
    message_id,
)
from tactful.engine.clock import Clock
from tactful.engine.optout.links import OptOutLinks, one_click_headers
from tactful.engine.optout.noes import BOUNCED_HARD, No
from tactful.engine.outbox import (
    FAILED,
    MOST_REPEATS,
    QUEUED,
    SENT,
    SUPPRESSED,
    UNKNOWN,
    Outbox,
    Settled,
    Taken,
    Took,
)
from tactful.engine.render import CannotRender, at_hand, render
from tactful.engine.senders import Sender
from tactful.engine.store.database import StoreError
from tactful.engine.tracking.outgoing import Tracking
from tactful.engine.workers import NOBODY, Worker

IN_HAND_SECONDS = 0.1
"""How much of a sender's time may be in hand at once. What is in hand cannot be called back, and after a
crash nobody knows of it; so it is little."""

ROUND_SECONDS = 0.02
"""How far apart rounds begin that find little to do. Each takes two turns to write from those who are waited for, so
what is queued meanwhile goes together."""

FEWEST, MOST = 1, 200
RECORD_EVERY = 50
LOOK_AGAIN_SECONDS = 30.0
SOON_SECONDS, NOT_TAKEN_SECONDS = 0.02, 1.0
"""How soon to look again at what is due and was not taken: at first, and at last."""

log = structlog.get_logger()


class Pace:
    """A sender's `rate`: how many messages may go now, saving up a tenth of a second's worth at most.

    Seconds are those of a monotonic clock.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._saved = 1.0
        self._at = now

    def allows(self, now: float) -> int:
        """How many may go."""
        self._saved = min(max(1.0, self._rate * IN_HAND_SECONDS), self._saved + (now - self._at) * self._rate)
        self._at = now
        return int(self._saved + 1e-9)  # what adds up to one but for the last binary digit is one

    def spend(self, messages: int) -> None:
        """So many went."""
        self._saved -= messages

    def seconds_to_next(self) -> float:
        """How long until the next one may go."""
        return max(0.0, (1.0 - self._saved) / self._rate)


class Lane:
    """One sender's way out. Used by one thread at a time. `links` are the project's opt-out links, None where it has
    none."""

    def __init__(
        self,
        sender: str,
        settings: Sender,
        outbox: Outbox,
        clock: Clock,
        connector: Connector,
        worker: Worker | None = None,
        links: OptOutLinks | None = None,
        tracking: Tracking | None = None,
    ) -> None:
        self.sender = sender
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._connector = connector
        self._links = links
        self._tracking = tracking
        self._most_in_hand = FEWEST
        self._rested_at = clock.monotonic()
        self._not_taken = SOON_SECONDS
        self._said: str | None = None  # of the provider, as long as it is so
        self._begun_as: int | None = None  # the worker's number in a round that did not come to its end
        self._worker = worker
        self._recorder = _Recorder(outbox, clock, worker)
        self.pace = None if settings.rate is None else Pace(settings.rate, clock.monotonic())

    def deliver(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Take messages that may go, hand them over and record what became of them; how many were looked at.

        When `stopping` says so, what was not tried yet goes back to the outbox. Outcomes that could not be recorded
        (it raises, then) are recorded by the next call, before anything else; and what was taken by a transaction of
        whose end nobody heard, since the connection broke, goes back.
        """
        self._recorder.record()
        if self._begun_as is not None:
            self._outbox.give_back(self.sender, self._begun_as, self._clock.now())
        self._begun_as = NOBODY if self._worker is None else self._worker.number
        looked_at = self._round(stopping)
        self._begun_as = None
        return looked_at

    def _round(self, stopping: Callable[[], bool]) -> int:
        most = self._most_in_hand if self.pace is None else self.pace.allows(self._clock.monotonic())
        now, began = self._clock.now(), self._clock.monotonic()
        took = self._take(now, most) if most and self._is_due(now) else Took()
        self._rested_at = began + ROUND_SECONDS if took.looked_at < most else began
        if not took.messages:
            return took.looked_at
        taken = took.messages
        began = self._clock.monotonic()
        outgoing, failed = self._render(taken, now)
        self._recorder.begin(failed)
        try:
            self._hand_over(outgoing, {each.key: each for each in taken}, stopping)
        except Exception:
            self._outbox.observer.provider_failed(self.sender, "raised")
            raise
        if self.pace is not None:
            self.pace.spend(len(outgoing))
        else:
            seconds = self._clock.monotonic() - began
            worth = int(len(taken) / seconds * IN_HAND_SECONDS) if seconds > 0 else MOST
            self._most_in_hand = max(FEWEST, min(MOST, worth))
        return took.looked_at

    def _is_due(self, now: Instant) -> bool:
        """Whether anything is: all lanes are woken for each, and one that only looks keeps nobody from writing."""
        due_at = self._outbox.next_due(self.sender)
        return due_at is not None and due_at <= now

    def _take(self, now: Instant, most: int) -> Took:
        if self._worker is None:
            return self._outbox.take(self.sender, now, most)
        if not self._worker.is_sure():
            return Took()
        return self._outbox.take(self.sender, now, most, self._worker.number, alone=self.pace is not None)

    def _render(self, taken: Sequence[Taken], now: Instant) -> tuple[list[Outgoing], list[Settled]]:
        try:
            links = {} if self._links is None else self._links.of(taken)
        except Exception as error:  # nothing leaves with a link that is not kept; it goes later
            if not isinstance(error, StoreError):
                log.exception("opt-out links could not be kept", sender=self.sender)
            return [], self._later([each.key for each in taken], "its opt-out link could not be kept", now)
        outgoing, failed = [], []
        for each in taken:
            link = links.get(each.key)
            try:
                extras = at_hand(each.contact, each.settings, now, link)
                parts = render(each.element, each.contact, each.entry, each.values, each.flow, each.key, extras)
                id = message_id(each.key, each.sender)
            except CannotRender as error:
                failed.append(Settled(each.key, FAILED, str(error)))
                continue
            except Exception as error:  # anybody's element or template; its trouble is this message's alone
                log.exception(
                    "a message could not be rendered", message=str(each.key), journey=each.key.journey, flow=each.flow,
                    contact=each.contact.number,
                )  # fmt: skip
                failed.append(Settled(each.key, FAILED, f"rendering it raised {type(error).__name__}"))
                continue
            headers = {} if link is None or each.channel != "email" else one_click_headers(link, each.purpose)
            attempt = attempt_id(each.key, each.sender, each.entry.at, each.tries - each.unknowns)
            outgoing.append(
                Outgoing(each.key, each.channel, each.sender, self._settings, each.address, parts, id, now, headers,
                         attempt_id=attempt)
            )  # fmt: skip
        try:
            return outgoing if self._tracking is None else self._tracking.tracked(outgoing), failed
        except Exception as error:  # without them a message could not tell of its opening; it goes later
            if not isinstance(error, StoreError):
                log.exception("links could not be put into messages", sender=self.sender)
            return [], [*failed, *self._later([each.key for each in outgoing], "its links could not be kept", now)]

    def _later(self, keys: Iterable[MessageKey], why: str, now: Instant) -> list[Settled]:
        return [Settled(key, QUEUED, why, due_at=now + BACKOFF[0]) for key in keys]

    def _hand_over(
        self,
        outgoing: Sequence[Outgoing],
        taken: Mapping[MessageKey, Taken],
        stopping: Callable[[], bool],
    ) -> None:
        left = [each.key for each in reversed(outgoing)]
        in_hand = False
        outcomes = self._connector.send(outgoing)
        try:
            while left and not stopping() and (self._worker is None or self._worker.is_sure()):
                in_hand = True
                key, outcome = next(outcomes)
                assert left[-1] == key, "a connector answers in the order asked"
                settled = self._settled(taken[key], outcome)
                left.pop()
                in_hand = False
                self._recorder.note(settled)
            if not left:
                next(outcomes, None)  # let the connector come to its end
        finally:
            now = self._clock.now()
            rest = [Settled(key, QUEUED, "not tried yet", due_at=now) for key in left]
            if in_hand and left:
                rest[-1] = self._unknown(taken[left[-1]], "the connector failed while it had it in hand", now)
            self._recorder.record(rest)

    def _settled(self, taken: Taken, outcome: Outcome) -> Settled:
        key, tries = taken.key, taken.tries
        now, failed = self._clock.now(), self._outbox.observer.provider_failed
        self._notice(outcome)
        match outcome:
            case Accepted(provider_id):
                return Settled(key, SENT, provider_id=provider_id)
            case Refused(why, final=False, retry_after_ms=after) if tries <= len(BACKOFF):
                failed(self.sender, "refused for now")
                return Settled(key, QUEUED, why, due_at=now + (after or BACKOFF[tries - 1]))
            case Refused(why, no_such_address=nobody):
                failed(self.sender, "refused")
                return Settled(key, FAILED, why, no=BOUNCED_HARD if nobody else None)
            case Blocked(why, source, level):
                failed(self.sender, "blocked")
                return Settled(key, SUPPRESSED, why, no=No(source, level=level))
            case Unknown(why):
                failed(self.sender, "unknown")
                return self._unknown(taken, why, now)

    def _notice(self, outcome: Outcome) -> None:
        """Say once that the provider takes nothing, or does not say what it took, and once that it does again: what
        waits for it is tried later, and nobody would hear of it until the last try failed."""
        match outcome:
            case Refused(why, down=True):
                said, because = "a provider takes nothing; messages are tried again", why
            case Unknown(why):
                said, because = "a provider does not say whether it took a message", why
            case _:
                if self._said is not None:
                    log.info("a provider takes messages again", sender=self.sender)
                self._said = None
                return
        if said != self._said:
            log.warning(said, sender=self.sender, why=because)
        self._said = said

    def _unknown(self, taken: Taken, why: str, now: Instant) -> Settled:
        if self._settings.on_unknown == "at_least_once" and taken.unknowns < MOST_REPEATS:
            return Settled(taken.key, QUEUED, why, due_at=now + BACKOFF[taken.unknowns], unknown=True)
        return Settled(taken.key, UNKNOWN, why, unknown=True)

    def seconds_to_next(self) -> float:
        """How long nothing can go out, as far as is known now; asked after `deliver` found nothing to do."""
        due_at = self._outbox.next_due(self.sender)
        due_in = LOOK_AGAIN_SECONDS if due_at is None else (due_at - self._clock.now()) / 1000
        if due_in > 0:
            self._not_taken = SOON_SECONDS
            return min(LOOK_AGAIN_SECONDS, due_in)
        if self.pace is not None and (paced := self.pace.seconds_to_next()):
            return paced
        # Due and yet not taken: somebody else holds it, for a moment; or sending is halted, who knows how long.
        wait, self._not_taken = self._not_taken, min(2 * self._not_taken, NOT_TAKEN_SECONDS)
        return wait

    def seconds_of_rest(self) -> float:
        """How long to leave it alone, asked after `deliver`; 0 where more is waiting."""
        return max(0.0, self._rested_at - self._clock.monotonic())

    def close(self) -> None:
        """Record what could not be recorded yet, for the last time, and let go of the connection."""
        try:
            self._recorder.record()
        except StoreError:
            lost = len(self._recorder.outcomes)
            log.error(
                "outcomes could not be recorded; they are unknown at the next start", sender=self.sender, outcomes=lost
            )
        self._connector.close()


class _Recorder:
    """Records outcomes soon, but not one by one: what is not recorded at a crash counts as unknown. What could not
    be recorded is kept for the next time."""

    def __init__(self, outbox: Outbox, clock: Clock, worker: Worker | None) -> None:
        self._outbox = outbox
        self._worker = worker
        self._clock = clock
        self.outcomes: list[Settled] = []
        self._since = clock.monotonic()

    def begin(self, outcomes: Sequence[Settled]) -> None:
        self.outcomes.extend(outcomes)
        self._since = self._clock.monotonic()

    def note(self, outcome: Settled) -> None:
        self.outcomes.append(outcome)
        if len(self.outcomes) >= RECORD_EVERY or self._clock.monotonic() - self._since > IN_HAND_SECONDS:
            self.record()

    def record(self, more: Sequence[Settled] = ()) -> None:
        self.outcomes.extend(more)
        self._outbox.settle(self.outcomes, self._clock.now(), self._worker.number if self._worker else NOBODY)
        self.outcomes = []
        self._since = self._clock.monotonic()


class Delivery:
    """All lanes, each with a thread of its own. `told` is called after a lane recorded outcomes: journeys
    may have moved."""

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        clock: Clock,
        told: Callable[[], None] = lambda: None,
        worker: Worker | None = None,
        links: OptOutLinks | None = None,
        tracking: Tracking | None = None,
    ) -> None:
        self._told = told
        self._stopping = threading.Event()
        self.lanes: dict[str, Lane] = {}
        self.closed: dict[str, str] = {}
        for sender, settings in senders.items():
            try:
                connector = connect(settings)
                self.lanes[sender] = Lane(sender, settings, outbox, clock, connector, worker, links, tracking)
            except NoConnector as error:
                self.closed[sender] = str(error)
        self._woken = {sender: threading.Event() for sender in self.lanes}
        self._threads = [
            threading.Thread(target=self._run, args=(lane,), name=f"lane {sender}")
            for sender, lane in self.lanes.items()
        ]

    def start(self) -> None:
        """Open the lanes."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to send."""
        for woken in self._woken.values():
            woken.set()

    def stop(self) -> None:
        """Let what is being handed over at this moment be recorded, then close the lanes."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for lane in self.lanes.values():
            lane.close()

    def _run(self, lane: Lane) -> None:
        woken = self._woken[lane.sender]
        while not self._stopping.is_set():
            woken.clear()
            try:
                sent = lane.deliver(self._stopping.is_set)
                wait = 0.0 if sent else lane.seconds_to_next()
                if sent:
                    self._told()
            except StoreError:
                sent, wait = 0, LOOK_AGAIN_SECONDS
            except Exception:  # the lane must outlive its troubles; they are all logged
                log.exception("a lane failed and looks again soon", sender=lane.sender)
                sent, wait = 0, LOOK_AGAIN_SECONDS
            if wait and not sent:
                woken.wait(wait)
            self._stopping.wait(lane.seconds_of_rest())
