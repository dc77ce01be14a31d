"""Brings what the README shows up to date, from real runs: the outputs in it and the picture docs/analyze.svg.

    python docs/refresh.py

The fenced block after `<!-- output: NAME -->` is filled by the command that `OUTPUTS` gives for that name.
"""

from __future__ import annotations

import io
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 80
OUTPUTS = {
    "analyze": "fitcli analyze samples/squat.mp4",
    "batch": "fitcli analyze samples notes.mp4",
    "live": "fitcli record --live --camera samples/squat.mp4 --countdown 1 --no-preview",
    "doctor": "fitcli doctor",
    "history": "fitcli history",
    "stats": "fitcli history stats",
    "exercises": "fitcli exercises",
    "verify": "fitcli checkpoints verify checkpoints",
}


def run(command: str, folder: Path, **environment: str) -> str:
    """The command's result, as a terminal of `COLUMNS` columns would show it."""
    arguments = [sys.executable, "-P", "-m", *shlex.split(command)]
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "COLUMNS": str(COLUMNS), **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.stderr if "--live" in arguments else done.stdout  # there, the table is like any other


def draw(command: str, colours: str, to: Path) -> None:
    """Write an SVG of a terminal that shows the command and its output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", "bold"))
    console.print(Text.from_ansi(colours))
    # Rich's drawing fetches its font from the net; without that every viewer takes its own monospaced font.
    drawing = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(to), title="fitcli", theme=DIMMED_MONOKAI, code_format=drawing, unique_id="fitcli")


def main() -> None:
    """Run every command of `OUTPUTS` in a fresh folder and put what it prints into the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sessions").mkdir()
        (folder / "samples").mkdir()
        for sample in (ROOT / "samples").glob("*.mp4"):
            (folder / "samples" / sample.name).symlink_to(sample)
        (folder / "checkpoints").symlink_to(ROOT / "checkpoints")
        (folder / "notes.mp4").write_text("legs on Monday", encoding="utf-8")
        for key, command in OUTPUTS.items():
            printed = run(command, folder)
            if key == "batch":  # each file's own table looks like the one above
                printed = "...\n" + printed[printed.rindex("\n\n") + 2 :]
            printed = printed.replace(str(ROOT), "~/fitcli").replace(platform.platform(), platform.system())
            block = "\n".join(line.rstrip() for line in f"$ {command}\n{printed}".splitlines())
            pattern = rf"(<!-- output: {key} -->\n```console\n).*?(\n```)"
            readme, found = re.subn(
                pattern, lambda fence, text=block: fence[1] + text + fence[2], readme, flags=re.DOTALL
            )
            if not found:
                sys.exit(f"README.md has no block for {key}")
        command = OUTPUTS["analyze"]
        draw(command, run(f"{command} --no-voice", folder, FORCE_COLOR="1"), ROOT / "docs" / "analyze.svg")
    (ROOT / "README.md").write_text(readme, encoding="utf-8")


if __name__ == "__main__":
    main()
