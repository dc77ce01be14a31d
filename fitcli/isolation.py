"""Child processes that run only installed code, never a Python file in the current folder.

With `-m` or `-c`, Python searches the current folder first: a `json.py` beside the user's videos would replace the
standard library's. `-P` and PYTHONSAFEPATH exclude that folder. `-I` does too, but it also drops PYTHONPATH and the
user's site-packages, where `pip install --user` puts fitcli. Entries of PYTHONPATH are the user's choice and are kept,
except for empty ones: they mean the current folder, and `PYTHONPATH=/opt/x:$PYTHONPATH` creates them by accident.
"""

from __future__ import annotations

import os
import sys

SAFE_PATH, SEARCH_PATH = "PYTHONSAFEPATH", "PYTHONPATH"


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of fitcli in a child process; start it with `environment`."""
    return [sys.executable, "-P", "-X", "utf8", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """The environment for a child process, which its own children inherit."""
    isolated = os.environ | {SAFE_PATH: "1"}
    if SEARCH_PATH in isolated:
        folders = [folder for folder in isolated[SEARCH_PATH].split(os.pathsep) if folder]
        isolated[SEARCH_PATH] = os.pathsep.join(folders)
    return isolated


def isolate_children() -> None:
    """Isolate the processes that libraries start from now on: multiprocessing workers, Lightning ranks, their children.

    They run `sys.executable` with `-c` or the script's own command line, and inherit this process's environment.
    """
    os.environ.update(environment())
