"""`fitcli dataset`: cut a folder of labelled videos into train, val and test, and look for clips in two of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitcli.cli import options
from fitcli.cli.console import note, progress, stdout
from fitcli.cli.help import App
from fitcli.errors import LEAKS_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fitcli.training.rgb.split import Leak
    from fitcli.training.rgb.videos import LeftOut

app = App(help="Make and check data sets for training on videos.", no_args_is_help=True)

SHOWN = 12
"""Leaks and files that are listed; of more, the number."""


def _shares(given: str) -> tuple[float, float, float]:
    parts = given.replace("/", ",").split(",")
    try:
        train, val, test = (float(part) for part in parts)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is not three shares: write 60,20,20.") from None
    if train <= 0 or val < 0 or test < 0:
        raise typer.BadParameter(f"{given!r}: train needs more than 0, the others 0 or more.")
    return train, val, test


@app.command()
def split(
    videos: Annotated[
        Path,
        typer.Argument(
            parser=options.given_path,
            metavar="VIDEOS",
            help="Folder with <exercise>/*.mp4, or with the videos of --labels.",
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", parser=options.given_path, metavar="DIR", help="New folder for train, val and test.")
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_path,
            metavar="TSV",
            help="Table with the columns file, class and, if you know it, group.",
        ),
    ] = None,
    group_regex: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="What of a clip's path names its recording, as '/(.+)_clip'; default: the name less its counter.",
        ),
    ] = None,
    shares: Annotated[
        str, typer.Option(metavar="A,B,C", help="Shares of train, val and test; default: the paper's.")
    ] = "58,21,21",
    copy: Annotated[bool, typer.Option("--copy", help="Copy the videos instead of linking to them.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
) -> None:
    """Cut labelled videos into train, val and test so that clips of one recording stay together."""
    wanted = _shares(shares)
    from fitcli.training.rgb import split as splitting  # numpy and the engines
    from fitcli.training.rgb.videos import SPLITS

    splitting.check_new(to)
    with progress("reading", shown=True) as on_progress:
        clips, left_out = splitting.read_clips(videos, labels=labels, pattern=group_regex, on_progress=on_progress)
    placed = splitting.write(splitting.plan(clips, wanted, seed), to, "copy" if copy else "symlink")
    groups = {part: len({e.clip.group for e in placed if e.split == part}) for part in SPLITS}
    _counts(Counter((entry.split, entry.clip.name) for entry in placed), groups)
    _left_out(left_out)
    if scarce := splitting.scarce(placed):
        names = ", ".join(f"{name} ({count})" for name, count in scarce.items())
        note(f"Of too few recordings to be in every part: {names}. If names mislead, say --group-regex.")
    _leaks(splitting.name_warnings(placed))
    note(f"Split: {to}. Look for leaks that names do not show: fitcli dataset check {to}")


@app.command()
def check(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=options.given_path,
            metavar="DIR",
            help="Folder with train|val|test/<exercise>/*.mp4, or of pose sequences.",
        ),
    ],
) -> None:
    """Look for unreadable files, for clips of one recording in two parts, and for sequences that are listed twice."""
    if (folder / "clips.tsv").is_file():
        _check_sequences(folder)
        return
    from fitcli.training.rgb.split import check as examine  # numpy and the engines

    with progress("checking", shown=True) as on_progress:
        found = examine(folder, on_progress=on_progress)
    _counts(found.counts, found.groups)
    _left_out(found.left_out)
    _leaks(found.leaks)
    if found.leaks:
        raise typer.Exit(LEAKS_CODE)
    unreadable = any(entry.error for entry in found.left_out)
    note("No leak was found." if not unreadable else "No leak was found, but some files cannot be read.")
    raise typer.Exit(5 if unreadable else 0)


def _check_sequences(folder: Path) -> None:
    from fitcli.training.pose.sequences import listed_twice, load_sequences

    sequences = load_sequences(folder)
    with progress("checking", shown=True) as on_progress:
        groups = listed_twice(sequences, on_progress)
    for group in groups[:SHOWN]:
        rows = ", ".join(f"{s.id} ({s.split}, {s.labels.exercise or 'ambiguous'}, {s.series})" for s in group)
        note(f"equal landmarks: {rows}", style="red")
    if len(groups) > SHOWN:
        note(f"equal landmarks: {len(groups) - SHOWN} more groups", style="red")
    if groups:
        raise typer.Exit(LEAKS_CODE)
    note(f"{len(sequences)} sequences, none of them listed twice.")


def _counts(counts: Mapping[tuple[str, str], int], groups: Mapping[str, int]) -> None:
    from rich.table import Table

    from fitcli.training.rgb.videos import SPLITS

    table = Table(box=None, pad_edge=False)
    table.add_column("clips")
    for part in SPLITS:
        table.add_column(part, justify="right")
    for name in sorted({name for _, name in counts}):
        table.add_row(name, *(str(counts.get((part, name), 0) or "-") for part in SPLITS))
    total = Counter({part: sum(n for (p, _), n in counts.items() if p == part) for part in SPLITS})
    table.add_row("all", *(str(total[part]) for part in SPLITS), style="bold")
    table.add_row("recordings", *(str(groups[part]) for part in SPLITS), style="bright_black")
    stdout().print(table)


def _left_out(entries: Sequence[LeftOut]) -> None:
    for entry in entries[:SHOWN]:
        note(f"left out: {entry.path}: {entry.explanation}", style="yellow")
    if len(entries) > SHOWN:
        note(f"left out: {len(entries) - SHOWN} more files", style="yellow")


def _leaks(leaks: Sequence[Leak]) -> None:
    for leak in leaks[:SHOWN]:
        note(f"leak: {leak.first} and {leak.second} {leak.why}", style="red")
    if len(leaks) > SHOWN:
        note(f"leak: {len(leaks) - SHOWN} more pairs", style="red")
