"""Child processes that run installed code only, never a Python file of the current folder.

Started with `-m` or `-c`, Python looks for modules in the current folder first: a `json.py` beside the user's videos
would run instead of the standard library's. `-P` and PYTHONSAFEPATH leave that folder out. `-I` does too, but it also
drops the user's site-packages, where `pip install --user` puts fitcli, and PYTHONPATH. Entries of PYTHONPATH are the
user's own choice and are kept, except empty ones: they mean the current folder, and `PYTHONPATH=/opt/x:$PYTHONPATH`
makes them by accident.
"""

from __future__ import annotations

import os
import sys

SAFE_PATH, SEARCH_PATH = "PYTHONSAFEPATH", "PYTHONPATH"


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of fitcli in a child process; start it with `environment`."""
    return [sys.executable, "-P", "-X", "utf8", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's environment for a child process, which hands it on to its own children."""
    isolated = os.environ | {SAFE_PATH: "1"}
    if SEARCH_PATH in isolated:
        folders = [folder for folder in isolated[SEARCH_PATH].split(os.pathsep) if folder]
        isolated[SEARCH_PATH] = os.pathsep.join(folders)
    return isolated


def isolate_children() -> None:
    """Isolate what libraries start from here on: workers of multiprocessing, ranks of Lightning, and their children.

    These run `sys.executable` with `-c` or the script's own command line and inherit this process's environment.
    """
    os.environ.update(environment())
