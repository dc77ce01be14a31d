"""Shows and plays a recording to the person in front of the camera: panel, preview window, sounds, and keys."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import RenderableType
from rich.live import Live

from fitcli.camera import Window, window_trouble
from fitcli.cli.console import note, stderr
from fitcli.cli.keys import Keys
from fitcli.live import screen
from fitcli.live.session import LiveSession, LiveState, Step
from fitcli.live.sounds import Sounds

PANEL_RATE_HZ = 10
"""How often the terminal is redrawn; over SSH, a higher rate only flickers."""

ADVICE_AFTER_S = 1.0
"""How long advice about framing must stay the same before it is given, so that one landmark cannot make it flicker."""

START_KEY, STOP_KEYS = "enter", ("q", "escape")


class Stage:
    """Shows the states of a session as they come, in a panel, or in plain lines where the terminal is too small.

    A context manager, for the main thread only: windows and signals live there. sounds: None for silence.
    """

    def __init__(self, session: LiveSession, *, preview: bool, mirror: bool, sounds: Sounds | None) -> None:
        self.set_number: int | None = None
        self._session = session
        self._preview = preview
        self._mirror = mirror
        self._sounds = sounds
        self._console = stderr()
        self._panel: Live | None = None
        self._window: Window | None = None
        self._keys = Keys()
        self._drawn_s = 0.0
        self._lines = screen.PlainLines()
        self._advice = _SteadyAdvice()

    def play(self, states: Iterable[LiveState]) -> None:
        """Show every state. Enter skips the steps that only wait; q ends the session's current step."""
        for state in states:
            advice = self._advice.update(state.advice)
            if self._sounds:
                self._sounds.hear(state, advice)
            self._draw(screen.panel(state, self._session.camera.name, self.set_number))
            if not screen.has_room(self._console):
                for line in self._lines.new(state, advice, self.set_number):
                    note(line)
            keys = (self._keys.pressed(), self._show_preview(state))
            if any(key in STOP_KEYS for key in keys):
                self._session.stop.set()
            elif START_KEY in keys and state.step in (Step.FRAMING, Step.REST):
                break

    def analysing(self, share: float) -> None:
        """Show the progress of the analysis, 0..1."""
        self._draw(screen.analysis_panel(share, self.set_number))

    def end_recording(self) -> None:
        """Play the last tone and close the preview window."""
        if self._sounds:
            self._sounds.end()
        self._close_window()

    def clear(self) -> None:
        """Remove the panel, so that something can be printed."""
        if self._panel:
            self._panel.stop()
            self._panel = None

    def _close_window(self) -> None:
        if self._window:
            self._window.close()
            self._window = None

    def _show_preview(self, state: LiveState) -> str | None:
        if not self._preview:
            return None
        self._window = self._window or Window()
        if self._window.failed:
            self._preview = False
            self._close_window()
            self.clear()
            note(window_trouble())
            return None
        return self._window.show(screen.preview(state, mirror=self._mirror))

    def _draw(self, panel: RenderableType) -> None:
        if not screen.has_room(self._console):  # checked every time: terminals are resized
            self.clear()
            return
        now_s = time.monotonic()
        if now_s - self._drawn_s < 1 / PANEL_RATE_HZ:
            return
        self._drawn_s = now_s
        if not self._panel:
            # Nothing else prints meanwhile, so no stream needs redirecting. A transient panel leaves no trace.
            self._panel = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._panel.start()
        self._panel.update(panel, refresh=True)

    def __enter__(self) -> Stage:
        self._keys.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        self._close_window()
        self._keys.__exit__(kind, error, trace)


class _SteadyAdvice:
    """The latest advice that stayed the same for `ADVICE_AFTER_S`."""

    def __init__(self) -> None:
        self._steady: str | None = None
        self._newest: str | None = None
        self._since_s = 0.0

    def update(self, advice: str | None) -> str | None:
        """Take in the newest advice; returns the steady one."""
        now_s = time.monotonic()
        if advice != self._newest:
            self._newest, self._since_s = advice, now_s
        if now_s - self._since_s >= ADVICE_AFTER_S:
            self._steady = advice
        return self._steady
