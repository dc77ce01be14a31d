"""The tones and words of a set: countdown, start and end, how to get into the picture, and the coach's count."""

from __future__ import annotations

from collections.abc import Iterable

from fitcli.catalog import catalog
from fitcli.live import screen
from fitcli.live.coach import HELD_EVERY_S, Coaching, SetSummary, reached_ten_seconds
from fitcli.live.session import LiveState, Step
from fitcli.voice import Voice

TICK_HZ, START_HZ, END_HZ, COUNT_HZ = 660.0, 990.0, 440.0, 880.0
"""Pitch of the tones for the countdown, the start, the end, and a number whose words are not rendered yet."""

NUMBERS_AHEAD = 12
"""Numbers whose words are rendered in advance; each takes half a second of one core."""

SPOKEN_S = 1.2
"""Least time between two spoken numbers. Faster repetitions would cut them off: then every second, fifth or tenth
number is spoken, and a tone stands for the others."""
EVERY = (1, 2, 5, 10)

COUNT_WORDS = {3: "three", 2: "two", 1: "one"}


class Sounds:
    """Plays what a person in front of the camera hears; call `hear` with every state of the session.

    beeps: whether tones are played. speech: whether words are spoken.
    """

    def __init__(self, voice: Voice, *, beeps: bool, speech: bool) -> None:
        self._voice = voice
        self._beeps = beeps
        self._speech = speech
        self._latest: str | int | None = None
        self._counted = 0
        self._held_s: float | None = None
        self._cue_number = 0
        self._finished: tuple[SetSummary, ...] = ()
        self._prepared: set[str] = set()
        if speech:
            voice.prepare(COUNT_WORDS.values())

    def hear(self, state: LiveState, advice: str | None) -> None:
        """Play the sound of this state, once; `advice` is the advice that has not changed for a while."""
        if state.step is Step.FRAMING:
            if self._is_new(advice) and advice and self._speech:
                self._voice.say(advice)
        elif state.step is Step.COUNTDOWN:
            figure = int(screen.number(state))
            if self._is_new(figure):
                self._play(TICK_HZ, 0.15, COUNT_WORDS.get(figure, ""))
        elif self._is_new(state.step):
            self._play(START_HZ, 0.4)
        elif state.step is Step.LIVE:
            self._coach(state.coaching)

    def prepare_live(self) -> None:
        """Render the first numbers while the person gets ready."""
        self._prepare(str(number) for number in range(1, NUMBERS_AHEAD + 1))

    def end(self) -> None:
        """Play the tone for the end of the set."""
        self._play(END_HZ, 0.4)

    def _coach(self, coaching: Coaching) -> None:
        if coaching.exercise:
            self._prepare(cue.sentence for cue in catalog().described(coaching.exercise.name).cues)
        if coaching.total > self._counted:
            self._counted = coaching.total
            spoken = self._speech and coaching.repetitions % spoken_every(coaching) == 0
            self._voice.count(coaching.repetitions, frequency_hz=self._pitch_hz, speech=spoken)
            self._prepare([str(coaching.repetitions + NUMBERS_AHEAD)])
        if reached_ten_seconds(coaching, self._held_s):
            self._voice.count(int(screen.figure(coaching)), "seconds", frequency_hz=self._pitch_hz, speech=self._speech)
        if coaching.held_s is not None:
            ahead = (1 + int(coaching.held_s) // HELD_EVERY_S) * HELD_EVERY_S
            self._prepare([f"{ahead} seconds"])
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

    def _is_new(self, occasion: str | int | None) -> bool:
        before, self._latest = self._latest, occasion
        return occasion != before

    def _play(self, frequency_hz: float, duration_s: float, words: str = "") -> None:
        words = words if self._speech else ""
        if self._beeps:
            self._voice.beep(frequency_hz, duration_s, then=words)
        elif words:
            self._voice.say(words)


def spoken_every(coaching: Coaching) -> int:
    """Which repetitions are spoken so that no number is cut off: every one, every second, fifth or tenth."""
    latest = coaching.latest
    lasts_s = latest.end_s - latest.start_s if latest else SPOKEN_S
    return next((number for number in EVERY if number * lasts_s >= SPOKEN_S), EVERY[-1])
