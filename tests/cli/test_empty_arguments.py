"""An empty argument is an unset variable of the shell: it never stands for the current folder."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer
from support.cli import SAMPLE, fitcli
from typer.testing import CliRunner

from fitcli.cli import app, options
from fitcli.cli.pictures import Target
from fitcli.history.store import sessions_folder
from fitcli.network.folders import checkpoint_folder

PATHS = (options.given_name, options.given_path, options.given_output, options.given_file_or_stream, Target.parse)
"""The parsers of whatever names a file, a folder or a camera."""

TEXTS = {
    "exercise", "fold", "folds", "group_regex", "ids", "lang", "networks", "note", "reductions", "resolution",
    "session_id", "shares", "since", "slowfast", "split", "table", "train_options", "x3d",
}  # fmt: skip
"""Parameters that are text and name no place; a new one is to be thought about."""


def commands(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its name, groups that are commands themselves included."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*names, name))
        if command.callback:
            yield (*names, name), command


def parser(parameter: Any) -> Callable[..., object] | None:
    """What turns the text of an argument into its value, where that is one of fitcli's own functions."""
    found: Callable[..., object] | None = getattr(parameter.type, "func", None)
    return found


def parameters() -> Iterator[tuple[tuple[str, ...], Any, Any, str]]:
    """Every command, each of its parameters and what type that has in the code."""
    for names, command in commands(typer.main.get_command(app)):
        hints = get_type_hints(inspect.unwrap(command.callback))
        for parameter in command.params:
            yield names, command, parameter, str(hints.get(parameter.name, ""))


ALL = list(parameters())
NAMED = [each for each in ALL if parser(each[2]) in PATHS]


def label(value: object) -> str:
    return "-".join(value) if isinstance(value, tuple) else str(getattr(value, "name", ""))


def test_every_parameter_that_names_a_place_is_parsed_by_one_that_refuses_the_empty_name() -> None:
    stray = [
        f"{' '.join(names)} {parameter.name}"
        for names, _, parameter, hint in ALL
        if parser(parameter) not in PATHS and ("Path" in hint or "Target" in hint)
    ]
    assert not stray
    texts = {
        parameter.name
        for _, _, parameter, hint in ALL
        if "str" in hint and parser(parameter) not in PATHS and parameter.type.name == "text"
    }
    assert texts <= TEXTS, "does it name a file, a folder or a camera?"
    assert len(NAMED) > 50


@pytest.mark.parametrize(("names", "command", "parameter", "hint"), NAMED, ids=label)
def test_the_empty_name_is_refused(
    names: tuple[str, ...], command: Any, parameter: Any, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given: list[str] = []
    for other in command.params:
        value = "" if other is parameter else other.type.choices[0] if hasattr(other.type, "choices") else "1"
        if other is parameter or other.required:
            given += [value] if other.param_type_name == "argument" else [other.opts[0], str(value)]
    result = CliRunner().invoke(app, [*names, *given])
    said = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2, said
    assert "it is empty: give a name" in said
    assert (parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0]) in said
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_the_current_folder_is_touched_for_an_empty_argument(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    shutil.copy(SAMPLE, tmp_path / "videos" / "squat.mp4")
    for arguments in (("analyze", ""), ("record", "--camera", ""), ("doctor", "--sessions", "")):
        done = fitcli(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "it is empty" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["videos", "squat.mp4"]


def test_an_empty_variable_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (sessions_folder, checkpoint_folder):
        for name in ("FITCLI_SESSIONS", "FITCLI_CHECKPOINTS"):
            monkeypatch.delenv(name, raising=False)
        unset = folder()
        for name in ("FITCLI_SESSIONS", "FITCLI_CHECKPOINTS"):
            monkeypatch.setenv(name, "")
        assert folder() == unset != Path()
