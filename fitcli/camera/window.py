"""The preview window, in a child process: `python -m fitcli.camera.window`.

Without a usable display, Qt ends the process instead of failing. And OpenCV's windows hang in a process that has loaded
PyAV, whose libraries share names with Qt's. In a child process, the worst outcome of both is a missing preview.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections import deque
from typing import BinaryIO

import numpy as np

from fitcli import isolation
from fitcli.camera.newest import Newest
from fitcli.camera.source import opencv
from fitcli.remedy import DISPLAY
from fitcli.video import Image

TITLE = "fitcli"

OPEN_LIMIT_S = 10.0
"""Time for the first picture; enough for a display over a slow SSH connection."""

CLOSED = "q"
"""The key that stands for closing the window."""

_SIZE = struct.Struct("<II")  # height and width, sent before each picture's RGB bytes
_SHOWN = "shown"  # the child's first line; all others are keys


class Window:
    """Shows the newest picture. Callers never wait for it, and its end ends nothing else."""

    def __init__(self) -> None:
        self._pictures: Newest[Image] = Newest()
        self._keys: deque[str] = deque()
        self._shown = False
        self._answered = threading.Event()
        self._closed = False
        self._process = subprocess.Popen(
            isolation.command("fitcli.camera.window"),
            env=isolation.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is meant for the parent
        )
        for work in (self._send, self._listen):
            threading.Thread(target=work, name="window", daemon=True).start()

    @property
    def failed(self) -> bool:
        """Whether the window ended without being closed."""
        return not self._closed and self._process.poll() is not None

    def show(self, image: Image) -> str | None:
        """Show an (H, W, 3) RGB picture; returns a key pressed in the window ("q", "enter"), or None."""
        self._pictures.put(image)
        return self._keys.popleft() if self._keys else None

    def wait(self) -> bool:
        """Wait until the first picture is on the screen; returns whether it is."""
        self._answered.wait(OPEN_LIMIT_S)
        return self._shown

    def close(self) -> None:
        self._closed = True
        self._process.kill()
        self._process.wait()

    def _send(self) -> None:
        assert self._process.stdin
        picture: Image | None = None
        while not self._closed and self._process.poll() is None:
            if (newer := self._pictures.wait_for_other_than(picture, 0.2)) is None:
                continue
            picture = newer
            try:
                self._process.stdin.write(_SIZE.pack(*picture.shape[:2]) + picture.tobytes())
                self._process.stdin.flush()
            except OSError:  # the child ended, which `failed` reports
                return

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            word = line.decode().removesuffix("\n").removesuffix("\r")
            if word == _SHOWN:
                self._shown = True
                self._answered.set()
            elif word:
                self._keys.append(word)
        self._answered.set()  # the child has ended


def display_trouble() -> str | None:
    """Why there can be no preview, in one sentence; None if there seems to be a display."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return f"No preview: there is no display; to get one: {DISPLAY.here}"
    return None


def window_trouble() -> str:
    """The sentence for a window that could not be opened or has ended."""
    return f"No preview: no window can be opened on this display; try: {DISPLAY.here}"


def window_opens() -> bool:
    """Whether a test picture appears in a window."""
    window = Window()
    try:
        window.show(np.zeros((8, 8, 3), np.uint8))
        return window.wait()
    finally:
        window.close()


def main() -> None:
    """Show the pictures from stdin until it ends, and print keys to stdout, one per line."""
    cv2 = opencv()
    cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)  # no Qt tool bar
    pictures = sys.stdin.buffer
    shown = False
    while (image := _received(pictures)) is not None:
        cv2.imshow(TITLE, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        code = cv2.pollKey()
        if not shown:
            shown = True
            print(_SHOWN, flush=True)
        elif code >= 0:
            print(_named(code), flush=True)
        elif cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            print(CLOSED, flush=True)
            return


def _named(code: int) -> str:
    """The name of a key: its character, or "enter" or "escape"."""
    return {10: "enter", 13: "enter", 27: "escape"}.get(code & 0xFF, chr(code & 0xFF).lower())


def _received(pictures: BinaryIO) -> Image | None:
    size = pictures.read(_SIZE.size)
    if len(size) < _SIZE.size:
        return None
    height, width = _SIZE.unpack(size)
    image = pictures.read(height * width * 3)
    return np.frombuffer(image, np.uint8).reshape(height, width, 3) if len(image) == height * width * 3 else None


if __name__ == "__main__":
    main()
