"""Runs `fitcli` as a user does: in a process of its own, through pipes or in a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
"""Data that is too large or not free to be in the repository; tests that need it are skipped without it."""
SAMPLE = ROOT / "samples" / "squat.mp4"
COMMAND = (sys.executable, "-m", "fitcli")
LIMIT_S = 600
"""No command takes so long; one that hangs must not stop the other tests."""


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would change fitcli's answers, at 80 columns."""
    ours = ("FITCLI_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONIOENCODING")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)} | {"COLUMNS": "80"} | changes


def fitcli(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run fitcli in `cwd` with its output in pipes."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=LIMIT_S,
        check=False,
    )


def started(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """A fitcli that runs on, its output in pipes."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def answers(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The objects that `fitcli analyze --json` prints, one a line."""
    done = fitcli("analyze", *arguments, "--json", cwd=cwd, env=env)
    return [json.loads(line) for line in done.stdout.splitlines()]


def in_terminal(
    *arguments: object, cwd: Path, columns: int = 80, stdout: int | None = None, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run fitcli in a pseudo-terminal and return its exit code and all that the terminal was sent.

    With `stdout`, a file descriptor, only stderr goes to the terminal.
    """
    import fcntl
    import struct
    import termios

    parent, child = os.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    settings = environment(TERM="xterm-256color", **(env or {}))
    del settings["COLUMNS"]
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=child if stdout is None else stdout,
        stderr=child,
    )
    os.close(child)
    sent = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # Linux ends a pseudo-terminal with an error
            break
        if not part:
            break
        sent += part
    os.close(parent)
    return process.wait(LIMIT_S), sent.decode(errors="replace")
