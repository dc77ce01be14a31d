"""Beeps and speech, made in a child process with a time limit, so that no sound library can hang or end fitcli."""

from fitcli.voice.speaker import (
    TROUBLES,
    Found,
    Voice,
    find_output,
    find_voices,
    output_expected,
    speak,
    trouble_line,
    write_speech,
)

__all__ = [
    "TROUBLES",
    "Found",
    "Voice",
    "find_output",
    "find_voices",
    "output_expected",
    "speak",
    "trouble_line",
    "write_speech",
]
