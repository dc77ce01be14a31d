"""Recipes: TOML files of a command's options, each under its long name, with `[[stage]]` tables for several runs.

A recipe's values are defaults: the command line wins. Paths are relative to the recipe. The stages are trained one
after the other, each from the checkpoint of the one before, with what its table says instead of what stands above it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from fitcli.cli import options

STAGE = "stage"
_NO_KEYS = ("recipe", "help", "overwrite", "quiet")
"""Options that say nothing of what is trained."""


@dataclass(frozen=True)
class Key:
    """One key of a recipe, and the parameter of the command that it stands for."""

    name: str
    parameter: Any

    @property
    def kind(self) -> tuple[type, ...]:
        """The Python types of its values."""
        names = {"int": (int,), "float": (float, int), "boolean": (bool,)}
        return names.get(self.parameter.type.name.removesuffix(" range"), (str,))

    @property
    def parser(self) -> object:
        """The function that reads its values, None for those of click's own types."""
        return getattr(self.parameter.type, "func", None)

    def checked(self, value: Any, context: typer.Context, file: Path) -> Any:
        """The value of a recipe as the command line would give it; raises `typer.BadParameter`."""
        wrong = typer.BadParameter(f"{file}: {self.name} is {json.dumps(value, default=str)}, not {self._expected}.")
        several = self.parameter.multiple if hasattr(self.parameter, "multiple") else False
        if several != isinstance(value, list):
            raise wrong
        values = value if several else [value]
        if not all(isinstance(v, self.kind) and (bool in self.kind or not isinstance(v, bool)) for v in values):
            raise wrong
        values = [self._beside(v, file) for v in values]
        given = values if several else values[0]
        try:
            self.parameter.type_cast_value(context, given)
        except typer.BadParameter as error:
            raise typer.BadParameter(f"{file}: {self.name}: {error.message}") from error
        return given

    @property
    def _expected(self) -> str:
        name = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}[self.kind[0]]
        return f"a list of strings, {name} each" if getattr(self.parameter, "multiple", False) else name

    def _beside(self, value: Any, file: Path) -> Any:
        if not value or self.parser not in (options.given_path, options.given_name):
            return value
        path = file.parent / value
        return str(path) if self.parser is options.given_path or path.is_file() else value


def keys(context: typer.Context) -> dict[str, Key]:
    """The keys that a recipe for this command may have."""
    found = {}
    for parameter in context.command.params:
        name = max((option.lstrip("-") for option in parameter.opts), key=len)
        if parameter.name not in _NO_KEYS:
            found[name] = Key(name, parameter)
    return found


def apply(context: typer.Context, file: Path | None) -> Path | None:
    """Take a recipe's values as the defaults of the command; the callback of `--recipe`."""
    if file is None or context.resilient_parsing:
        return file
    table = _read(file)
    listed = table.pop(STAGE, [])
    if not isinstance(listed, list) or not all(isinstance(stage, dict) for stage in listed):
        raise typer.BadParameter(f"{file}: {STAGE} is not a list of tables: write each as [[{STAGE}]].")
    context.default_map = _checked(table, context, file)
    context.meta[STAGE] = [_checked(stage, context, file) for stage in listed]
    return file


def stages(context: typer.Context) -> list[dict[str, Any]]:
    """The command's options for each run of the recipe, by their Python names; one run without a recipe.

    `run` of all but the last is a folder within that of the last, and `initialize` the checkpoint of the one before.
    """
    fixed = {name for name in context.params if _on_command_line(context, name)}
    every = []
    for changes in context.meta.get(STAGE) or [{}]:
        cast = {
            key.parameter.name: key.parameter.type_cast_value(context, changes[key.parameter.name])
            for key in keys(context).values()
            if key.parameter.name in changes and key.parameter.name not in fixed
        }
        every.append(context.params | cast)
    for number, given in enumerate(every, 1):
        given["run"] = given["run"] or Path("runs") / given["architecture"]
        if number < len(every):
            given["run"] = given["run"] / f"{STAGE}{number}"
        if number > 1:
            before = every[number - 2]
            given["initialize"] = before["run"] / f"{before['architecture']}.ckpt"
    return every


def text(context: typer.Context, given: Mapping[str, Any]) -> str:
    """A recipe that trains again what `given` (see `stages`) trains, with every option that is not at "automatic"."""
    lines = []
    for key in keys(context).values():
        value = given[key.parameter.name]
        if value is None or value == ():
            continue
        lines.append(f"{key.name} = {json.dumps(_plain(value, key), ensure_ascii=False)}")
    return "\n".join([f"# fitcli {' '.join(context.command_path.split()[1:])} --recipe THIS_FILE", *lines, ""])


def _plain(value: Any, key: Key) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item, key) for item in value]
    names_file = key.parser is options.given_name and Path(value).is_file()
    return str(Path(value).resolve()) if names_file or isinstance(value, Path) else value


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} is not TOML: {error}.") from error


def _checked(table: Mapping[str, Any], context: typer.Context, file: Path) -> dict[str, Any]:
    known = keys(context)
    unknown = [name for name in table if name not in known]
    if unknown:
        raise typer.BadParameter(f"{file}: {unknown[0]} is not an option of `{context.command_path}`.")
    return {known[name].parameter.name: known[name].checked(value, context, file) for name, value in table.items()}


def _on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
