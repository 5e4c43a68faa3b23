"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

BYTES_A_CONTACT = 1_500
"""What one takes on disk with all that belongs to it: about 900 on SQLite, 1,100 on PostgreSQL, and what logs them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Counts and durations of all benchmarks."""

    contacts: int = 20_000
    """Who take the standard journey in a round."""
    rounds: int = 3
    behind: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Contacts who went before, while others follow: does the cost stay flat?"""
    waiting: tuple[int, ...] = (100_000, 1_000_000)
    """Journeys that wait, while some fire."""
    fired: int = 20_000
    """How many of them fire."""
    due: int = 100_000
    """Journeys due in the same second."""
    seconds: float = 20
    """How long events come in."""
    rate: int = 500
    """Events a second."""
    timers: int = 400
    """Timers an idle engine fires, one by one."""
    idle_seconds: float = 60
    flows: int = 1_000
    elements: int = 5_000
    simulated: int = 300_000
    peers: int = 1_000
    peer_rounds: int = 3

    @property
    def disk(self) -> int:
        """Bytes of disk that it takes at most at any one time, roughly."""
        return max(*self.behind, *self.waiting, self.due) * BYTES_A_CONTACT

    def divided(self, by: int) -> Scale:
        """All of it by so much less, for a look whether it runs at all."""
        return Scale(
            contacts=max(40, self.contacts // by), rounds=1, behind=tuple(max(40, n // by) for n in self.behind),
            waiting=tuple(max(40, n // by) for n in self.waiting), fired=max(20, self.fired // by),
            due=max(40, self.due // by), seconds=max(0.5, self.seconds / by), rate=max(50, self.rate // by),
            timers=max(4, self.timers // by), idle_seconds=max(0.2, self.idle_seconds / by),
            flows=max(12, self.flows // by), elements=max(20, self.elements // by),
            simulated=max(100, self.simulated // by), peers=max(40, self.peers // by), peer_rounds=1,
        )  # fmt: skip


FULL = Scale()
QUICK = Scale(
    contacts=2_000, rounds=3, behind=(2_000, 20_000), waiting=(2_000, 10_000), fired=1_000, due=10_000, seconds=1.5,
    timers=10, idle_seconds=1, flows=100, simulated=10_000, peers=60, peer_rounds=1,
)  # fmt: skip


def million(scale: Scale) -> Scale:
    """With a million journeys due in the same second."""
    return replace(scale, due=1_000_000)


def ten_million(scale: Scale) -> Scale:
    """With ten million journeys that wait, and ten million contacts behind: minutes on SQLite, half an hour more on
    PostgreSQL, and up to 15 GB of disk."""
    return replace(scale, behind=(*scale.behind, 10_000_000), waiting=(*scale.waiting, 10_000_000))
