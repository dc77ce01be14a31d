"""`fitcli train`: its two commands, and for one release the spelling that was one command for both."""

from __future__ import annotations

from typing import Any

import typer

from fitcli.cli.console import note
from fitcli.cli.help import App, Group
from fitcli.cli.training.pose import train_pose
from fitcli.cli.training.videos import train_videos
from fitcli.training.run_folder import is_first_process

COMMANDS = {"pose": "pose", "rgb": "videos"}
"""The command for each value of `--input` in version 0.1."""


class _Commands(Group):
    """Reads `fitcli train DATA --input rgb` as `fitcli train videos DATA`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = _new_spelling(args)
        return super().parse_args(ctx, args)


app = App(cls=_Commands, help="Train a network on pose sequences or on videos.", no_args_is_help=True)
app.command("pose")(train_pose)
app.command("videos")(train_videos)


def _new_spelling(args: list[str]) -> list[str]:
    """The arguments of version 0.1 in the new spelling; prints one line about the change."""
    given, rest = "pose", []
    words = iter(args)
    for word in words:
        name, equals, value = word.partition("=")
        if name == "--input":
            given = value if equals else next(words, "")
        else:
            rest.append(word)
    if given not in COMMANDS:
        raise typer.BadParameter(f"{given!r} is neither pose nor rgb.", param_hint="--input")
    command = COMMANDS[given]
    if is_first_process():
        note(f"Write `fitcli train {command} DATA`: the next version does not read `fitcli train DATA` any more.")
    return [command, *rest]
