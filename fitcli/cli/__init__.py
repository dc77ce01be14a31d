"""The command line: one thin file a command. A command imports what it needs when it runs."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import warnings
from typing import Annotated

import typer

from fitcli.cli import history
from fitcli.cli.analyze import analyze
from fitcli.cli.console import INTERRUPTED, complain, prepare_streams, print_log
from fitcli.cli.doctor import doctor
from fitcli.cli.exercises import exercises
from fitcli.cli.help import App
from fitcli.cli.record import record
from fitcli.cli.training import checkpoints, dataset, train
from fitcli.cli.training.ablate import ablate
from fitcli.cli.training.evaluate import evaluate
from fitcli.isolation import isolate_children
from fitcli.version import __version__

app = App(
    name="fitcli",
    help="A coach in the terminal: names the exercise in a video, shows which muscle groups work, says what to change.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(record)
app.command()(analyze)
app.add_typer(history.app, name="history")
app.command()(exercises)
app.command()(doctor)
app.add_typer(train.app, name="train")
app.command()(evaluate)
app.command()(ablate)
app.add_typer(dataset.app, name="dataset")
app.add_typer(checkpoints.app, name="checkpoints")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fitcli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of fitcli itself."""


def main() -> None:
    """Run the command line; the entry point of `fitcli` and of `python -m fitcli`."""
    isolate_children()
    verbose = not {"-v", "--verbose"}.isdisjoint(sys.argv)
    prepare_streams()
    if verbose:
        print_log()
    if not (verbose or sys.warnoptions):
        warnings.simplefilter("ignore")  # warnings address developers; users get sentences that they can act on
    try:
        app(prog_name="fitcli")
    except SystemExit as ended:
        _leave(ended.code)
        raise
    except Exception as error:  # whatever a command did not handle becomes a sentence here
        sys.exit(complain(error, verbose=verbose))


def _leave(code: object) -> None:
    """End the process at once if nothing is left to do: unloading OpenVINO takes a tenth of a second or more.

    Returns if the process must end in the ordinary way.
    """
    workers = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    # After Ctrl-C, nobody needs the result of their work, such as a compiled network.
    if "openvino" not in sys.modules or not isinstance(code, int | None) or (workers and code != INTERRUPTED):
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads the pipe any more: Python reports it
        return
    os._exit(code or 0)
