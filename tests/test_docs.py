"""The pages are true: links, commands, options, exit codes, variables, paths, fields, and what commands print."""

from __future__ import annotations

import ast
import importlib.util
import json
import pydoc
import re
import shlex
import subprocess
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.cli import ROOT
from support.sessions import analysis

from fitcli import doctor, errors, remedy
from fitcli.catalog import Cue, RepetitionSignal, catalog
from fitcli.cli import app
from fitcli.cli.doctor import _show as show_checks
from fitcli.history.store import SessionStore

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    + [ROOT / folder / "README.md" for folder in ("checkpoints", "checkpoints/unfinished", "samples", "sessions")]
)
REFERENCE = ROOT / "docs" / "reference.md"
README_LINES = 250

ENDS_COMMAND = "|&;"
"""What ends a command in a line of the shell."""

IN_REPOSITORY = re.compile(r"(fitcli|docs|tests|benchmarks|checkpoints|samples|requirements|\.ci)/[\w./-]*")
IN_PACKAGE = re.compile(r"[a-z]+/(?:[\w.-]+/)*(?:[\w.-]+\.(?:py|toml))?")

OTHERS_READ = {
    "COLUMNS", "FORCE_COLOR", "NO_COLOR", "PYTHONIOENCODING", "PYTHONPATH", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME",
}  # fmt: skip
"""Variables that Python, Rich and platformdirs read for fitcli."""
FITCLI_SETS = {"CI"}
"""Variables that fitcli reads only to restore them."""


@dataclass(frozen=True)
class Page:
    """A page and its tokens: blocks, and the inline tokens inside them."""

    path: Path
    text: str
    blocks: tuple[Token, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def inline(self) -> list[Token]:
        return [child for block in self.blocks for child in block.children or ()]

    @property
    def code(self) -> list[str]:
        """Code spans in the text."""
        return [token.content for token in self.inline if token.type == "code_inline"]

    @property
    def anchors(self) -> set[str]:
        """What a link into the page may end in, as GitHub makes it from the headings."""
        titles = [self.blocks[i + 1].content for i, block in enumerate(self.blocks) if block.type == "heading_open"]
        return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}

    def fences(self, *languages: str) -> list[str]:
        """The code blocks in one of these languages; indented blocks have the language ""."""
        blocks = [block for block in self.blocks if block.type in ("fence", "code_block")]
        return [block.content for block in blocks if block.info in languages]


@cache
def page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    return Page(path, text, tuple(MarkdownIt("commonmark").enable("table").parse(text)))


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its first two lines."""
    under = text[text.index(f"\n{heading}\n") :]
    lines = under[under.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def block(name: str) -> list[str]:
    """The lines that some page shows as the output `name`, without the command."""
    pattern = re.compile(rf"<!-- output: {name} -->\n```console\n\$ .*?\n(.*?)\n```", re.DOTALL)
    found = [match[1] for path in PAGES if (match := pattern.search(page(path).text))]
    assert len(found) == 1, f"{len(found)} pages show the output {name}"
    return found[0].splitlines()


@cache
def refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_read_in_two_minutes() -> None:
    assert len(page(ROOT / "README.md").text.splitlines()) <= README_LINES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = [token.attrGet("href") or token.attrGet("src") for token in page(path).inline]
    for link in (str(link) for link in links if link):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists() and target.is_relative_to(ROOT), f"{link} leads nowhere"
        if anchor:
            assert anchor in page(target).anchors, f"{link}: there is no such heading"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_name_no_folder_of_a_machine(path: Path) -> None:
    assert not re.findall(r"(?<![\w.])/(?:home|root|Users|work)/\S*", page(path).text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_names_in_the_text_exist(path: Path) -> None:
    rooms = [room.name for room in (ROOT / "fitcli").iterdir() if room.is_dir()]
    for code in page(path).code:
        if IN_REPOSITORY.fullmatch(code):
            assert (ROOT / code).exists(), f"{code} does not exist"
        elif path.parent.name == "docs" and IN_PACKAGE.fullmatch(code) and code.split("/")[0] in rooms:
            assert (ROOT / "fitcli" / code).exists(), f"{code} does not exist in the package"
        elif re.fullmatch(r"fitcli(\.\w+)+", code):
            assert pydoc.locate(code) is not None, f"{code} does not exist"


def command_lines(found: Page) -> Iterator[list[str]]:
    """The arguments of every call of fitcli in the page's code blocks."""
    for fence in found.fences("sh", ""):
        yield from calls(fence.replace("\\\n", " ").splitlines())
    for fence in found.fences("console"):
        yield from calls(line[2:] for line in fence.splitlines() if line.startswith("$ "))


def calls(lines: Iterable[str]) -> Iterator[list[str]]:
    """The arguments of every call of fitcli in lines of the shell."""
    variables: dict[str, str] = {}
    for line in lines:
        variables |= re.findall(r"\bfor (\w+) in (\S+)", line)
        command: list[str] = []
        for word in [*shell_words(_filled(line, variables)), ";"]:
            if not set(word) <= set(ENDS_COMMAND):
                command.append(word)
                continue
            if "fitcli" in command and command[:2] != ["docker", "build"]:
                yield command[command.index("fitcli") + 1 :]
            command = []


def _filled(line: str, variables: dict[str, str]) -> str:
    """The line as the first turn of a loop sees it."""
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], found[0]), line)


def shell_words(line: str) -> list[str]:
    """The words of a line of the shell, without comments; what ends a command is a word of its own."""
    words = shlex.shlex(line, posix=True, punctuation_chars=ENDS_COMMAND)
    words.whitespace_split = True
    return list(words)


def parsed(arguments: list[str], *, placeholders: bool = False) -> None:
    """Parse a command line without running it; with placeholders, only names of commands and options are checked."""
    command = root()
    context = command.make_context("fitcli", [], resilient_parsing=True)
    while arguments and hasattr(command, "commands") and not arguments[0].startswith("-"):
        assert arguments[0] in command.commands, f"fitcli has no command {arguments[0]}"
        command = command.commands[arguments[0]]
        context = command.make_context(arguments[0], [], parent=context, resilient_parsing=True)
        arguments = arguments[1:]
    if hasattr(command, "commands") and not arguments:
        return
    if placeholders:
        command.make_parser(context).parse_args(args=list(arguments))
    elif "--help" not in arguments:
        command.make_context(command.name, list(arguments), parent=context.parent)


@cache
def root() -> Any:
    from typer.main import get_command

    return get_command(app)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_command_lines_are_understood(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # recipes are named from here
    failures = []
    for arguments in command_lines(page(path)):
        try:
            parsed(arguments)
        except Exception as error:
            failures.append(f"fitcli {shlex.join(arguments)}: {getattr(error, 'message', error)}")
    for code in page(path).code:
        words = code.split()
        if words[:1] != ["fitcli"] or "COMMAND" in words or not re.fullmatch(r"[\w ./,<>=~$'\"-]+", code):
            continue
        try:
            parsed(shlex.split(code)[1:], placeholders=True)
        except Exception as error:
            failures.append(f"{code}: {getattr(error, 'message', error)}")
    assert not failures, "\n".join(failures)


def test_command_lines_are_found() -> None:
    calls = [arguments for path in PAGES for arguments in command_lines(page(path))]
    assert len(calls) > 50
    assert ["record", "--live", "--reps", "10"] in calls
    assert sum("--nodes" in call for call in calls) == 2, "calls through srun and torchrun are found"
    with pytest.raises(Exception, match="--spead"):
        parsed(["analyze", "squat.mp4", "--spead", "2"])
    with pytest.raises(AssertionError, match="no command"):
        parsed(["history", "shwo"])


def test_the_model_card_has_the_commands_of_make_checkpoints() -> None:
    dry_run = ["make", "--dry-run", "checkpoints", "POSES=POSES", "CLIPS=clips/dev"]
    done = subprocess.run(dry_run, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = re.sub(r"\S+/bin/fitcli ", "fitcli ", done.stdout).replace("\\\n", " ").splitlines()
    made = [[word for word in call if word != "--quiet"] for call in calls(lines)]
    assert made == list(command_lines(page(ROOT / "checkpoints" / "README.md")))


def test_the_reference_lists_every_option_of_every_command() -> None:
    text = page(REFERENCE).text
    shown = dict(re.findall(r"<!-- options: (.+?) -->\n(.*?)\n?<!-- end -->", text, re.DOTALL))
    commands = {" ".join(path): command for path, command in refresh().commands()}
    expected = {
        name: refresh().option_table(command)
        for name, command in commands.items()
        if refresh().shown_parameters(command)
    }
    assert set(shown) == set(expected)
    stale = [name for name in expected if shown[name] != expected[name]]
    assert not stale, f"python docs/refresh.py options brings these up to date: {stale}"


def test_the_exit_codes_are_those_of_the_errors() -> None:
    def below(error: type[errors.FitcliError]) -> Iterator[type[errors.FitcliError]]:
        yield error
        for each in error.__subclasses__():
            yield from below(each)

    raised = {error.exit_code for error in below(errors.FitcliError) if error.__module__ == errors.__name__}
    listed = [int(code) for code, _ in table(page(REFERENCE).text, "## Exit codes")]
    assert listed == sorted({0, 1, 2, 130, errors.LEAKS_CODE} | raised)


def read_variables(source: Path) -> Iterator[str]:
    """The environment variables that a module reads."""
    if "os.environ" not in source.read_text(encoding="utf-8"):
        return
    tree = ast.parse(source.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    loops = {
        loop.target.id: [each.value for each in loop.iter.elts if isinstance(each, ast.Constant)]
        for loop in ast.walk(tree)
        if isinstance(loop, ast.comprehension | ast.For)
        and isinstance(loop.target, ast.Name)
        and isinstance(loop.iter, ast.Tuple)
    }
    for node in ast.walk(tree):
        asked: ast.expr | None = None
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            asked = node.args[0]
        elif (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value) == "os.environ"
            and isinstance(node.ctx, ast.Load)
        ):
            asked = node.slice
        if asked is None or isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            continue
        if isinstance(asked, ast.Constant):
            yield str(asked.value)
        elif isinstance(asked, ast.Name):
            yield from map(str, [constants[asked.id]] if asked.id in constants else loops[asked.id])


def test_the_environment_variables_are_those_that_the_code_reads() -> None:
    sources = sorted((ROOT / "fitcli").rglob("*.py"))
    read = {name for source in sources for name in read_variables(source)} - FITCLI_SETS
    ours = {name for source in sources for name in re.findall(r"FITCLI_[A-Z_]+\b", source.read_text(encoding="utf-8"))}
    listed = {name for cells in table(page(REFERENCE).text, "## Environment variables") for name in _names(cells[0])}
    assert "FITCLI_SESSIONS" in read and "PULSE_SERVER" in read
    assert listed == read | ours | OTHERS_READ


def _names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_fields_are_those_of_the_json() -> None:
    answer = analysis().to_json()
    text = page(REFERENCE).text
    listed = {name for cells in table(text, "## JSON") for name in _names(cells[0])}
    assert listed == set(answer) | {"annotated_video", "report", "session"}
    in_sets = {
        name
        for cells in table(text.replace("An object in `sets`:\n", "## A set\n"), "## A set")
        for name in _names(cells[0])
    }
    assert in_sets == set(answer["sets"][0])


def test_python_in_the_pages_uses_names_that_exist() -> None:
    blocks = [block for path in PAGES for block in page(path).fences("python")]
    used = {
        ast.unparse(node)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("fitcli.")
    }
    assert used
    assert not [name for name in used if pydoc.locate(name) is None]


def test_the_example_of_a_new_exercise_is_one() -> None:
    from fitcli.motion.measures import SIGNAL_MEASURES
    from fitcli.motion.posture import CUE_MEASURES

    (written,) = page(ROOT / "docs" / "architecture.md").fences("toml")
    (row,) = tomllib.loads(written)["exercise"]
    assert row["name"] not in catalog().exercise_names
    assert set(row["muscles"]) <= set(catalog().muscles)
    for alias in row["aliases"]:
        with pytest.raises(KeyError):
            catalog().exercise(alias)
    assert RepetitionSignal(**row["signal"]).measure in SIGNAL_MEASURES
    assert all(Cue(**cue).measure in CUE_MEASURES for cue in row["cues"])


def test_the_floors_are_those_that_the_import_contract_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    kept = [set(re.split(r" [|:] ", layer)) for layer in layers if layer != "__main__"]
    floors: dict[str, set[str]] = {}
    for floor, room, what in table(page(ROOT / "docs" / "architecture.md").text, "## The rooms"):
        names = re.findall(r"`([\w/]+)\.py`", what) if room == "leaves" else [room.strip("`").removeprefix("fitcli/")]
        floors.setdefault(floor, set()).update(name.removesuffix(".py").strip("/") for name in names)
    assert list(floors.values()) == kept
    assert list(floors) == [str(number) for number in range(len(kept), 0, -1)]


def test_the_list_of_exercises_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert block("exercises") == ran(["exercises"], monkeypatch, capsys)


def test_the_history_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    shown = block("history")
    store = SessionStore(tmp_path)
    for row in shown[2:]:
        store.add(session(row))
    try:
        assert ran(["history", "--sessions", str(tmp_path)], monkeypatch, capsys) == shown
    finally:
        monkeypatch.undo()
        time.tzset()


def session(row: str) -> dict[str, Any]:
    """A session that a row of the history shows."""
    cells = re.fullmatch(
        r"(?P<day>\S+) (?P<time>\S+)  (?P<exercise>\D+?)\s+(?P<sure>\d+) %\s+(?P<reps>\d+)\s+(?P<score>\d+)"
        r"\s+(?:(?P<weight>\d+) kg)?\s+(?P<file>\S+)\s+(?P<id>\w+)",
        row,
    )
    assert cells, f"{row} is no row of the history"
    exercise = cells["exercise"]
    answer = analysis(exercise).to_json()
    answer["file"] = f"samples/{exercise.replace(' ', '-')}.mp4"
    answer["exercise"]["confidence"] = int(cells["sure"]) / 100
    answer["repetitions"] = int(cells["reps"])
    answer["sets"][0] |= {"exercise": exercise, "repetitions": int(cells["reps"]), "score": int(cells["score"])}
    return {
        "schema": 2,
        "id": cells["id"],
        "created": f"{cells['day']}T{cells['time']}:00.000+00:00",
        "fitcli": "0.1.0",
        "weight_kg": float(cells["weight"]) if cells["weight"] else None,
        "note": "",
        "analysis": json.loads(json.dumps(answer)),
        "poses": [],
    }


def ran(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that a command prints to stdout in a terminal of 80 columns, run in this process."""
    monkeypatch.setenv("COLUMNS", "80")
    app(arguments, standalone_mode=False)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_doctor_is_shown_as_it_looks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Not run for it, which takes seconds: its own table is drawn again from what the page shows."""
    shown = block("doctor")
    checks: list[doctor.Check] = []
    for line in shown[2:-1]:
        row = re.fullmatch(r"(?P<name>\S.*?)\s{2,}(?P<word>ok|limited|broken|-)\s{2,}(?P<found>.+)", line)
        if row:
            checks.append(doctor.Check(row["name"], VERDICTS[row["word"]], row["found"]))
        elif line.startswith("  Try: "):
            checks[-1] = replace(checks[-1], cure=remedy.everywhere(line.removeprefix("  Try: ")))
        else:
            checks[-1] = replace(checks[-1], found=f"{checks[-1].found} {line.strip()}")
    monkeypatch.setenv("COLUMNS", "80")
    show_checks(checks)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == shown[:-1]
    source = (ROOT / "fitcli" / "doctor.py").read_text(encoding="utf-8")
    assert set(re.findall(r'_Part\("(.+?)"', source)) <= {check.name for check in checks}
    assert shown[-1] == "fitcli analyze works here."


VERDICTS = {
    "ok": doctor.Verdict.OK,
    "limited": doctor.Verdict.LIMITED,
    "broken": doctor.Verdict.BROKEN,
    "-": doctor.Verdict.ABSENT,
}
