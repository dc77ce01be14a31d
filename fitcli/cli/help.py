"""The help of every command: one line of usage, what the command does, and its options in named sections."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from fitcli.cli.console import stdout

WIDEST = 100
"""Most columns that help fills; longer lines are hard to read."""

WHOLE = 1000
"""More characters than the summary of a command has."""

OPTIONS = "Options"

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command that prints its help in sections, which are its options' `rich_help_panel`.

    Typer's own panels spend so many columns on borders and types that the help of a large command fills two screens.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help as wide as the terminal allows."""
        _adapt(ctx, formatter)
        super(TyperCommand, self).format_help(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write every section; options without one come last, with --help."""
        formatter.write_paragraph()
        _write_sections(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line's arguments: VIDEO..., where Typer writes {VIDEO}."""
        usage = [self.options_metavar or ""]
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                name = "".join(parameter.get_usage_pieces(ctx)).strip("{}")
                usage.append(name + "..." if parameter.nargs == -1 else name)
        return usage


class Group(TyperGroup):
    """A group of commands with the help of `Command`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help as wide as the terminal allows."""
        _adapt(ctx, formatter)
        super(TyperGroup, self).format_help(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options."""
        formatter.write_paragraph()
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        described = [(name, command.get_short_help_str(WHOLE)) for name, command in commands if command]
        _write_section("Commands", described, formatter)
        _write_sections(self, ctx, formatter)


class App(typer.Typer):
    """A Typer app whose commands and groups print their help in sections."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"cls": Group, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_Function], _Function]:
        """As `typer.Typer.command`."""
        return super().command(name, cls=Command, **settings)


def _adapt(ctx: Any, formatter: Any) -> None:
    """Take the width and the colours from the terminal, with Rich's rules for colours."""
    console = stdout()
    ctx.color = console.is_terminal and not (console.no_color or console.is_dumb_terminal)
    formatter.width = min(shutil.get_terminal_size().columns, WIDEST) - 1


def _write_sections(command: Any, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        if record := parameter.get_help_record(ctx):
            usual = "Arguments" if parameter.param_type_name == "argument" else OPTIONS
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
    if OPTIONS in sections:
        sections[OPTIONS] = sections.pop(OPTIONS)
    for title, records in sections.items():
        _write_section(title, records, formatter)


def _write_section(title: str, records: list[tuple[str, str]], formatter: Any) -> None:
    formatter.write(typer.style(f"{title}:", bold=True) + "\n")
    formatter.indent()
    # In a narrow terminal, long names stand on a line of their own, so that the text beside them is no thin column.
    formatter.write_dl([(typer.style(names, fg="cyan"), text) for names, text in records], formatter.width // 3)
    formatter.dedent()
