"""Everything that a person in front of the camera sees and hears while a set is recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import RenderableType
from rich.live import Live

from fitcli.camera import Window, window_trouble
from fitcli.catalog import catalog
from fitcli.cli.console import note, stderr
from fitcli.cli.keys import Keys
from fitcli.live import screen
from fitcli.live.coach import Coaching, SetSummary
from fitcli.live.session import LiveSession, LiveState, Step
from fitcli.voice import Voice

PANEL_RATE_HZ = 10
"""How often the terminal is redrawn: more would only flicker over SSH."""

ADVICE_AFTER_S = 1.0
"""Advice on how to get into the picture counts when it has held for so long: it must not flicker with one landmark."""

TICK_HZ, START_HZ, END_HZ, COUNT_HZ = 660.0, 990.0, 440.0, 880.0
"""Pitch of the countdown's, the start's and the end's tone, and of what stands for a number not yet rendered."""

NUMBERS_AHEAD = 12
"""Numbers whose words are rendered before they are wanted; each takes half a second of one core."""

SPOKEN_S = 1.2
"""Least time between two spoken numbers: quicker repetitions would cut them off, so every second, fifth or tenth one is
said, and a tone stands for the others."""
EVERY = (1, 2, 5, 10)
HELD_EVERY_S, SECONDS = 10, "seconds"
"""A hold's seconds are said this often."""

COUNT_WORDS = {3: "three", 2: "two", 1: "one"}
START_KEY, STOP_KEYS = "enter", ("q", "escape")


class Cues:
    """What is heard: the countdown, the start, the end, how to get into the picture, and the coach while live."""

    def __init__(self, voice: Voice, *, beeps: bool, speech: bool) -> None:
        self._voice = voice
        self._beeps = beeps
        self._speech = speech
        self._told: str | int | None = None
        self._counted = 0
        self._held_s: float | None = None
        self._cue_number = 0
        self._finished: tuple[SetSummary, ...] = ()
        self._prepared: set[str] = set()
        if speech:
            voice.prepare(COUNT_WORDS.values())

    def hear(self, state: LiveState, advice: str | None) -> None:
        """Sound what this state calls for, once; `advice` is what has held for a while."""
        if state.step is Step.FRAMING:
            if self._new(advice) and advice and self._speech:
                self._voice.say(advice)
        elif state.step is Step.COUNTDOWN:
            figure = int(screen.number(state))
            if self._new(figure):
                self._sound(TICK_HZ, 0.15, COUNT_WORDS.get(figure, ""))
        elif self._new(state.step):
            self._sound(START_HZ, 0.4)
        elif state.step is Step.LIVE:
            self._coach(state.coaching)

    def prepare_live(self) -> None:
        """Get the first numbers ready while the person gets ready."""
        self._prepare(str(number) for number in range(1, NUMBERS_AHEAD + 1))

    def _coach(self, coaching: Coaching) -> None:
        if coaching.exercise:
            self._prepare(cue.sentence for cue in catalog().described(coaching.exercise.name).cues)
        if coaching.total > self._counted:
            self._counted = coaching.total
            said = coaching.repetitions % spoken_every(coaching) == 0
            self._voice.count(coaching.repetitions, frequency_hz=self._pitch_hz, speech=self._speech and said)
            self._prepare([str(coaching.repetitions + NUMBERS_AHEAD)])
        if new_tens(coaching, self._held_s):
            self._voice.count(int(screen.figure(coaching)), SECONDS, frequency_hz=self._pitch_hz, speech=self._speech)
        if coaching.held_s is not None:
            ahead = (1 + int(coaching.held_s) // HELD_EVERY_S) * HELD_EVERY_S
            self._prepare([f"{ahead} {SECONDS}"])
        self._held_s = coaching.held_s
        if coaching.cue_number > self._cue_number:
            self._cue_number = coaching.cue_number
            if coaching.cue and self._speech:
                self._voice.say(coaching.cue)
        if coaching.finished != self._finished:
            self._finished = coaching.finished
            if self._speech:
                self._voice.say(screen.set_line(coaching.finished[-1]))

    @property
    def _pitch_hz(self) -> float:
        return COUNT_HZ if self._beeps else 0.0

    def _prepare(self, texts: Iterable[str]) -> None:
        wanted = [text for text in texts if text not in self._prepared] if self._speech else []
        self._prepared.update(wanted)
        self._voice.prepare(wanted)

    def end(self) -> None:
        """The recording is over."""
        self._sound(END_HZ, 0.4)

    def _new(self, cue: str | int | None) -> bool:
        before, self._told = self._told, cue
        return cue != before

    def _sound(self, frequency_hz: float, duration_s: float, words: str = "") -> None:
        words = words if self._speech else ""
        if self._beeps:
            self._voice.beep(frequency_hz, duration_s, then=words)
        elif words:
            self._voice.say(words)


def spoken_every(coaching: Coaching) -> int:
    """Which repetitions are said in numbers, so that none is cut off: every one, or every second, fifth or tenth."""
    latest = coaching.latest
    lasts_s = latest.end_s - latest.start_s if latest else SPOKEN_S
    return next((number for number in EVERY if number * lasts_s >= SPOKEN_S), EVERY[-1])


def new_tens(coaching: Coaching, before_s: float | None) -> bool:
    """Whether a hold has come to another ten seconds since it was `before_s` long."""
    if coaching.held_s is None:
        return False
    before = 0.0 if before_s is None or before_s > coaching.held_s else before_s
    return int(coaching.held_s // HELD_EVERY_S) > int(before // HELD_EVERY_S)


class Stage:
    """Shows the states of a session as they come: terminal panel, or plain lines where it has no room; preview; cues.

    A context manager, for the main thread only: windows and signals live there.
    """

    def __init__(self, session: LiveSession, *, preview: bool, mirror: bool, cues: Cues | None) -> None:
        self.set_number: int | None = None
        self._session = session
        self._preview = preview
        self._mirror = mirror
        self._cues = cues
        self._console = stderr()
        self._panel: Live | None = None
        self._window: Window | None = None
        self._keys = Keys()
        self._drawn_s = 0.0
        self._told = ""
        self._advice = _Steady()
        self._counted = 0
        self._held_s: float | None = None
        self._cue_number = 0
        self._finished: tuple[SetSummary, ...] = ()

    def play(self, states: Iterable[LiveState]) -> None:
        """Show every state. Enter ends the waiting steps early, q ends the session's step that runs."""
        for state in states:
            advice = self._advice.hear(state.advice)
            if self._cues:
                self._cues.hear(state, advice)
            self._draw(screen.panel(state, self._session.camera.name, self.set_number))
            if not screen.has_room(self._console):
                self._tell(state, advice)
            keys = (self._keys.pressed(), self._show_preview(state))
            if any(key in STOP_KEYS for key in keys):
                self._session.stop.set()
            elif START_KEY in keys and state.step in (Step.FRAMING, Step.REST):
                break

    def analysing(self, share: float) -> None:
        """Show how much of the analysis is done, 0..1."""
        self._draw(screen.analysis_panel(share, self.set_number))

    def end_recording(self) -> None:
        """Tell that the set is over: the last tone, and the window goes."""
        if self._cues:
            self._cues.end()
        self._close_window()

    def clear(self) -> None:
        """Take the panel away, so that something can be printed."""
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
        if not screen.has_room(self._console):  # asked every time: terminals are resized
            self.clear()
            return
        now_s = time.monotonic()
        if now_s - self._drawn_s < 1 / PANEL_RATE_HZ:
            return
        self._drawn_s = now_s
        if not self._panel:
            # Nothing else prints meanwhile, so nothing need be redirected; transient: it leaves no trace.
            self._panel = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._panel.start()
        self._panel.update(panel, refresh=True)

    def _tell(self, state: LiveState, advice: str | None) -> None:
        """Plain lines: each step once, the countdown's figures, and how to get into the picture."""
        line = screen.TITLES[state.step] + (f", set {self.set_number}" if self.set_number else "")
        if state.step is Step.FRAMING:
            line = advice or line
        elif state.step is Step.COUNTDOWN:
            line = screen.number(state)
        elif state.step is Step.LIVE:
            line += ": until q or Ctrl-C" + (f", {state.total_s:g} s at most" if math.isfinite(state.total_s) else "")
            self._tell_coaching(state.coaching)
        else:
            line += f": {state.total_s:g} s"
        if line != self._told:
            self._told = line
            note(line)

    def _tell_coaching(self, coaching: Coaching) -> None:
        """A line for every repetition, ten seconds of a hold, cue and set, each once."""
        if coaching.total > self._counted:
            self._counted = coaching.total
            parts = (f"{coaching.repetitions} {screen.exercise_line(coaching)}", screen.repetition_line(coaching))
            note(": ".join(part for part in parts if part))
        if new_tens(coaching, self._held_s):
            note(f"{screen.figure(coaching)} {screen.exercise_line(coaching)}")
        self._held_s = coaching.held_s
        told = [coaching.cue] * bool(coaching.cue_number > self._cue_number) + [
            screen.set_line(summary) for summary in coaching.finished if summary not in self._finished
        ]
        self._cue_number, self._finished = coaching.cue_number, coaching.finished
        for line in told:
            note(line or "")

    def __enter__(self) -> Stage:
        self._keys.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        self._close_window()
        self._keys.__exit__(kind, error, trace)


class _Steady:
    """The advice that has held for `ADVICE_AFTER_S`."""

    def __init__(self) -> None:
        self._steady: str | None = None
        self._newest: str | None = None
        self._since_s = 0.0

    def hear(self, advice: str | None) -> str | None:
        """Take in the newest advice, give the steady one."""
        now_s = time.monotonic()
        if advice != self._newest:
            self._newest, self._since_s = advice, now_s
        if now_s - self._since_s >= ADVICE_AFTER_S:
            self._steady = advice
        return self._steady
