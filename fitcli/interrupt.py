"""Ctrl-C, held back until the work is somewhere it can stop: every long loop below the command line asks here.

Raised wherever the program happens to be, `KeyboardInterrupt` is lost where a C library has called Python, as FFmpeg
does to read a file, and it reaches only the main thread. Inside `interruptible`, Ctrl-C sets a mark instead; `heed`
raises it, on any thread. Outside, Python's own rule holds and `heed` does nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

_Result = TypeVar("_Result")

LOOK_EVERY_S = 0.1
"""How often a thread that waits for others looks for Ctrl-C."""

_blocks = 0
_pressed = False


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back for `heed`; gives that function, and calls it when the block ends. Main thread only.

    A second Ctrl-C is raised at once. Blocks may be nested: Ctrl-C counts as pressed until the outermost one is left,
    so that threads which are still at work stop too.
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
    """Whether Ctrl-C was pressed in the block that is running."""
    return _pressed


def heed() -> None:
    """Raise `KeyboardInterrupt` if Ctrl-C was pressed in the block that is running."""
    if _pressed:
        raise KeyboardInterrupt


def result(future: Future[_Result]) -> _Result:
    """What the future gives, waited for with an eye on Ctrl-C."""
    while True:
        try:
            return future.result(LOOK_EVERY_S)
        except TimeoutError:
            if future.done():  # the work's own error, or it ended this very moment
                return future.result()
            heed()


def _press(number: int, frame: object) -> None:
    global _pressed
    if _pressed:
        raise KeyboardInterrupt
    _pressed = True
