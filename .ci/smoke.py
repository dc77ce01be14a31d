"""Whether an installed fitcli works: every kind of command once, as a user types it, with the answers checked.

    ENVIRONMENT/bin/python .ci/smoke.py SAMPLES

Runs with the Python of the environment that it tries, which needs nothing but fitcli. Prints one JSON object, the steps
by name with null or what went wrong; the exit code is 0 if every step passed.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from ctypes.util import find_library
from pathlib import Path
from typing import Any

LIMIT_S = 600
REPETITIONS = {"bicep-curl.mp4": ("bicep curl", 2), "push-up.mp4": ("push-up", 3), "squat.mp4": ("squat", 2)}
INVALID_VIDEO = 5
"""The exit code for files that are no videos."""


class Installed:
    """The fitcli command of this environment, run in a folder of its own with its own sessions and caches."""

    def __init__(self, folder: Path, samples: Path) -> None:
        self.folder = folder
        self.samples = samples
        self.command = Path(sys.executable).parent / "fitcli"
        # A sound card that swallows everything, so that doctor tries PortAudio for real.
        (folder / "asound.conf").write_text(
            "pcm.!default { type null }\nctl.!default { type null }\n", encoding="utf-8"
        )
        ours = ("FITCLI_", "PYTHONPATH", "NO_COLOR", "FORCE_COLOR")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
            "COLUMNS": "80",
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def run(self, *arguments: object, code: int = 0) -> str:
        """What the command prints on stdout; an AssertionError with what it said where the exit code is another."""
        done = subprocess.run(
            [self.command, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )
        said = " ".join((done.stderr or done.stdout)[-600:].split())
        assert done.returncode == code, f"fitcli {arguments[0]} ended with {done.returncode}, not {code}: {said}"
        assert "Traceback" not in done.stderr, f"fitcli {arguments[0]}: {said}"
        return done.stdout

    def sessions(self, folder: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("history", "--json", "--sessions", folder).splitlines()]


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command of the application, groups included."""
    yield path
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield from commands(command, (*path, name))


def help_of_every_command(fitcli: Installed) -> None:
    import typer.main

    from fitcli.cli import app

    assert "analyze" in fitcli.run("--help")
    root = typer.main.get_command(app)
    paths = list(commands(root))
    assert len(paths) > 20, paths
    for path in paths:
        printed = io.StringIO()
        with redirect_stdout(printed):
            root.main([*path, "--help"], prog_name="fitcli", standalone_mode=False)
        assert " ".join(("fitcli", *path)) in printed.getvalue(), f"no help for {' '.join(path)}"


def doctor(fitcli: Installed) -> None:
    answer = json.loads(fitcli.run("doctor", "--json"))
    checks = {check["name"]: check for check in answer["checks"]}
    assert "OpenCV" not in checks, checks["OpenCV"]["found"]
    needed = {"Python", "Packages", "Video", "OpenVINO", "Pose models", "Checkpoints", "Sessions"}
    # What a machine may lack is only asked of one that has it.
    needed |= {"Speech"} if find_library("espeak-ng") else set()
    needed |= {"Audio output"} if find_library("portaudio") else set()
    needed |= {"Display"} if os.environ.get("DISPLAY") else set()
    for name in sorted(needed):
        assert name in checks, f"doctor has no row {name}: {', '.join(checks)}"
        assert checks[name]["verdict"] == "ok", f"{name}: {checks[name]['found']}"
    assert answer["works"] is True


def analyze(fitcli: Installed) -> None:
    """The three samples and a file that is no video, in one batch."""
    (fitcli.folder / "notes.mp4").write_text("No video.\n" * 50, encoding="utf-8")
    files = [fitcli.folder / "notes.mp4", *(fitcli.samples / name for name in REPETITIONS)]
    printed = fitcli.run("analyze", *files, "--json", "--sessions", "kept", code=INVALID_VIDEO)
    answers = {Path(answer["file"]).name: answer for answer in map(json.loads, printed.splitlines())}
    assert answers["notes.mp4"]["status"] == "error", answers["notes.mp4"]
    for name, expected in REPETITIONS.items():
        found = (answers[name]["exercise"]["name"], answers[name]["repetitions"])
        assert found == expected, f"{name}: {found}, not {expected}"
        assert "torch" not in answers[name]["device"], answers[name]["device"]


def record(fitcli: Installed) -> None:
    camera = ("--camera", fitcli.samples / "squat.mp4", "--no-preview", "--no-voice", "--no-beep", "--countdown", 1)
    fitcli.run("record", *camera, "--duration", 5, "--sessions", "filmed")
    (session,) = fitcli.sessions("filmed")
    assert session["analysis"]["exercise"]["name"] == "squat", session["analysis"]


def history(fitcli: Installed) -> None:
    assert len(fitcli.sessions("kept")) == len(REPETITIONS)
    assert "squat" in fitcli.run("history", "--sessions", "kept")
    assert "best set" in fitcli.run("history", "stats", "--sessions", "kept")
    fitcli.run("history", "export", "all.jsonl", "--sessions", "kept")
    fitcli.run("history", "import", "all.jsonl", "--sessions", "copied")
    assert fitcli.sessions("copied") == fitcli.sessions("kept")


def pictures(fitcli: Installed) -> None:
    import av

    squat = fitcli.samples / "squat.mp4"
    fitcli.run("analyze", squat, "--no-save", "--save-video", "drawn.mp4", "--report", "squat.html")
    assert "Squat" in (fitcli.folder / "squat.html").read_text(encoding="utf-8")
    with av.open(str(squat)) as original, av.open(str(fitcli.folder / "drawn.mp4")) as drawn:
        counts = [sum(1 for _ in video.decode(video=0)) for video in (original, drawn)]
    assert counts[0] == counts[1] > 0, counts


STEPS: tuple[Callable[[Installed], None], ...] = (help_of_every_command, doctor, analyze, record, history, pictures)


def main() -> int:
    results: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        # Copied, so that nothing of the checkout is beside what is analysed.
        samples = shutil.copytree(sys.argv[1], Path(folder, "samples"), ignore=shutil.ignore_patterns("*.py"))
        for name in ("torch", "torchvision"):
            assert not list(Path(sys.prefix).glob(f"lib/python*/site-packages/{name}")), f"{name} is installed here"
        installed = Installed(Path(folder), samples)
        for step in STEPS:
            try:
                step(installed)
                results[step.__name__] = None
            except Exception as error:  # one step that fails must not hide the others
                results[step.__name__] = f"{type(error).__name__}: {error}"
    json.dump(results, sys.stdout)
    return any(results.values())


if __name__ == "__main__":
    sys.exit(main())
