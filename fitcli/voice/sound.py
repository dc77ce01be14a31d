"""Sounds as samples: synthesised tones, rendered speech, and WAV files."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""(N,) mono samples in -1..1 at `RATE_HZ`."""

RATE_HZ = 48_000
"""The rate of nearly all sound devices; speech engines render at 22.05 kHz and are resampled."""

PEAK = 0.7
"""Loudest sample of every sound, so that beeps and speech are equally loud."""

FADE_S = 0.01
"""Seconds of a tone's fade-in and fade-out, without which the loudspeaker clicks."""


def tone(frequency_hz: float, duration_s: float) -> Samples:
    """A soft sine tone."""
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    envelope = np.clip(np.minimum(time_s, duration_s - time_s) / FADE_S, 0, 1)
    return (PEAK * envelope * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def read(path: Path) -> Samples:
    """The sound in an audio file, mono at `RATE_HZ`, normalised to `PEAK`; empty if the file holds none.

    It is read with PyAV because the engine of macOS writes AIFF whatever the file's name.
    """
    import av  # slow to import, and tones do not need it

    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    parts: list[npt.NDArray[Any]] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                parts += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
            parts += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    except (av.FFmpegError, IndexError):  # a header without samples, or no audio at all
        return np.zeros(0, np.float32)
    samples = np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
    loudest = float(np.abs(samples).max(initial=0))
    return samples * np.float32(PEAK / loudest) if loudest else np.zeros(0, np.float32)


def write(path: Path, samples: Samples) -> None:
    """Write 16-bit mono WAV; raises `OSError`."""
    with path.open("wb") as file, wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE_HZ)
        wav.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
