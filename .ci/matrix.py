"""Tries fitcli without PyTorch on every Python found here, with pinned, newest and lowest versions of what it needs.

    python .ci/matrix.py WHEEL

The lowest of them is also tried as pipx and uv install commands. Needs uv and pipx beside the Python that runs it.
Each environment gets the wheel and passes `.ci/smoke.py` or fails. Ends with a table; the exit code is 0 if every
environment passed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
SETS = ("pins", "newest", "lowest")
TOOLS = ("pipx", "uv tool")
SHOWN = ("av", "numpy", "opencv-python", "openvino", "pillow", "typer")
UV = Path(sys.executable).parent / "uv"
AT_ONCE = 2
"""Most of a command's time is its start, which one core does."""

LIMIT_S = 600


@dataclass(frozen=True)
class Interpreter:
    version: tuple[int, int, int]
    path: Path

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Outcome:
    """What came of one environment: its versions by package, and the failures, none if all is well."""

    interpreter: Interpreter
    kind: str
    versions: dict[str, str]
    failures: tuple[str, ...]
    took_s: float


def interpreters() -> list[Interpreter]:
    """One CPython for each minor version that fitcli supports, on the path or among pyenv's, lowest first.

    The one that runs this stands for its version.
    """
    supported = SpecifierSet(_project()["requires-python"])
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = (Path(folder).glob("python3*") for folder in os.get_exec_path())
    found: dict[tuple[int, int], Interpreter] = {}
    for path in [Path(sys.executable), *chain(*on_path), *sorted(pyenv.glob("versions/*/bin/python3"), reverse=True)]:
        interpreter = _examined(path)
        if interpreter and supported.contains(interpreter.name):
            found.setdefault(interpreter.version[:2], interpreter)
    return sorted(found.values(), key=lambda interpreter: interpreter.version)


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def absent(here: list[Interpreter]) -> list[str]:
    """The versions of Python that the classifiers promise and that are not here, such as "3.13"."""
    promised = re.findall(r"Python :: (3\.\d+)", " ".join(_project()["classifiers"]))
    found = {".".join(map(str, interpreter.version[:2])) for interpreter in here}
    return [version for version in promised if version not in found]


def _examined(path: Path) -> Interpreter | None:
    """The interpreter at a path, or None where there is none: another program, another implementation, a dead link."""
    ask = (
        "import sys, sysconfig; usual = sys.implementation.name == 'cpython' "
        "and sys.version_info.releaselevel == 'final' and not sysconfig.get_config_var('Py_GIL_DISABLED'); "
        "usual and print(*sys.version_info[:3], sys._base_executable)"
    )
    if not re.fullmatch(r"python(3(\.\d+)?)?", path.name) or not os.access(path, os.X_OK):
        return None
    done = subprocess.run([path, "-I", "-c", ask], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode or not done.stdout.strip():
        return None
    major, minor, patch, itself = done.stdout.split(maxsplit=3)
    # Itself, not the virtual environment or the pyenv shim that leads to it and that may lead elsewhere tomorrow.
    return Interpreter((int(major), int(minor), int(patch)), Path(itself.strip()))


def requirements(kind: str, wheel: Path) -> list[list[str]]:
    """The arguments of `uv pip install`, call by call, that fill an environment."""
    # From pyproject.toml and not with the wheel: "lowest-direct" is about what is asked for by name.
    ranges = ["-r", str(ROOT / "pyproject.toml")]
    wanted = {
        "pins": ["--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")],
        "newest": ["--resolution", "highest", *ranges],
        "lowest": ["--resolution", "lowest-direct", *ranges],
    }
    return [wanted[kind], ["--no-deps", str(wheel)]]


def installed_as_tool(interpreter: Interpreter, tool: str, wheel: Path, folder: Path) -> Path:
    """Install fitcli as a command of its own; the Python of the environment that it gets."""
    if tool == "pipx":
        homes = {"PIPX_HOME": folder, "PIPX_BIN_DIR": folder / "bin", "PIPX_MAN_DIR": folder / "man"}
        _run(UV.with_name("pipx"), "install", "--python", interpreter.path, wheel, env=homes)
        return folder / "venvs" / "fitcli" / "bin" / "python"
    homes = {"UV_TOOL_DIR": folder, "UV_TOOL_BIN_DIR": folder / "bin"}
    _run(UV, "tool", "install", "--quiet", "--python", interpreter.path, wheel, env=homes)
    return folder / "fitcli" / "bin" / "python"


def tried(interpreter: Interpreter, kind: str, wheel: Path, work: Path) -> Outcome:
    """Make an environment, install into it, and run the smoke test in it."""
    began_s = time.monotonic()
    folder = work / f"{interpreter.name}-{kind}"
    python = folder / "bin" / "python"
    versions: dict[str, str] = {}
    try:
        if kind in TOOLS:
            python = installed_as_tool(interpreter, kind, wheel, folder)
        else:
            _run(UV, "venv", "--quiet", "--no-config", "--python", interpreter.path, folder)
            for arguments in requirements(kind, wheel):
                # Wheels only: what has to be compiled, nobody who installs fitcli could be asked to install.
                _run(UV, "pip", "install", "--quiet", "--no-config", "--no-build", "--python", python, *arguments)
        listed = _run(UV, "pip", "list", "--format", "json", "--python", python).stdout
        versions = {package["name"]: package["version"] for package in json.loads(listed)}
        steps = json.loads(_run(python, "-I", ROOT / ".ci" / "smoke.py", ROOT / "samples", fails=True).stdout)
        failures = tuple(f"{step}: {trouble}" for step, trouble in steps.items() if trouble)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        failures = (str(error),)
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(interpreter, kind, versions, failures, time.monotonic() - began_s)


def _run(
    *command: object, fails: bool = False, env: Mapping[str, Path] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; raises SubprocessError with what it said where it fails and may not."""
    words = list(map(str, command))
    environment = os.environ | {name: str(value) for name, value in (env or {}).items()}
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=LIMIT_S, env=environment, check=False)
    if done.returncode and not (fails and done.stdout):
        raise subprocess.SubprocessError(f"{' '.join(words[:3])}: {done.stderr.strip()[-1500:]}")
    return done


@contextmanager
def display() -> Iterator[None]:
    """A display without a monitor where Xvfb is installed, so that windows are tried too."""
    if not shutil.which("Xvfb"):
        yield
        return
    with subprocess.Popen(["Xvfb", "-displayfd", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        os.environ["DISPLAY"] = f":{server.stdout.readline().decode().strip()}"
        try:
            yield
        finally:
            server.terminate()


def table(outcomes: list[Outcome], missing: list[str]) -> Table:
    shown = Table(title="fitcli without PyTorch")
    for heading in ("Python", "versions", *SHOWN, "time", "result"):
        shown.add_column(heading, overflow="fold")
    for outcome in outcomes:
        result = "\n".join(failure.split(":")[0] for failure in outcome.failures)
        shown.add_row(
            outcome.interpreter.name,
            outcome.kind,
            *(outcome.versions.get(name, "-") for name in SHOWN),
            f"{outcome.took_s:.0f} s",
            f"[red]FAILED[/] {result}" if result else "[green]ok[/]",
        )
    for version in missing:
        shown.add_row(version, *["-"] * (len(SHOWN) + 2), "[bold yellow]NOT TRIED[/]")
    return shown


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    wheel = Path(sys.argv[1]).resolve()
    here = interpreters()
    console.print("Pythons:", ", ".join(f"{interpreter.name} ({interpreter.path})" for interpreter in here))
    with tempfile.TemporaryDirectory() as folder, display(), ThreadPoolExecutor(AT_ONCE) as pool:
        environments = [(each, kind) for each in here for kind in SETS] + [(here[0], tool) for tool in TOOLS]
        pending = [pool.submit(tried, each, kind, wheel, Path(folder)) for each, kind in environments]
        outcomes = []
        for job in pending:
            outcome = job.result()
            outcomes.append(outcome)
            console.print(f"{outcome.interpreter.name} {outcome.kind}: {'FAILED' if outcome.failures else 'ok'}")
            for failure in outcome.failures:
                console.print(f"  {failure}", markup=False)
    missing = absent(here)
    console.print(table(outcomes, missing))
    if missing:
        console.rule("WARNING", characters="!", style="bold yellow")
        console.print(
            f"fitcli supports Python {', '.join(missing)} too, which was NOT TRIED because it is not here.\n"
            "Install it (python3.X on the path, or pyenv) and run this again.",
            style="bold yellow",
        )
        console.rule(characters="!", style="bold yellow")
    return any(outcome.failures for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
