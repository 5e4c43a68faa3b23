"""A flow made ready to be walked a million times, and what of the project around it bears on it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from zoneinfo import ZoneInfo

from tactful.elements.contract import END, Contact, Instant, SendMessage
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.duration import SWING, Duration
from tactful.elements.options.wall_time import MILLISECOND, wall_of
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply
from tactful.engine.enrolments import next_entry
from tactful.engine.interpreter import LONGEST_WALK, zone_of
from tactful.engine.project_options import Links
from tactful.engine.rules import permission
from tactful.engine.rules.permission import NO_POLICY, Policy
from tactful.engine.rules.turn import sender_of
from tactful.engine.simulation.answering import changes_contacts, make_ready
from tactful.engine.simulation.spot import DAY, HOUR, MINUTE, NEVER, QUARTER, Sending, Spot
from tactful.flows.model import ByEvent, BySchedule, BySegment, Flow, StopRule

LINKS = Links()
"""What opt-out links do where no project says otherwise."""

_ADDRESSES = {kind: attrgetter(field) for kind, field in (("email", "email"), ("phone", "phone"), ("push", "key"))}
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what a wall shows has no zone


class Machine:
    """A flow, ready to be walked, and what of the project bears on it.

    `listens` are the events that anything of it could take notice of; None: any event, for an own element says only
    at run time what it awaits. Without `enters`, a schedule or a segment brings nobody in: somebody else does.
    """

    def __init__(
        self,
        flow: Flow,
        begins: Instant,
        until: Instant,
        policy: Policy = NO_POLICY,
        transactional: frozenset[str] = frozenset(),
        links: Links = LINKS,
        *,
        enters: bool = True,
    ) -> None:
        self.flow = flow
        self.zone = zone_of(Contact(0, ""), flow.settings.time_zone)  # of those who have none
        self.begins = begins
        self.until = until
        self.links = links
        self.policy = policy
        # With fewer sent, no limit says anything.
        self.fewest = min((limit.messages for limit in policy.limits), default=NEVER)
        self.is_quiet = flow.settings.quiet_hours is not None  # at some hours
        self.transactional = flow.id in transactional
        self.spots = {id: Spot(node, number) for number, (id, node) in enumerate(flow.nodes.items())}
        self.exits: list[tuple[str, str]] = []
        self.leads: list[int | None] = []  # to which spot an exit leads, by their numbers; None: to the end
        for spot in self.spots.values():
            for exit, target in spot.node.exits.items():
                leads = None if target == END else self.spots[target]
                spot.exits[exit] = len(self.exits), leads
                self.exits.append((spot.id, exit))
                self.leads.append(None if leads is None else leads.number)
            make_ready(spot, self)
        self.asks = any(spot.asked for spot in self.spots.values())
        self.start = self.spots[flow.start]
        self.stops_on: dict[str, list[StopRule]] = {}
        for rule in flow.stop_when:
            if rule.event is not None:
                self.stops_on.setdefault(rule.event, []).append(rule)
        self.stops_when = [rule for rule in flow.stop_when if rule.when is not None]
        self.begins_on = flow.entry.event if isinstance(flow.entry, ByEvent) else None
        self.begins_where = flow.entry.where if isinstance(flow.entry, ByEvent) else None
        self.segment = flow.entry.holds if enters and isinstance(flow.entry, BySegment) else None
        conditions = [rule.when for rule in self.stops_when if rule.when is not None]
        conditions += [] if self.segment is None else [self.segment]
        self.changes_with_time = any(condition.uses_time for condition in conditions)
        self.listens = self._listens()
        self.audience = flow.entry.audience if isinstance(flow.entry, BySchedule) else None
        self._schedule = frozenset(_schedule(flow, begins, until) if enters else ())
        hours = range((begins // HOUR + 1) * HOUR, until + 1, HOUR) if self.changes_with_time else ()
        self._routine = sorted({*self._schedule, *hours})
        self.has_routine = bool(self._routine)
        # Whether messages may go in the middle of a walk: nothing that the walk causes comes before them.
        self.is_prompt = len(self.spots) < LONGEST_WALK and not (
            self.has_routine or self.segment is not None or any(changes_contacts(spot) for spot in self.spots.values())
        )
        self._offsets: dict[tuple[str, int], int] = {}

    def next_routine(self, after: Instant) -> Instant:
        """When the schedule, or the look at conditions that change with time, is due next; far off where never."""
        at = bisect_right(self._routine, after)
        return self._routine[at] if at < len(self._routine) else NEVER

    def is_scheduled(self, now: Instant) -> bool:
        """Whether the flow's schedule brings people in at this moment."""
        return now in self._schedule

    def quiet_until(self, now: Instant, zone: ZoneInfo) -> Instant | None:
        """As `permission.quiet_until`, with the flow's quiet hours; None also where it has none."""
        quiet = self.flow.settings.quiet_hours
        if quiet is None:
            return None
        offset = self._offset(now, zone)
        local = now + offset
        minute = local // MINUTE % 1440
        if quiet.start < quiet.end:
            if not quiet.start <= minute < quiet.end:
                return None
        elif quiet.end <= minute < quiet.start:
            return None
        ends = local // DAY * DAY + quiet.end * MINUTE - offset
        if ends <= now:
            ends += DAY
        return ends if self._is_steady(offset, ends, zone) else permission.quiet_until(quiet, now, zone)

    def later(self, duration: Duration) -> Callable[[Instant, ZoneInfo], Instant]:
        """`after` with this duration, made ready."""
        ms = duration.ms
        if not duration.days:
            return lambda instant, zone: instant + ms
        return lambda instant, zone: self.after(duration, instant, zone)

    def after(self, duration: Duration, instant: Instant, zone: ZoneInfo) -> Instant:
        """As `Duration.after`: where no clock is changed on the way, days have 24 hours."""
        if not duration.days:
            return instant + duration.ms
        landed = instant + duration.days * DAY
        if self._is_steady(self._offset(instant, zone), landed, zone):
            return landed + duration.ms
        return duration.after(instant, zone)

    def _is_steady(self, offset: int, around: Instant, zone: ZoneInfo) -> bool:
        """Whether the clocks of a zone have this offset around a moment: whatever is reckoned up to there with it is
        right."""
        offsets = (self._offset(around - SWING, zone), self._offset(around, zone), self._offset(around + SWING, zone))
        return offsets == (offset, offset, offset)

    def _offset(self, now: Instant, zone: ZoneInfo) -> int:
        """How many ms the clocks of a zone are ahead of UTC; looked up once for each quarter of an hour."""
        at = zone.key, now // QUARTER
        offset = self._offsets.get(at)
        if offset is None:
            if len(self._offsets) > 100_000:
                self._offsets.clear()
            begins = now // QUARTER * QUARTER
            offset = self._offsets[at] = (wall_of(begins, zone) - _WALL_EPOCH) // MILLISECOND - begins
        return offset

    def sending(self, message: SendMessage) -> Sending:
        """A message as the engine would queue it."""
        settings = self.flow.settings
        purpose = message.purpose or settings.purpose
        if purpose == "transactional" and not self.transactional:
            purpose = "marketing"
        policy, channel = self.policy, message.channel
        hours = any(channel in rules.channels for rules in policy.countries)
        guarded = purpose == "marketing" and (hours or channel in policy.require_consent)
        address = _ADDRESSES[CHANNELS[channel].address]
        return Sending(channel, sender_of(message, settings), purpose, message.valid_for, address, guarded)

    def _listens(self) -> frozenset[str] | None:
        names = set(self.stops_on)
        if isinstance(self.flow.entry, ByEvent):
            names.add(self.flow.entry.event)
        for spot in self.spots.values():
            if spot.asked and spot.hears_log:
                return None
            if isinstance(spot.node.element, WaitForEvent):
                names.add(spot.node.element.event)
            elif isinstance(spot.node.element, WaitForReply):
                names.add("replied")
        return frozenset(names)


def _schedule(flow: Flow, begins: Instant, until: Instant) -> Iterator[Instant]:
    if isinstance(flow.entry, BySchedule):
        at = next_entry(flow, begins)
        while at is not None and at <= until:
            yield at
            at = next_entry(flow, at)
