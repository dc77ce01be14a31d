"""A terminal of its own, in which keys can be pressed, and what a recording leaves behind."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.cli import COMMAND, LIMIT_S, environment

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}


class Terminal:
    """Runs fitcli in a terminal of its own, in which keys can be pressed."""

    def __init__(
        self, *arguments: object, cwd: Path, columns: int = 80, lines: int = 30, env: Mapping[str, str] | None = None
    ) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.sent = ""
        settings = environment(TERM="xterm-256color", **{**NO_DISPLAY, **(env or {})})
        del settings["COLUMNS"]
        pid, self._terminal = pty.fork()
        if pid == 0:  # whatever fails here, this copy of the tests must not run on
            try:
                os.chdir(cwd)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
                os.execvpe(COMMAND[0], [*COMMAND, *map(str, arguments)], settings)
            finally:
                os._exit(127)
        self.pid = pid
        self._code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._terminal, 65536)
            except OSError:
                return
            if not part:
                return
            self.sent += part.decode(errors="replace")

    def wait_for(self, words: str) -> None:
        deadline_s = time.monotonic() + LIMIT_S
        while words not in self.sent:
            assert self._reader.is_alive(), f"it ended before it said {words!r}: {self.sent}"
            assert time.monotonic() < deadline_s, f"it never said {words!r}: {self.sent}"
            time.sleep(0.01)

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        _, status = os.waitpid(self.pid, 0)
        self._reader.join(5)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)


def stored(folder: Path) -> list[dict[str, Any]]:
    """The analyses in a folder of sessions, oldest first; nothing else may lie there."""
    files = sorted(folder.iterdir())
    assert all(re.fullmatch(r"\d{4}.*\.json", file.name) for file in files), files
    return [json.loads(file.read_text(encoding="utf-8"))["analysis"] for file in files]
