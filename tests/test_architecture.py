"""Limits that keep the code readable: length of functions and of command files, and number of parameters.

The direction of imports is checked by `lint-imports`, which `make lint` runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from support.cli import ROOT

LONGEST_BODY = 60
"""Lines of a function without its signature and docstring."""
MOST_PARAMETERS = 8
LONGEST_COMMAND_FILE = 250
"""Lines of a file under fitcli/cli/."""

EXEMPT = {
    "fitcli/__init__.py:analyze": "the keywords of the library's main function are the options of one analysis",
}
"""Functions that may break a limit, each with the reason; at most `MOST_EXEMPT`."""
MOST_EXEMPT = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the package with its name: path:function."""
    for path in sorted((ROOT / "fitcli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT).as_posix()}:{node.name}", node


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the end."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def parameters(function: Function) -> int:
    """Number of parameters, without self and cls."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [each.arg for each in (arguments.vararg, arguments.kwarg) if each]
    return sum(name not in ("self", "cls") for name in names)


def is_command(name: str, function: Function) -> bool:
    """Whether a function is a command of Typer, whose signature is its list of options."""
    annotations = (argument.annotation for argument in (*function.args.args, *function.args.kwonlyargs))
    written = [ast.unparse(annotation) for annotation in annotations if annotation]
    return name.startswith("fitcli/cli/") and any("typer." in each or "options." in each for each in written)


def test_no_function_is_too_long() -> None:
    long = {name: body_lines(function) for name, function in functions() if body_lines(function) > LONGEST_BODY}
    assert not {name: lines for name, lines in long.items() if name not in EXEMPT}


def test_no_function_has_too_many_parameters() -> None:
    wide = {
        name: parameters(function)
        for name, function in functions()
        if parameters(function) > MOST_PARAMETERS and not is_command(name, function)
    }
    assert not {name: number for name, number in wide.items() if name not in EXEMPT}


def test_exemptions_are_few_and_needed() -> None:
    breaking = {
        name
        for name, function in functions()
        if parameters(function) > MOST_PARAMETERS or body_lines(function) > LONGEST_BODY
    }
    assert set(EXEMPT) <= breaking
    assert len(EXEMPT) <= MOST_EXEMPT


def test_no_command_file_is_too_long() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in Path(ROOT, "fitcli", "cli").rglob("*.py")
    }
    assert not {path.name: lines for path, lines in lengths.items() if lines > LONGEST_COMMAND_FILE}


def test_no_error_below_the_command_line_names_an_option() -> None:
    """Such an error is given a `Setting`, and the command line names the option that changes it."""
    named = []
    for path in sorted((ROOT / "fitcli").rglob("*.py")):
        if Path(ROOT, "fitcli", "cli") in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and re.search(r"(?<!\S)[(\"']?--[a-z]", ast.unparse(node)):
                named.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno}")
    assert not named
