"""Beeps and speech from a child process with a time limit: no sound library can hang or crash fitcli."""

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
