"""Bring what the pages show up to date, from real runs: outputs, tables of options, docs/analyze.svg.

    python docs/refresh.py                    # everything; needs the extra train
    python docs/refresh.py options exercises  # only these blocks

In README.md and docs/*.md, the fenced block after `<!-- output: NAME -->` gets what the command in `OUTPUTS` prints,
and the table between `<!-- options: COMMAND -->` and `<!-- end -->` lists the arguments and options of that command.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from typer.main import get_command

from fitcli.cli import app
from fitcli.history.store import SessionStore

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COLUMNS = 80
OUTPUTS = {
    "exercises": "fitcli exercises",
    "history": "fitcli history",
    "stats": "fitcli history stats",
    "batch": "fitcli analyze samples notes.mp4",
    "live": "fitcli record --live --camera samples/squat.mp4 --countdown 1 --no-preview",
    "verify": "fitcli checkpoints verify checkpoints",
    "doctor": "fitcli doctor",
}
NOT_A_VIDEO = 5
"""The exit code of a batch in which only notes.mp4 fails."""
ANALYZE = "fitcli analyze samples/squat.mp4"
"""The command in docs/analyze.svg, which the name "analyze" stands for."""
OPTIONS = "options"
"""Names the tables of options on the command line of this script."""

LOG = ((15, "squat", 40), (15, "push-up", None), (12, "bicep curl", 12), (8, "squat", 45), (5, "push-up", None),
       (5, "bicep curl", 14), (1, "squat", 50), (1, "push-up", None))  # fmt: skip
"""The training log in the examples: days ago, exercise, and kilograms. Each session is one of the samples."""


def main(wanted: Sequence[str]) -> None:
    """Refresh the blocks that are named, or all of them."""
    known = [*OUTPUTS, "analyze", OPTIONS]
    if unknown := set(wanted) - set(known):
        sys.exit(f"There is no block {', '.join(sorted(unknown))}: choose from {', '.join(known)}.")
    names = [name for name in known if not wanted or name in wanted]
    blocks = [(f"<!-- output: {name} -->\n```console", text, "\n```") for name, text in printed(names)]
    if OPTIONS in names:
        for path, command in commands():
            if shown_parameters(command):
                blocks.append((f"<!-- options: {' '.join(path)} -->", option_table(command), "\n<!-- end -->"))
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    for begin, block, end in blocks:
        fill(texts, begin, block, end)
    for page, text in texts.items():
        page.write_text(text, encoding="utf-8")


def fill(texts: dict[Path, str], begin: str, block: str, end: str) -> None:
    """Replace what stands between `begin` and `end` on every page; ends the program if no page has such a block."""
    pattern = re.compile(rf"({re.escape(begin)}).*?({re.escape(end)})", re.DOTALL)
    if not any(pattern.search(text) for text in texts.values()):
        sys.exit(f"No page has a block that begins with {begin!r}.")
    for page, text in texts.items():
        texts[page] = pattern.sub(lambda fence: f"{fence[1]}\n{block}{fence[2]}", text)


def printed(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Run the commands in a fresh home folder; yields the name of each block with what a user sees, prompt included."""
    if names == [OPTIONS]:
        return
    with tempfile.TemporaryDirectory() as name:
        home = Path(name).resolve()
        folder = home / "fitcli"
        (folder / "sessions").mkdir(parents=True)
        (folder / "samples").mkdir()
        for sample in (ROOT / "samples").glob("*.mp4"):
            (folder / "samples" / sample.name).symlink_to(sample)
        (folder / "checkpoints").symlink_to(ROOT / "checkpoints")
        (folder / "notes.mp4").write_text("legs on Monday", encoding="utf-8")
        environment = {"HOME": str(home), "TZ": "UTC", "XDG_CACHE_HOME": "", "XDG_DATA_HOME": ""}
        if {"history", "stats", "analyze"} & set(names):
            keep_log(folder, environment)  # fills the cache too, as a user's is
        for key in [key for key in OUTPUTS if key in names]:
            python = light_python(folder) if key == "doctor" else Path(sys.executable)
            text = tidy(run(OUTPUTS[key], folder, environment, python), home)
            if key == "batch":  # each file's own table looks like that in docs/analyze.svg
                text = "...\n" + text[text.rindex("\n\n") + 2 :]
            yield key, "\n".join(line.rstrip() for line in f"$ {OUTPUTS[key]}\n{text}".splitlines())
        if "analyze" in names:
            colours = run(f"{ANALYZE} --no-voice", folder, {**environment, "FORCE_COLOR": "1"})
            draw(ANALYZE, tidy(colours, home), ROOT / "docs" / "analyze.svg")


def run(command: str, folder: Path, environment: dict[str, str], python: Path = Path(sys.executable)) -> str:
    """What the command prints in a terminal of `COLUMNS` columns."""
    arguments = [str(python), "-P", "-m", *shlex.split(command)]
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "COLUMNS": str(COLUMNS), **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode not in (0, NOT_A_VIDEO if "notes.mp4" in arguments else 0):
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stderr if "--live" in arguments else done.stdout  # there, the table is like any other


def tidy(text: str, home: Path) -> str:
    """Without what only this machine has: the home folder becomes ~, and the kernel's name goes."""
    text = re.sub(rf"{re.escape(platform.platform())},\s+", f"{platform.system()}, ", text)
    return text.replace(str(home), "~").replace(str(Path(tempfile.gettempdir())), "/tmp")


def keep_log(folder: Path, environment: dict[str, str]) -> None:
    """Analyse the samples once and store them as the sessions of `LOG`."""
    lines = run("fitcli analyze samples --json --no-voice", folder, environment).splitlines()
    store = SessionStore(folder / "sessions")
    stored = {line["exercise"]["name"]: Path(folder, line["session"]) for line in map(json.loads, lines)}
    fields = {exercise: json.loads(path.read_text(encoding="utf-8")) for exercise, path in stored.items()}
    for path in stored.values():
        path.unlink()
    evening = datetime.now(UTC).replace(hour=18, minute=5, second=0, microsecond=0)
    for number, (days, exercise, kilograms) in enumerate(LOG):
        created = (evening - timedelta(days=days) + timedelta(minutes=7 * number)).isoformat(timespec="milliseconds")
        identifier = hashlib.sha256(f"{number} {exercise}".encode()).hexdigest()[:8]
        store.add({**fields[exercise], "id": identifier, "created": created, "weight_kg": kilograms})


def light_python(folder: Path) -> Path:
    """An environment as `make demo` sets it up, without PyTorch."""
    environment = folder / ".venv"
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins = [f"--requirement={ROOT / 'requirements' / name}.txt" for name in ("build", "run")]
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [*install, "--require-hashes", *pins],
        [*install, "--no-deps", "--no-build-isolation", f"--editable={ROOT}"],
    ):
        subprocess.run(command, check=True)
    return python


def draw(command: str, colours: str, to: Path) -> None:
    """Write an SVG of a terminal that shows the command and its output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", "bold"))
    console.print(Text.from_ansi(colours))
    # Rich's drawing fetches its font from the net; without that every viewer takes its own monospaced font.
    drawing = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(to), title="fitcli", theme=DIMMED_MONOKAI, code_format=drawing, unique_id="fitcli")


Command = Any
"""A command of click, which newer versions of typer bring along under another name."""


def commands() -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command that `fitcli --help` and the help of its groups list, with its path, fitcli itself first."""

    def below(command: Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Command]]:
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                yield from below(child, (*path, name))

    return below(get_command(app), ("fitcli",))


def shown_parameters(command: Command) -> list[Any]:
    """The arguments and options that the command's help lists, less --help."""
    return [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]


def option_table(command: Command) -> str:
    """The command's arguments and options as a Markdown table."""
    rows = [f"| {_spelling(p)} | {_escaped(p.help or '')}{_default(p)} |" for p in shown_parameters(command)]
    return "\n".join(["| argument or option | meaning |", "|---|---|", *rows])


def _escaped(text: str) -> str:
    """The text without what Markdown would take for a cell's end, a tag or emphasis."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _spelling(parameter: Any) -> str:
    """How the parameter is written: "VIDEO...", "--top N", "--voice, --no-voice"."""
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name).removeprefix("-- ").strip("[]")
        name += "..." if parameter.nargs == -1 else ""
        return f"`{name}`" if parameter.required else f"`[{name}]`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.is_flag:
        return names
    choices = [getattr(choice, "value", choice) for choice in getattr(parameter.type, "choices", ())]
    value = parameter.metavar or "|".join(choices) or ("TEXT" if parameter.type.name in ("text", "str") else "N")
    return f"{names} `{value}`".replace("|", "\\|")


def _default(parameter: Any) -> str:
    """The default in brackets, where the help shows one."""
    value = parameter.default
    hidden = parameter.param_type_name == "argument" or parameter.is_flag or parameter.show_default is False
    if hidden or value is None or value == "":
        return ""
    return f" (default: {getattr(value, 'value', value)})"


if __name__ == "__main__":
    main(sys.argv[1:])
