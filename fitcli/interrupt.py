"""Defers Ctrl-C to points where the work can stop: every long loop below the command line calls `heed`.

Python raises `KeyboardInterrupt` anywhere, but only on the main thread, and it is lost if a C library has called
Python, as FFmpeg does to read a file. Inside `interruptible`, Ctrl-C sets a flag instead, and `heed` raises the
exception, on any thread. Outside, Ctrl-C works as usual and `heed` does nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

_Result = TypeVar("_Result")

LOOK_EVERY_S = 0.1
"""How often a waiting thread checks for Ctrl-C."""

_blocks = 0
_pressed = False


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Defer Ctrl-C to `heed`; yields that function, and calls it when the block ends. Main thread only.

    A second Ctrl-C is raised at once. Blocks may be nested: Ctrl-C counts as pressed until the outermost one ends, so
    that threads that are still working stop too.
    """
    global _blocks, _pressed
    before = signal.signal(signal.SIGINT, _press)
    _blocks += 1
    try:
        yield heed
        heed()
    finally:
        _blocks -= 1
        if not _blocks:
            _pressed = False
        signal.signal(signal.SIGINT, before)


def pressed() -> bool:
    """Whether Ctrl-C was pressed in the current block."""
    return _pressed


def heed() -> None:
    """Raise `KeyboardInterrupt` if Ctrl-C was pressed in the current block."""
    if _pressed:
        raise KeyboardInterrupt


def result(future: Future[_Result]) -> _Result:
    """Wait for a future's result, or for Ctrl-C."""
    while True:
        try:
            return future.result(LOOK_EVERY_S)
        except TimeoutError:
            if future.done():  # the work raised it, or ended just now
                return future.result()
            heed()


def _press(number: int, frame: object) -> None:
    global _pressed
    if _pressed:
        raise KeyboardInterrupt
    _pressed = True
