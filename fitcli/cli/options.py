"""Options shared by several commands, so that each has one name, one meaning and one help text."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ANSWER = "Answer"
FILES = "Files to write"
SESSION = "Session"
ENGINE = "Engine"
VOICE = "Voice"


KILOGRAMS_PER_POUND = 0.45359237

_WEIGHT = re.compile(r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>kgs?|lbs?)?", re.IGNORECASE)


def _kilograms(given: str) -> float:
    """The kilograms in "60kg", "135 lb" or "60"; raises `typer.BadParameter` for a weight that nobody lifts."""
    written = _WEIGHT.fullmatch(given.strip())
    if not written:
        raise typer.BadParameter(f"{given!r} is not a weight: write it as 60kg or 135lb.")
    number = float(written["number"].replace(",", "."))
    kilograms = number * (KILOGRAMS_PER_POUND if (written["unit"] or "kg").lower().startswith("lb") else 1)
    if not 0 < kilograms <= 1000:
        raise typer.BadParameter(f"{given!r} is not a weight between 0 and 1000 kg.")
    return round(kilograms, 2)


def given_name(given: str) -> str:
    """The name of a camera or a file, unchanged; raises `typer.BadParameter` for an empty one.

    An empty argument is usually an unset shell variable, and `Path("")` is the current folder. Every parameter that
    names a file, a folder or a camera has this parser or one of those below.
    """
    if not given:
        raise typer.BadParameter("it is empty: give a name.")
    return given


def given_path(given: str | Path) -> Path:
    """The path of a file or folder; raises `typer.BadParameter` for an empty one."""
    if not str(given):
        raise typer.BadParameter("it is empty: give a name, or . for the current folder.")
    return Path(given)


def given_output(given: str | Path) -> Path:
    """The path of an output file; raises `typer.BadParameter` for a path that ends in a separator."""
    path = given_path(given)
    if str(given).endswith(separators()):
        raise typer.BadParameter(f"{given} is a folder: name a file.")
    return path


STREAM = Path("-")
"""Means stdout for outputs and stdin for inputs; a file of that name is ./-."""


def given_file_or_stream(given: str | Path) -> Path:
    """The path of a file, or `STREAM`."""
    path = given_output(given)
    return path.absolute() if path == STREAM and str(given) != "-" else path


def separators() -> tuple[str, ...]:
    """The path separators of this system; a path that ends in one means a folder."""
    return tuple(filter(None, (os.sep, os.altsep)))


for _parser, _shown in (
    (given_name, "text"),
    (given_path, "path"),
    (given_output, "path"),
    (given_file_or_stream, "path"),
):
    _parser.__name__ = _shown  # the type that --help shows


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Checkpoints = Annotated[
    Path | None,
    typer.Option(
        parser=given_path,
        metavar="DIR",
        help="Folder of networks; otherwise $FITCLI_CHECKPOINTS, ./checkpoints or the shipped ones.",
        rich_help_panel=ENGINE,
    ),
]
OnDevice = Annotated[
    Device,
    typer.Option("--device", help="Device of the networks; auto takes the faster.", rich_help_panel=ENGINE),
]
TrustCheckpoint = Annotated[
    bool,
    typer.Option(
        "--trust-checkpoint",
        help="Load checkpoints that can run code on this machine.",
        rich_help_panel=ENGINE,
    ),
]
ReferenceScores = Annotated[
    bool,
    typer.Option(
        "--reference-scores",
        help="Score as the reference system does: two seconds, muscles as shares of 100 %.",
        rich_help_panel=ENGINE,
    ),
]
Sessions = Annotated[
    Path | None,
    typer.Option(
        parser=given_path,
        metavar="DIR",
        help="Folder of sessions; otherwise $FITCLI_SESSIONS, ./sessions or your data folder.",
        rich_help_panel=SESSION,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace existing output files; never an input.", rich_help_panel=FILES),
]
NoSave = Annotated[bool, typer.Option("--no-save", help="Do not store the session.", rich_help_panel=SESSION)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON Lines and nothing else.", rich_help_panel=ANSWER)]
Top = Annotated[int, typer.Option(min=1, metavar="N", help="Exercises to name.", rich_help_panel=ANSWER)]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="One line a file, no progress bar, no speech.", rich_help_panel=ANSWER)
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also show timings, checksums and windows.", rich_help_panel=ANSWER)
]
Weight = Annotated[
    float | None,
    typer.Option(
        parser=_kilograms,
        metavar="60kg|135lb",
        help="Weight you moved, stored with the session.",
        rich_help_panel=SESSION,
    ),
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Note, stored with the session.", rich_help_panel=SESSION)]
Spoken = Annotated[
    bool | None,
    typer.Option(
        "--voice/--no-voice",
        help="Read the advice aloud; default: if it can be heard.",
        show_default=False,
        rich_help_panel=VOICE,
    ),
]
VoiceFile = Annotated[
    Path | None,
    typer.Option(
        parser=given_output,
        metavar="WAV",
        help="Write the speech to a file instead of playing it.",
        rich_help_panel=FILES,
    ),
]
Lang = Annotated[
    str | None,
    typer.Option(metavar="VOICE", help="Language or name of the voice; the advice is English.", rich_help_panel=VOICE),
]
