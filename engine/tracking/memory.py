"""A memory with an end: what was learnt last is known without asking the database."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED = 10_000


class Memory(Generic[K, V]):
    """Keeps the `most` things learnt last. Safe to use from several threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: dict[K, V] = {}
        self._one_at_a_time = threading.Lock()

    def get(self, key: K) -> V | None:
        """What is known of this."""
        return self._known.get(key)

    def put(self, key: K, value: V) -> None:
        """Learn it; what was learnt longest ago may be forgotten for it."""
        with self._one_at_a_time:
            self._known.pop(key, None)
            self._known[key] = value
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]
