"""A slot for the newest value, shared by threads of different speed."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """A slot that always holds the newest value: a slow reader misses values instead of falling behind."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None

    def put(self, value: T) -> None:
        """Replace the value."""
        with self._changed:
            self._value = value
            self._changed.notify_all()

    def get(self) -> T | None:
        """The newest value, None before the first."""
        with self._changed:
            return self._value

    def wait_for_other_than(self, known: T | None, timeout_s: float) -> T | None:
        """Wait until the value is not `known`, and return it; None after `timeout_s`."""
        with self._changed:
            changed = self._changed.wait_for(lambda: self._value is not known, timeout_s)
            return self._value if changed else None
