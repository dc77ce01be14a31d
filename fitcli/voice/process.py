"""The child process that makes every sound: `python -m fitcli.voice.process`.

Sound and speech libraries print from C, hang in drivers and occasionally abort the process. In a child process that
does no harm: the parent (`fitcli.voice.speaker`) has the time limits. It sends a `Sound` as one JSON object per line on
stdin. A new sound cuts off the one that is playing, except for counted numbers: they wait for a sentence to end, are
skipped if that takes too long, and only the next number cuts one off. Failures are reported on stdout, one key of
`fitcli.voice.speaker.TROUBLES` per line. When stdin ends, the last sound is finished and the process exits.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from fitcli import isolation
from fitcli.cache import temporary_folder
from fitcli.voice.sound import RATE_HZ, Samples, read, tone, write

RENDER_LIMIT_S = 6.0
"""An engine renders a minute of speech in about a second; one that takes this long hangs."""

STALL_LIMIT_S = 2.0
"""A device that requests no sample for this long is lost: streams request some about 50 times a second."""

COUNT_LATE_S = 0.5
"""A number that is this late is skipped: the next repetition has begun."""

WORDS_PER_MINUTE = 165
"""Slower than the default of the engines, 175 to 200, which is too fast for somebody out of breath."""


class SoundError(Exception):
    """A failure; `key` is one of `fitcli.voice.speaker.TROUBLES`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True)
class Sound:
    """A tone followed by words; either may be missing. With `file` it is written there, with `prepare` only rendered.

    count: the words are a counted number; the tone replaces them until they are rendered.
    """

    tone_hz: float = 0.0
    tone_s: float = 0.0
    text: str = ""
    lang: str = "en"
    file: str = ""
    prepare: bool = False
    count: bool = False

    def to_line(self) -> str:
        """The sound as a line for the child process."""
        return json.dumps(asdict(self)) + "\n"


Orders = queue.Queue[tuple[Sound, float] | None]
"""Sounds with the time of their arrival; None is the end."""


def main() -> None:
    """Play the sounds from stdin until it ends."""
    replies = _keep_stdout()
    sounds: Orders = queue.Queue()
    threading.Thread(target=_listen, args=(sounds,), daemon=True).start()
    engine = Engine()
    while (order := sounds.get()) is not None:
        sound, arrival_s = order
        try:
            if sound.prepare:
                engine.begin(sound.text, sound.lang)
            elif sound.file:
                _save(Path(sound.file), _samples(sound, engine))
            elif not (sound.count and (_cut_off(sound, sounds) or time.monotonic() - arrival_s > COUNT_LATE_S)):
                samples = _samples(sound, engine)
                if len(samples):
                    _play(samples, partial(_cut_off, sound, sounds))
        except SoundError as trouble:
            print(trouble.key, file=replies, flush=True)
            if trouble.key == "output_lost":  # PortAudio finds no other device until it is restarted
                os._exit(0)


def _listen(sounds: Orders) -> None:
    for line in sys.stdin:
        sounds.put((Sound(**json.loads(line)), time.monotonic()))
    sounds.put(None)


def _keep_stdout() -> IO[str]:
    """A private copy of stdout; libraries print to the null device instead."""
    replies = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    return replies


def _samples(sound: Sound, engine: Engine) -> Samples:
    """The tone and the words. A tone is a cue and never waits: it is played alone if its words are not ready."""
    beep = tone(sound.tone_hz, sound.tone_s)
    if not sound.text:
        return beep
    words = engine.begin(sound.text, sound.lang)
    if sound.count:
        return words.result() if words.done() and not words.exception() else beep
    if len(beep) and (not words.done() or words.exception()):
        return beep
    return np.concatenate([beep, words.result()])


def _save(path: Path, samples: Samples) -> None:
    try:
        write(path, samples)
    except OSError as error:
        raise SoundError("file") from error


class Engine:
    """Renders speech while other sounds play, each utterance in its own process with a time limit."""

    def __init__(self) -> None:
        self._renderer = ThreadPoolExecutor(max_workers=1)
        self._utterances: dict[tuple[str, str], Future[Samples]] = {}
        self._trouble: SoundError | None = None

    def begin(self, text: str, lang: str) -> Future[Samples]:
        """Start to render a text, once for each; the future's result raises `SoundError`."""
        if (text, lang) not in self._utterances:
            self._utterances[text, lang] = self._renderer.submit(self._render, text, lang)
        return self._utterances[text, lang]

    def _render(self, text: str, lang: str) -> Samples:
        if self._trouble:  # an engine that failed once is not tried again
            raise self._trouble
        try:
            return _rendered(text, lang)
        except SoundError as trouble:
            self._trouble = trouble
            raise


def _rendered(text: str, lang: str) -> Samples:
    """The words as sound. Each utterance has a new process: espeak's driver loses a second utterance."""
    with _place_for_speech() as folder:
        path = folder / "speech.wav"
        command = isolation.command("fitcli.voice.process", "render", str(path), lang)
        try:
            done = subprocess.run(
                command,
                env=isolation.environment(),
                input=text,
                encoding="utf-8",
                stdout=subprocess.PIPE,
                timeout=RENDER_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SoundError("engine_hangs") from error
        if trouble := done.stdout.strip():
            raise SoundError(trouble)
        samples = read(path) if path.exists() else np.zeros(0, np.float32)
    if done.returncode or not len(samples):
        raise SoundError("engine_fails")
    return samples


@contextmanager
def _place_for_speech() -> Iterator[Path]:
    """A folder for the file that an engine renders to; raises `SoundError` if nothing can be written."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder("fitcli-voice-"))
        except OSError as error:
            raise SoundError("no_room") from error
        yield folder


def render(path: Path, lang: str, text: str) -> None:
    """Render `text` to `path` with the platform's speech engine; raises `SoundError`."""
    try:
        import pyttsx3

        engine = pyttsx3.init()
    except Exception as error:  # drivers raise ImportError, RuntimeError, OSError or COM errors
        raise SoundError("no_engine") from error
    voices = engine.getProperty("voices") or []
    if not voices:
        raise SoundError("no_voices")
    chosen = _choose(voices, engine.getProperty("voice"), lang)
    if chosen is None:
        raise SoundError("no_language")
    finished = threading.Event()
    engine.connect("finished-utterance", lambda name, completed: finished.set())
    engine.setProperty("voice", chosen)
    engine.setProperty("rate", WORDS_PER_MINUTE)
    engine.save_to_file(text, str(path))
    engine.runAndWait()
    # On Linux this returns before anything is rendered, and an event reports that the file is complete. The engine of
    # Windows renders within the call and sends no event, so the file has stopped growing.
    size = -1
    while not finished.wait(0.2):
        before, size = size, path.stat().st_size if path.exists() else 0
        if size == before and size > 1000:
            return


def _choose(voices: list[Any], current: str | None, lang: str) -> str | None:
    """The id of the voice for `lang` ("en", "en_US" or part of a voice's name), the current one if it fits."""
    wanted = lang.casefold().replace("_", "-")

    def fit(voice: Any) -> int:
        """2 for the wanted language, 1 for a variety of it or a name that contains it, 0 otherwise."""
        spoken = [str(each).casefold().replace("_", "-") for each in voice.languages or ()]
        if wanted in spoken:
            return 2
        named = wanted in str(voice.name).casefold() or wanted in str(voice.id).casefold().replace("_", "-").split("/")
        return int(any(each.startswith(wanted + "-") for each in spoken) or named)

    best = max(voices, key=lambda voice: (fit(voice), voice.id == current))
    return str(best.id) if fit(best) else None


def voice_names() -> list[str]:
    """ "language: name" of every voice of this platform's speech engine; raises `SoundError`."""
    try:
        import pyttsx3

        voices = pyttsx3.init().getProperty("voices") or []
    except Exception as error:  # see `render`
        raise SoundError("no_engine") from error
    if not voices:
        raise SoundError("no_voices")
    return sorted(f"{(voice.languages or ['?'])[0]}: {voice.name}" for voice in voices)


def output_name() -> str:
    """The name of the default sound output; raises `SoundError`."""
    try:
        import sounddevice
    except (OSError, ImportError) as error:  # sounddevice raises OSError without the PortAudio library
        raise SoundError("no_portaudio") from error
    try:
        return str(sounddevice.query_devices(kind="output")["name"])
    except (sounddevice.PortAudioError, ValueError) as error:
        raise SoundError("no_output") from error


def _play(samples: Samples, cut_off: Callable[[], bool]) -> None:
    """Play to the end, or until another sound cuts it off; raises `SoundError`."""
    output_name()
    import sounddevice

    position = 0

    def fill(out: Any, frames: int, _time: Any, _status: Any) -> None:
        nonlocal position
        part = samples[position : position + frames]
        out[: len(part), 0] = part
        out[len(part) :, 0] = 0
        position += len(part)
        if position >= len(samples):
            raise sounddevice.CallbackStop

    try:
        stream = sounddevice.OutputStream(RATE_HZ, channels=1, dtype="float32", callback=fill)
        stream.start()
        seen, seen_at_s = -1, time.monotonic()
        while stream.active and not cut_off():
            time.sleep(0.02)
            if position != seen:
                seen, seen_at_s = position, time.monotonic()
            elif position < len(samples) and time.monotonic() - seen_at_s > STALL_LIMIT_S:
                raise SoundError("output_lost")  # the stream stays open: closing it would hang
        stream.close()
    except sounddevice.PortAudioError as error:
        raise SoundError("output_lost") from error
    if position < len(samples) and not cut_off():
        raise SoundError("output_lost")


def _cut_off(playing: Sound, sounds: Orders) -> bool:
    """Whether a waiting sound cuts this one off; the end of stdin does not."""
    with sounds.mutex:
        waiting = [order[0] for order in sounds.queue if order is not None]
    if playing.count:
        return any(sound.count for sound in waiting)
    return any(not (sound.count or sound.prepare) for sound in waiting)


def _answer(question: list[str]) -> None:
    """Answer one question on stdout and end: a speech to render, the voices, or the output."""
    answers = _keep_stdout()
    try:
        if question[0] == "render":
            render(Path(question[1]), question[2], sys.stdin.read())
            return
        found = voice_names() if question[0] == "voices" else [output_name()]
        print(json.dumps(found), file=answers, flush=True)
    except SoundError as trouble:
        print(trouble.key, file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        _answer(sys.argv[1:])
    else:
        main()
