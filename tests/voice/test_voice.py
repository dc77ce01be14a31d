"""The voice: real tones and real speech in real WAV files and through a real sound system, and nothing that hangs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from fitcli import remedy
from fitcli.catalog import catalog
from fitcli.errors import StorageError
from fitcli.outputs import Output
from fitcli.voice import Voice, find_output, speak, write_speech
from fitcli.voice.sound import RATE_HZ, read, tone
from fitcli.voice.wording import spoken

pytestmark = pytest.mark.clock
needs_espeak = pytest.mark.skipif(
    sys.platform != "linux" or not (find_library("espeak-ng") and shutil.which("espeak-ng")),
    reason="needs espeak-ng: sudo apt install espeak-ng",
)
needs_alsa = pytest.mark.skipif(
    sys.platform != "linux" or not (find_library("portaudio") and find_library("asound")),
    reason="needs ALSA and PortAudio: sudo apt install libportaudio2",
)

ENGINE_THAT_HANGS = """
import os, pathlib, time
def init():
    pathlib.Path(os.environ["TOLD"]).write_text(str(os.getpid()))
    time.sleep(600)
"""
ENGINE_WITHOUT_LIBRARY = """
raise RuntimeError("This means you probably do not have eSpeak or eSpeak-ng installed!")
"""
ENGINE_WITHOUT_VOICES = """
class Engine:
    def getProperty(self, name): return []
def init(): return Engine()
"""
ENGINE_THAT_DIES = "import os\ndef init(): os.abort()\n"
LISTENER_IN_REAL_TIME = f"""
import sys, time
with open(sys.argv[1], "ab", 0) as played:
    while part := sys.stdin.buffer.read({RATE_HZ * 4 // 20}):
        played.write(part)
        time.sleep(0.05)
"""
SOUNDDEVICE_WITHOUT_PORTAUDIO = 'raise OSError("PortAudio library not found")\n'


ReplaceLibrary = Callable[[str, str], None]
"""Puts a module of a name, with a source, before the installed one."""


class SoundSystem(Protocol):
    def __call__(self, target: str | None = None) -> Path: ...


@pytest.fixture
def replace_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReplaceLibrary:
    """Put a module of that name before the installed one, for every Python that starts from now on."""

    def replace(name: str, source: str) -> None:
        folder = tmp_path / "libraries"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return replace


@pytest.fixture
def sound_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoundSystem:
    """Make ALSA's default device write to a file or a command; returns the file it writes by default."""

    def configure(target: str | None = None) -> Path:
        heard = tmp_path / "heard.wav"
        config = tmp_path / "asound.conf"
        kind = "raw" if target else "wav"
        config.write_text(
            f'pcm.!default {{ type file file "{target or heard}" format {kind} slave.pcm {{ type null }} }}\n'
            "ctl.!default { type null }\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
        return heard

    return configure


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def pitch_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE_HZ / len(samples))


def heard_in(path: Path) -> np.ndarray:
    """What was played, without the silence around it."""
    # ALSA's file plugin fills in the length in the header at the end, so this counts the bytes.
    samples = np.frombuffer(path.read_bytes()[44:], "<i4").astype(np.float32) / 2**31
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1]


@pytest.mark.parametrize(
    ("written", "read_aloud"),
    [
        ("12 reps at 60 kg", "12 repetitions at 60 kilograms"),
        ("85% sure, 90° at the knee", "85 percent sure, 90 degrees at the knee"),
        ("1 s up, 2.5 s down", "1 second up, 2.5 seconds down"),
        ("3-4 sets of 8\u201312", "3 to 4 sets of 8 to 12"),
        ("3/5 reps, 3x10", "3 of 5 repetitions, 3 times 10"),
        ("Your abs & quads (both) work \u2014 well done…", "Your abdominals and quadriceps both work, well done."),
        ("t-bar row", "T bar row"),
        ("[bold]Squat[/bold]", "Squat"),
    ],
)
def test_shorthand_is_written_out_before_it_is_read_aloud(written: str, read_aloud: str) -> None:
    assert spoken(written) == read_aloud


@needs_espeak
@pytest.mark.parametrize(
    ("written", "sounds_like"),
    [
        ("12 reps", "twelve repetitions"),
        ("85% of 60 kg", "eighty five per cent of sixty kilograms"),
        ("t bar row", "tee bar row"),
        ("your abs", "your abdominals"),
        ("lats", "latts"),
    ],
)
def test_the_engine_says_the_right_words(written: str, sounds_like: str) -> None:
    def phonemes(text: str) -> str:
        answer = subprocess.run(
            ["espeak-ng", "-q", "-x", "-v", "en", text], capture_output=True, encoding="utf-8", check=True
        )
        return "".join(letter for letter in answer.stdout if letter.isalnum() or letter in "@:")

    assert phonemes(spoken(written)) == phonemes(sounds_like)


@needs_espeak
def test_no_exercise_or_muscle_is_spelled_letter_by_letter() -> None:
    for name in (*catalog().exercise_names, *catalog().muscles):
        answer = subprocess.run(
            ["espeak-ng", "-q", "-x", "-v", "en", spoken(name)], capture_output=True, encoding="utf-8"
        )
        words = answer.stdout.split()
        assert len(words) == len(spoken(name).split()), f"{name} is said as {words}"


@needs_espeak
def test_speech_is_written_as_a_wav_of_the_words(tmp_path: Path) -> None:
    path, reference = tmp_path / "speech.wav", tmp_path / "reference.wav"
    text = "This looks like a t bar row, 85% sure. Your lats and biceps work, 12 reps."

    assert speak(text, file=path) is None

    with wave.open(str(path)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, RATE_HZ)
        duration_s = wav.getnframes() / wav.getframerate()
    assert 5 < duration_s < 12
    speech = read(path)
    assert 0.6 < np.abs(speech).max() < 0.8
    assert 0.03 < loudness(speech) < 0.3
    # espeak-ng itself makes the same sound from the same words at the same rate.
    words = "This looks like a T bar row, 85 percent sure. Your lats and biceps work, 12 repetitions."
    subprocess.run(["espeak-ng", "-v", "en-gb", "-s", "165", "-w", str(reference), words], check=True)
    expected = read(reference)
    assert abs(len(speech) - len(expected)) < RATE_HZ / 100
    shorter = min(len(speech), len(expected))
    assert np.corrcoef(speech[:shorter], expected[:shorter])[0, 1] > 0.99


@needs_espeak
def test_a_second_utterance_is_not_lost(tmp_path: Path) -> None:
    with Voice() as voice:
        voice.say("Get ready.", file=tmp_path / "first.wav")
        voice.say("Your head is out of the picture.", file=tmp_path / "second.wav")
        assert voice.finish() is None
    assert len(read(tmp_path / "first.wav")) > RATE_HZ / 2
    assert len(read(tmp_path / "second.wav")) > RATE_HZ


@needs_espeak
def test_lang_picks_the_voice(tmp_path: Path) -> None:
    for lang in ("en", "en-us", "de", "Scotland"):
        assert speak("Squat", lang=lang, file=tmp_path / f"{lang}.wav") is None
    sounds = [read(tmp_path / f"{lang}.wav").tobytes() for lang in ("en", "en-us", "de", "Scotland")]
    assert len(set(sounds)) == 4
    trouble = speak("Squat", lang="valyrian", file=tmp_path / "none.wav")
    assert trouble is not None
    assert "fitcli doctor" in trouble


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/squat\.wav cannot be written"):
        write_speech("Squat", Output(tmp_path / "nowhere" / "squat.wav"))


def test_a_tone_has_its_pitch_and_no_click() -> None:
    samples = tone(660, 0.25)
    assert len(samples) == RATE_HZ // 4
    assert abs(pitch_hz(samples) - 660) <= 4
    assert 0.6 < np.abs(samples).max() < 0.8
    assert np.abs(samples[:10]).max() < 0.05
    assert np.abs(samples[-10:]).max() < 0.05


@needs_alsa
def test_tones_are_played(sound_system: SoundSystem) -> None:
    heard = sound_system()
    with Voice() as voice:
        voice.beep(880, 0.5)
        assert voice.finish() is None
    samples = heard_in(heard)
    assert abs(len(samples) / RATE_HZ - 0.5) < 0.05
    assert abs(pitch_hz(samples) - 880) <= 5


@needs_alsa
@needs_espeak
def test_speech_is_played_whole(sound_system: SoundSystem, tmp_path: Path) -> None:
    heard = sound_system()
    assert speak("Your whole body is in the picture.") is None
    assert speak("Your whole body is in the picture.", file=tmp_path / "same.wav") is None
    loud = np.flatnonzero(np.abs(read(tmp_path / "same.wav")) > 0.01)
    assert abs(len(heard_in(heard)) - (loud[-1] - loud[0])) < RATE_HZ / 20


@needs_alsa
@needs_espeak
@pytest.mark.parametrize("target", ["|head -c 50000 > /dev/null", "|sleep 60", "/dev/full"])
def test_a_device_that_goes_away_in_mid_sentence_is_told(sound_system: SoundSystem, target: str) -> None:
    sound_system(target)
    began_s = time.monotonic()
    trouble = speak("This sentence is long enough to be cut off in the middle of it.")
    assert trouble is not None
    assert remedy.AUDIO_OUTPUT.here in trouble
    assert time.monotonic() - began_s < 40


@needs_alsa
def test_a_sound_system_that_crashes_or_has_no_device_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "asound.conf"
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))  # not there: ALSA or PortAudio ends the process
    assert find_output().trouble in ("crashed", "no_output")
    config.write_text("pcm.!default { type hw card 99 }\n", encoding="utf-8")
    assert find_output().trouble == "no_output"


@needs_alsa
@needs_espeak
def test_a_number_is_said_at_once_and_a_short_tone_stands_in_until_it_can_be(
    sound_system: SoundSystem, tmp_path: Path
) -> None:
    heard = sound_system()
    with Voice() as voice:
        voice.count(7, frequency_hz=880)  # not rendered yet
        assert voice.finish() is None
    assert abs(len(heard_in(heard)) / RATE_HZ - 0.08) < 0.03
    assert speak("7", file=tmp_path / "seven.wav") is None
    loud = np.flatnonzero(np.abs(read(tmp_path / "seven.wav")) > 0.01)
    with Voice() as voice:
        voice.prepare(["7"])
        voice.say("7", file=tmp_path / "ready.wav")  # written once it is rendered
        for _ in range(600):
            if (tmp_path / "ready.wav").exists():
                break
            time.sleep(0.05)
        voice.count(7, frequency_hz=880)
        assert voice.finish() is None
    assert abs(len(heard_in(heard)) - (loud[-1] - loud[0])) < RATE_HZ / 20


@needs_alsa
@needs_espeak
def test_a_number_never_cuts_off_a_sentence_and_is_not_said_late(sound_system: SoundSystem, tmp_path: Path) -> None:
    listener = tmp_path / "listen.py"
    listener.write_text(LISTENER_IN_REAL_TIME, encoding="utf-8")
    played = tmp_path / "played.raw"
    sound_system(f"|{sys.executable} {listener} {played}")
    sentence = "Keep your upper arms still beside your body and let only the elbows bend."
    assert speak(sentence, file=tmp_path / "whole.wav") is None
    whole_s = len(read(tmp_path / "whole.wav")) / RATE_HZ
    with Voice() as voice:
        voice.prepare(["3"])
        voice.say(sentence)
        deadline_s = time.monotonic() + 60
        while not (played.exists() and played.stat().st_size > 2 * RATE_HZ):  # half a second
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        voice.count(3, frequency_hz=880)
        assert voice.finish() is None
    played_s = played.stat().st_size / 4 / RATE_HZ
    assert played_s == pytest.approx(whole_s, abs=0.3)


def ended(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX processes")
def test_an_engine_that_hangs_is_given_up_and_ended(
    replace_library: ReplaceLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_library("pyttsx3", ENGINE_THAT_HANGS)
    monkeypatch.setenv("TOLD", str(tmp_path / "pid"))
    trouble = speak("Squat", file=tmp_path / "squat.wav")
    assert trouble is not None
    assert "did not answer" in trouble
    assert ended(int((tmp_path / "pid").read_text(encoding="utf-8")))


@pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX processes")
def test_ctrl_c_silences_at_once_and_leaves_nothing_running(
    replace_library: ReplaceLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_library("pyttsx3", ENGINE_THAT_HANGS)
    told = tmp_path / "pid"
    monkeypatch.setenv("TOLD", str(told))
    speaker = subprocess.Popen(
        [sys.executable, "-c", "from fitcli.voice import speak; speak('Squat')"], stderr=subprocess.PIPE
    )
    while not (told.exists() and told.read_text(encoding="utf-8")):
        assert speaker.poll() is None
        time.sleep(0.05)
    speaker.send_signal(signal.SIGINT)
    _, message = speaker.communicate(timeout=5)
    assert b"KeyboardInterrupt" in message
    assert ended(int(told.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("source", "what", "command"),
    [
        (ENGINE_WITHOUT_LIBRARY, "is missing", remedy.SPEECH_ENGINE),
        (ENGINE_WITHOUT_VOICES, "no voices", remedy.SPEECH_VOICES),
        (ENGINE_THAT_DIES, "failed", remedy.SPEECH_ENGINE),
    ],
)
def test_an_engine_that_is_missing_or_broken_costs_one_line(
    replace_library: ReplaceLibrary, tmp_path: Path, source: str, what: str, command: remedy.Remedy
) -> None:
    replace_library("pyttsx3", source)
    trouble = speak("Squat", file=tmp_path / "squat.wav")
    assert trouble is not None
    assert what in trouble
    assert command.here in trouble
    assert "\n" not in trouble


def test_missing_portaudio_costs_one_line(replace_library: ReplaceLibrary) -> None:
    replace_library("sounddevice", SOUNDDEVICE_WITHOUT_PORTAUDIO)
    with Voice() as voice:
        voice.beep(660)
        assert voice.finish() == "no_portaudio"
    assert find_output().trouble == "no_portaudio"


def test_a_beep_does_not_wait_for_an_engine_that_hangs(
    replace_library: ReplaceLibrary, sound_system: SoundSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (sys.platform == "linux" and find_library("portaudio") and find_library("asound")):
        pytest.skip("needs ALSA and PortAudio: sudo apt install libportaudio2")
    heard = sound_system()
    replace_library("pyttsx3", ENGINE_THAT_HANGS)
    monkeypatch.setenv("TOLD", str(tmp_path / "pid"))
    with Voice() as voice:
        voice.prepare(["three"])
        voice.beep(660, 0.2, then="three")
        for _ in range(100):
            if heard.exists() and heard.stat().st_size > 44:
                break
            time.sleep(0.05)
    assert heard.stat().st_size > 44
