"""Draws docs/analyze.svg, the picture in the README: what `fitcli analyze samples/squat.mp4` prints, from a real run.

    python docs/pictures.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

import fitcli
from fitcli.report import terminal

DOCS = Path(__file__).resolve().parent
COLUMNS = 80


def main() -> None:
    """Analyse the sample and write the picture."""
    sample = DOCS.parent / "samples" / "squat.mp4"
    analysis = fitcli.analyze(sample, device="cpu")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False, force_terminal=True)
    console.print("$ fitcli analyze samples/squat.mp4", style="bold")
    console.print(terminal.result(analysis, saved="sessions/2026-11-22T18-00-00.000Z-squat-1f3a9c2e.json"))
    # Rich's SVG fetches its font from the net; without that every viewer takes its own monospaced font.
    drawing = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(DOCS / "analyze.svg"), title="fitcli", theme=DIMMED_MONOKAI, code_format=drawing, unique_id="f")


if __name__ == "__main__":
    main()
