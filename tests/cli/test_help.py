"""The help of every command fits one screen and names its options as they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from fitcli.cli import app
from fitcli.cli.console import OPTIONS
from fitcli.errors import Setting

COLUMNS, LINES = 80, 50


def commands(command: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """A command and those below it, each with the words that call it."""
    yield " ".join(("fitcli", *names)), command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, *names, name)


def help_of(command: Any, words: str) -> list[str]:
    """The lines of a command's help, without colours."""
    context = command.context_class(command, info_name=words, help_option_names=["-h", "--help"])
    return re.sub(r"\x1b\[[\d;]*m", "", command.get_help(context)).splitlines()


def test_every_help_fits_one_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    for words, command in commands(typer.main.get_command(app)):
        lines = help_of(command, words)
        assert len(lines) <= LINES, f"{words} --help has {len(lines)} lines"
        assert max(map(len, lines)) <= COLUMNS, words


def test_help_shows_options_and_arguments_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    for words, command in commands(typer.main.get_command(app)):
        text = "\n".join(help_of(command, words))
        assert "[default: True]" not in text, words
        assert "{" not in text, words
        assert " / --no" not in text.replace("--mirror / --no", "").replace("--voice / --no", ""), words


def test_help_keeps_to_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    for words, command in commands(typer.main.get_command(app)):
        for line in help_of(command, words):
            assert len(line) <= 44 or line.lstrip().startswith("-"), (words, line)


def test_every_setting_of_an_error_has_an_option() -> None:
    options = {
        option
        for _, command in commands(typer.main.get_command(app))
        for parameter in command.params
        for option in parameter.opts
    }
    assert set(OPTIONS) == set(Setting)
    assert set(OPTIONS.values()) <= options
