"""The parent's side of the voice: what to play, how long to wait, and the message if there is no sound."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fitcli import isolation
from fitcli.errors import StorageError
from fitcli.outputs import Output
from fitcli.remedy import AUDIO_OUTPUT, DISK, PORTAUDIO, SPEECH_ENGINE, SPEECH_VOICES, Remedy, everywhere
from fitcli.voice.process import RENDER_LIMIT_S, Sound
from fitcli.voice.wording import spoken

ENGLISH = "en"
"""Advice is in English, so an English voice reads it, whatever the language of the system."""

SLOWEST_CHARACTERS_PER_S = 6
"""All voices read faster than this; it bounds the duration of an utterance."""

PROBE_LIMIT_S = 10.0
"""Listing devices and voices takes half a second; sound servers that start on demand take longer."""


@dataclass(frozen=True)
class Trouble:
    """Why there is no sound, and the command that helps; `purpose` introduces the command."""

    what: str
    purpose: str
    remedy: Remedy


TROUBLES = {
    "no_portaudio": Trouble("PortAudio is missing", "install it with", PORTAUDIO),
    "no_output": Trouble("no audio output device was found", "look for one with", AUDIO_OUTPUT),
    "output_lost": Trouble("the audio output device stopped playing", "look for it with", AUDIO_OUTPUT),
    "crashed": Trouble("the sound library crashed", "look for an output device with", AUDIO_OUTPUT),
    "hangs": Trouble("the sound library hangs", "look for an output device with", AUDIO_OUTPUT),
    "no_engine": Trouble("the speech engine is missing", "install it with", SPEECH_ENGINE),
    "engine_fails": Trouble("the speech engine failed", "install it again with", SPEECH_ENGINE),
    "engine_hangs": Trouble(
        f"the speech engine did not answer in {RENDER_LIMIT_S:.0f} s", "install it again with", SPEECH_ENGINE
    ),
    "no_room": Trouble("the folder for temporary files has no room for speech", "free some with", DISK),
    "no_voices": Trouble("the speech engine has no voices", "install some with", SPEECH_VOICES),
    "no_language": Trouble(
        "the speech engine has no voice for that language", "list those it has with", everywhere("fitcli doctor")
    ),
}
"""All troubles, by the word that the child process sends."""


def trouble_line(key: str) -> str:
    """The sentence for a trouble: what is missing, and the command that fixes it on this platform."""
    trouble = TROUBLES[key]
    return f"No sound: {trouble.what}; {trouble.purpose}: {trouble.remedy.here}"


class Voice:
    """Beeps and speech in a child process. No call waits, fails or prints, and a new sound cuts off the last one.

    `finish` waits for the last sound; leaving the context kills the child and all processes that it started.
    """

    def __init__(self, *, lang: str | None = None) -> None:
        self._lang = lang or ENGLISH
        self._limit_s = 5.0
        self._troubles: list[str] = []
        self._process = subprocess.Popen(
            isolation.command("fitcli.voice.process"),
            env=isolation.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            # In a session of its own it can be killed with its children, and Ctrl-C reaches only the parent.
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, name="voice", daemon=True)
        self._listener.start()

    def prepare(self, texts: Iterable[str]) -> None:
        """Render words that will be needed on time, as in a countdown."""
        for text in texts:
            self._send(Sound(text=spoken(text), lang=self._lang, prepare=True))

    def beep(self, frequency_hz: float, duration_s: float = 0.15, *, then: str = "") -> None:
        """Play a tone at once, followed by the words if they have been rendered (see `prepare`)."""
        self._send(Sound(tone_hz=frequency_hz, tone_s=duration_s, text=spoken(then), lang=self._lang))

    def count(self, number: int, unit: str = "", *, frequency_hz: float = 0.0, speech: bool = True) -> None:
        """Say a number, of a repetition or with its unit, but never late: it is skipped if it must wait for a sentence.

        A short tone replaces the word without `speech`, or until it is rendered (see `prepare`).
        """
        words = spoken(f"{number} {unit}") if speech else ""
        self._send(Sound(tone_hz=frequency_hz, tone_s=0.08, text=words, lang=self._lang, count=True))

    def say(self, text: str, *, file: Path | None = None) -> None:
        """Speak, or write the speech to a WAV file."""
        words = spoken(text)
        self._limit_s = 5 + RENDER_LIMIT_S + (0 if file else len(words) / SLOWEST_CHARACTERS_PER_S)
        self._send(Sound(text=words, lang=self._lang, file=str(file.absolute()) if file else ""))

    @property
    def trouble(self) -> str | None:
        """The first failure so far: a key of `TROUBLES`, or "file" if speech could not be written."""
        return self._troubles[0] if self._troubles else "crashed" if self._process.poll() else None

    def finish(self) -> str | None:
        """Wait for the end of the last sound, up to its time limit; returns `trouble`."""
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()
        try:
            self._process.wait(self._limit_s)
        except subprocess.TimeoutExpired:
            return "hangs"
        self._listener.join(1.0)
        return self.trouble

    def kill(self) -> None:
        """Be silent at once: end the child process and all processes that it started."""
        # The processes that it started may still run even if it has ended.
        _kill_group(self._process)
        self._process.wait()
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout as replies:
            self._troubles.extend(line.strip() for line in replies)

    def _send(self, sound: Sound) -> None:
        # A child that died is reported by `finish`.
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin
            self._process.stdin.write(sound.to_line())
            self._process.stdin.flush()

    def __enter__(self) -> Voice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _kill_group(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def speak(text: str, *, lang: str | None = None, file: Path | None = None) -> str | None:
    """Read `text` aloud and return when it has been played; with `file`, write the speech there as WAV instead.

    `lang` chooses the voice: a language ("en", "en-us") or part of a voice's name. Returns None, or one sentence with
    what is missing and the command that installs it. Raises only `KeyboardInterrupt`, and waits up to a time limit.
    """
    if not text.strip():
        return None
    try:
        with Voice(lang=lang) as voice:
            voice.say(text, file=file)
            trouble = voice.finish()
    except OSError as error:  # no process can be started
        return f"No sound: its process could not be started ({error.strerror})."
    if trouble == "file":
        return "The speech could not be written: check that the folder exists and has room."
    return trouble_line(trouble) if trouble else None


def write_speech(text: str, output: Output, *, lang: str | None = None) -> None:
    """Write `text` as speech to a WAV file that a user named; `lang` is that of `speak`.

    Raises `StorageError` if the file cannot be written, or if there is no speech to write.
    """
    with output.writing() as path:
        if trouble := speak(text, lang=lang, file=path):
            raise StorageError(f"{output.path} is not written. {trouble}")


@dataclass(frozen=True)
class Found:
    """The names that were found, or the trouble, a key of `TROUBLES`."""

    names: tuple[str, ...] = ()
    trouble: str | None = None


def find_output() -> Found:
    """The name of the default audio output; takes a quarter of a second, and at most `PROBE_LIMIT_S`."""
    return _ask("output", crashed="crashed", hangs="hangs")


def find_voices() -> Found:
    """The speech engine's voices as "language: name"; takes a quarter of a second, and at most `PROBE_LIMIT_S`."""
    return _ask("voices", crashed="engine_fails", hangs="engine_hangs")


def _ask(question: str, *, crashed: str, hangs: str) -> Found:
    """Ask in a child process, because some of the libraries abort the process that asks."""
    try:
        done = subprocess.run(
            isolation.command("fitcli.voice.process", question),
            env=isolation.environment(),
            capture_output=True,
            encoding="utf-8",
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Found(trouble=hangs)
    if done.returncode:
        return Found(trouble=crashed)
    answer = done.stdout.strip()
    return Found(trouble=answer) if answer in TROUBLES else Found(tuple(json.loads(answer)))


def output_expected() -> bool:
    """Whether this machine seems to have a sound output. Instant: it loads no audio library.

    It decides whether to speak by default: a server over SSH has neither a sound card nor a sound server, and should
    stay silent instead of complaining.
    """
    if sys.platform != "linux":
        return True
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"))
    return (
        any(Path("/dev/snd").glob("pcm*p"))
        or any((runtime / socket).exists() for socket in ("pulse/native", "pipewire-0"))
        or any(os.environ.get(name) for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH"))
        or Path(os.path.expanduser("~/.asoundrc")).exists()  # noqa: PTH111 - Path.home() raises for a user without one
    )
