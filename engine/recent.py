"""What was worked out lately, the least used forgotten first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The values used last; safe from many threads.

    Parameters
    ----------
    most : how much is kept: values, or what `weigh` counts. The newest value is kept whatever its weight
    weigh : weight of a value when it comes; 1 each by default
    """

    def __init__(self, most: int, weigh: Callable[[Value], int] = lambda _: 1) -> None:
        self._most, self._weigh = most, weigh
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Key, value: Value) -> None:
        weight = self._weigh(value)
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = value, weight
            self._total += weight - before
            while len(self._kept) > 1 and self._total > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._total -= gone

    def once(self, key: Key, compute: Callable[[], Value]) -> Value:
        """What is kept under this key, or what `compute` gives; two threads may both compute it."""
        found = self.get(key)
        if found is None:
            found = compute()
            self.put(key, found)
        return found

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._total = 0
