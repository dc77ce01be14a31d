"""Reads keys from the terminal without waiting and without Enter."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any


class Keys:
    """Reads single keys while its block runs. Ctrl-C keeps its meaning.

    A process in the background does not touch the terminal, which would suspend it.
    """

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        self._usable = False

    def pressed(self) -> str | None:
        """The next key, such as "q" or "enter"; None without one or without a terminal."""
        if not self._usable:
            return None
        if sys.platform == "win32":
            import msvcrt

            return _named(msvcrt.getwch()) if msvcrt.kbhit() else None
        import select

        ready, _, _ = select.select([sys.stdin], [], [], 0)
        return _named(os.read(sys.stdin.fileno(), 1).decode(errors="ignore")) if ready else None

    def __enter__(self) -> Keys:
        try:
            self._usable = sys.stdin.isatty()
        except (AttributeError, ValueError):  # stdin is missing or closed
            return self
        if self._usable and sys.platform != "win32":
            import termios
            import tty

            terminal = sys.stdin.fileno()
            self._usable = os.tcgetpgrp(terminal) == os.getpgrp()
            if self._usable:
                self._settings = termios.tcgetattr(terminal)
                tty.setcbreak(terminal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._settings is not None and sys.platform != "win32":
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._settings)


def _named(key: str) -> str:
    return {"\n": "enter", "\r": "enter", "\x1b": "escape"}.get(key, key.lower())
