"""The two streams, and the one place that turns an error into a sentence and an exit code."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console

from fitcli.errors import FitcliError, Setting
from fitcli.interrupt import heed
from fitcli.report.terminal import printable

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, the convention of shells."""

OPTIONS = {
    Setting.ARCHITECTURE: "--architecture",
    Setting.BATCH_SIZE: "--batch",
    Setting.CACHE: "--cache",
    Setting.CAMERA: "--camera",
    Setting.CHANNEL_REDUCTION: "--channel-reduction",
    Setting.CHECKPOINTS: "--checkpoints",
    Setting.COPY: "--copy",
    Setting.DEVICE: "--device",
    Setting.DEVICES: "--devices",
    Setting.FOLD: "--fold",
    Setting.LIVE: "--live",
    Setting.OUTPUT_FOLDER: "--to",
    Setting.OVERWRITE: "--overwrite",
    Setting.PRETRAINED: "--pretrained",
    Setting.RESOLUTION: "--resolution",
    Setting.RUN_FOLDER: "--run",
    Setting.SESSIONS: "--sessions",
    Setting.TRUST: "--trust-checkpoint",
}
"""The option that changes each setting, of whichever command has it."""


def prepare_streams() -> None:
    """Print characters that the terminal's encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def stdout() -> Console:
    """The stream for results."""
    return Console(highlight=False, markup=False)


def stderr() -> Console:
    """The stream for progress and everything else that is not a result."""
    return Console(stderr=True, highlight=False, markup=False)


_under_bar: list[Console] = []
"""The console of the visible progress bar. Only what this console prints appears above the bar, not across it."""


def note(sentence: str, style: str = "bright_black") -> None:
    """Print one line on stderr. The terminal wraps it, so that a search in a log finds the whole sentence."""
    (_under_bar[-1] if _under_bar else stderr()).print(sentence, style=style, soft_wrap=True)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(printable(record.getMessage()))


def print_log() -> None:
    """Print fitcli's log on stderr, one line a record: details that help a user only when something goes wrong."""
    log = logging.getLogger("fitcli")
    log.addHandler(_Notes())
    log.setLevel(logging.INFO)
    log.propagate = False


def explain(error: Exception) -> str:
    """The sentence for an error, with the option that fixes it if there is one."""
    if isinstance(error, FitcliError):
        option = f" ({OPTIONS[error.setting]})." if error.setting else ""
        return printable(str(error).removesuffix("." if option else "") + option)
    kind = type(error).__name__
    reason = printable(" ".join(str(error).split()))
    return f"fitcli failed in a way it does not know ({kind}: {reason}); run it again with -v to see where."


def complain(error: Exception, *, verbose: bool) -> int:
    """Report an error on stderr, with a traceback if it is unexpected and `verbose`; returns the exit code."""
    if verbose and not isinstance(error, FitcliError):
        traceback.print_exception(error)
    note(explain(error), style="red")
    return error.exit_code if isinstance(error, FitcliError) else 1


def exit_code(codes: Iterable[int]) -> int:
    """The exit code of a batch: 0 without failures, the failures' code if they share one, otherwise 1."""
    failures = set(codes) - {0}
    return failures.pop() if len(failures) == 1 else int(bool(failures))


@contextmanager
def progress(label: str, *, shown: bool) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr while the block runs, on terminals only; gives a function to call with 0..1."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(
        *columns,
        console=stderr(),
        transient=True,
        # Rich would count FORCE_COLOR as a terminal, but it asks for colours in a log, not for a moving bar.
        disable=not (shown and sys.stderr.isatty()),
        refresh_per_second=5,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task(label, total=1.0)
        _under_bar.append(bar.console)

        def update(share: float) -> None:
            heed()
            bar.update(task, completed=share)

        try:
            yield update
        finally:
            _under_bar.pop()


@contextmanager
def stages(*, shown: bool) -> Iterator[Callable[[str, float], None]]:
    """Progress bars for work in stages; gives a function to call with the name of a stage and its share 0..1.

    The bar disappears when its stage is done, so that later work can draw its own.
    """
    with ExitStack() as bars:
        label = ""
        update: Callable[[float], None] | None = None

        def advance(stage: str, share: float) -> None:
            nonlocal label, update
            if stage != label:
                bars.close()
                label, update = stage, bars.enter_context(progress(stage, shown=shown))
            if update:
                update(share)
            if share >= 1:
                bars.close()
                label, update = "", None

        yield advance
