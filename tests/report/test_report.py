"""What the terminal shows stays true and readable: at any width, without colour, in ASCII, with hostile names."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from fitcli.batch.jobs import Outcome
from fitcli.batch.table import summary
from fitcli.catalog import catalog
from fitcli.coaching.advice import with_advice
from fitcli.errors import FitcliError
from fitcli.report import terminal
from fitcli.report.body_map import heat
from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, NetworkUse, Status, Timings
from fitcli.results.sets import Curve, ExerciseSet, Repetition


def analysis(activations: dict[str, float], name: str = "squat", probability: float = 0.9) -> Analysis:
    """An analysis of that exercise in which those muscles have those activations, and the others nearly none."""
    others = [each for each in catalog().exercise_names if each != name]
    exercises = (ExerciseScore(name, probability), *(ExerciseScore(each, (1 - probability) / 15) for each in others))
    ideal = catalog().exercise(name).muscles
    muscles = tuple(MuscleScore(each, activations.get(each, 0.03), each in ideal) for each in catalog().muscles)
    network = NetworkUse("slowfast", "pose", "checkpoints/slowfast.ckpt", "ab" * 32, 0.25, 0.75)
    return with_advice(
        Analysis(
            "videos/legs.mp4",
            Status.OK,
            f"This is the {name}.",
            65.0,
            0.0,
            65.0,
            exercises[0],
            exercises,
            muscles,
            networks=(network,),
            device="CPU",
            timings=Timings(0.1, 0.2, 0.3, 0.6),
        )
    )


LEGS = analysis({"quads": 0.97, "glutes": 0.8, "hamstrings": 0.2, "shoulders": 0.7})
UNCERTAIN = with_advice(
    replace(
        LEGS,
        status=Status.UNCERTAIN,
        message="not sure, looks most like squat (41 %).",
        exercise=None,
        muscles=tuple(replace(muscle, ideal=False) for muscle in LEGS.muscles),
    )
)
NOBODY = with_advice(Analysis("room.mp4", Status.NO_PERSON, "No person was found in the video.", 3.0, 0.0, 3.0))


def shown(renderable: RenderableType, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console = Console(
        file=file, width=width, force_terminal=colour, color_system="truecolor" if colour else None, highlight=False
    )
    console.print(renderable)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def row(text: str, muscle: str) -> str:
    return next(line for line in text.splitlines() if re.match(rf"\W*{muscle}\b", line))


def test_each_muscle_is_marked_against_the_ideal_in_words() -> None:
    text = shown(terminal.result(LEGS))
    assert "target, works" in row(text, "quads")
    assert "target, little used" in row(text, "hamstrings")
    assert "extra" in row(text, "shoulders")
    assert not re.search("target|extra", row(text, "chest"))
    order = [text.index(f"  {muscle} ") for muscle in ("quads", "glutes", "hamstrings", "shoulders", "chest")]
    assert order == sorted(order)


def test_bars_are_as_long_as_the_activation() -> None:
    text = shown(terminal.result(LEGS), width=100)
    bars = {muscle: re.findall("[━─┼]+", row(text, muscle))[0] for muscle in ("quads", "glutes", "hamstrings")}
    for muscle, bar in bars.items():
        activation = next(each.activation for each in LEGS.muscles if each.name == muscle)
        assert bar.count("━") / len(bar) == pytest.approx(activation, abs=1 / len(bar))
    assert bars["hamstrings"].index("┼") == len(bars["hamstrings"]) // 2


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("result", [LEGS, UNCERTAIN, NOBODY], ids=lambda each: each.status.value)
def test_nothing_is_wider_than_the_terminal_or_than_is_readable(result: Analysis, width: int) -> None:
    text = shown(terminal.result(result, saved="sessions/a-session.json", verbose=True), width)
    assert max(map(len, text.splitlines())) == min(width, terminal.MAX_WIDTH)
    words = set(re.findall(r"\w+", text))
    assert set(re.findall(r"\w+", " ".join(result.feedback))) <= words
    assert {muscle.name.split()[0] for muscle in result.muscles} <= words


def test_sets_are_listed_and_name_their_exercise_where_it_is_another() -> None:
    curve = Curve((0.0, 1.0), (170.0, 90.0), "deg")
    repetition = Repetition(0.0, 1.0, 2.0, 1.25, 0.75, range_of_motion_deg=80.0)
    squats = ExerciseSet("squat", 3, 21.4, (repetition,) * 8, 1, "knee angle", "joint angle", "both", "side", curve)
    curls = ExerciseSet(
        "bicep curl", 61, 75, (repetition,) * 5, 0, "elbow angle", "joint angle", "left", "front", curve
    )
    text = shown(terminal.result(replace(LEGS, repetitions=13, sets=(squats, curls))))
    assert "13 repetitions" in text
    assert re.search(r"1 squat +0:03 to 0:21 +8 \+ 1 half +1\.2 s +0\.8 s +80 deg", text)
    assert re.search(r"2 bicep curl +1:01 to 1:15 +5 ", text)


def test_a_hold_is_told_in_seconds_and_a_quick_exercise_by_its_pace() -> None:
    curve = Curve((0.0, 40.0), (170.0, 168.0), "deg")
    hold = ExerciseSet("plank", 2, 96.4, (), 0, "hip angle", "held position", "both", "side", curve, held_s=94.4)
    planks = replace(analysis({}, name="plank"), repetitions=0, sets=(hold,))
    text = shown(terminal.result(planks))
    assert re.search(r"Plank +90 % sure +held for 1 min 34 s", text)
    assert "repetition" not in text
    assert "reps" not in text
    assert re.search(r"1 +0:02 to 1:36 +1 min 34 s", text)
    assert "held 2.0 to 96.4 s" in shown(terminal.result(planks), encoding="ascii")
    at = [3 + 30 / 31 * number for number in range(32)]
    jump = [Repetition(at[i], at[i] + 0.5, at[i + 1], 0.5, 0.47, range_of_motion_deg=120.0) for i in range(31)]
    jumps = ExerciseSet("jumping jack", 3, 33, tuple(jump), 0, "shoulder angle", "joint angle", "both", "front", curve)
    text = shown(terminal.result(replace(analysis({}, name="jumping jack"), repetitions=31, sets=(jumps,))))
    assert "31 repetitions, 62 a minute" in text
    assert re.search(r"reps +a minute +range", text)
    assert re.search(r"1 +0:03 to 0:33 +31 +62 +120 deg", text)
    both = shown(terminal.result(replace(planks, repetitions=31, sets=(hold, jumps))))
    assert re.search(r"1 plank +0:02 to 1:36 +1 min 34 s", both)
    assert re.search(r"2 jumping jack +0:03 to 0:33 +31, 62 a minute +120 deg", both)
    assert "31 repetitions, held for 1 min 34 s" in both


def test_networks_that_know_eleven_muscles_show_eleven() -> None:
    eleven = replace(LEGS, muscles=LEGS.muscles[:11])
    for width in (80, 100):
        text = shown(terminal.result(eleven), width, colour=True)
        assert "calves" not in text
        assert "calves" in shown(terminal.result(LEGS), width, colour=True)


def test_an_uncertain_answer_is_never_stated_as_one() -> None:
    text = shown(terminal.result(UNCERTAIN))
    assert "Not sure, looks most like squat" in text
    assert "sure  " not in text.replace("Not sure", "")
    assert not re.search("target|extra|ideal", text)
    assert "squat?" in shown(summary([Outcome(Path("legs.mp4"), UNCERTAIN)]))
    assert terminal.brief(UNCERTAIN).plain.endswith("not sure, looks most like squat (41 %).")


def test_certainty_is_never_claimed() -> None:
    assert "100 %" not in shown(terminal.result(analysis({"quads": 1.0}, probability=1.0)))


def test_ascii_terminals_get_ascii_bars_of_the_same_length() -> None:
    text = shown(terminal.result(LEGS), encoding="ascii")
    rich = shown(terminal.result(LEGS))
    assert row(text, "quads").count("#") == row(rich, "quads").count("━")
    assert "|" in re.findall("[-#|]{8,}", row(text, "chest"))[0]


def test_colour_only_repeats_what_the_words_say() -> None:
    coloured = shown(terminal.result(LEGS), width=60, colour=True)  # too narrow for the body map
    assert "\x1b[" in coloured
    assert Text.from_ansi(coloured).plain.strip() == shown(terminal.result(LEGS), width=60).strip()


def reds(text: str) -> list[str]:
    """The blocks of a coloured text that have the colour of full activation."""
    colour = ";".join(map(str, bytes.fromhex(heat(1.0, "unknown")[1:])))
    return re.findall(rf"38;2;{colour}[^m]*m([▘▝▀▖▌▞▛▗▚▐▜▄▙▟█]+)", text)


@pytest.mark.parametrize("width", [80, 120])
def test_a_coloured_terminal_shows_the_working_muscles_on_a_body(width: int) -> None:
    def drawn(**activations: float) -> str:
        return shown(terminal.result(analysis(activations, name="leg extension")), width, colour=True)

    working, resting = drawn(quads=1.0), drawn()
    assert len("".join(reds(working))) > 4
    assert not reds(resting)
    # between shoulders and feet, and only on the figure that shows the front
    lines = [line for line in working.splitlines() if reds(line)]
    assert all(re.search("abs|chest|lats|hamstrings|lower back|glutes|triceps|obliques", line) for line in lines)
    plain = Text.from_ansi(working).plain
    heads = next(line for line in plain.splitlines() if "front" in line)
    middle = (heads.index("front") + heads.index("back")) // 2
    for line in Text.from_ansi("\n".join(lines)).plain.splitlines():
        assert re.search("[▘▝▀▖▌▞▛▗▚▐▜▄▙▟█]", line[heads.index("front") - 3 : middle])


@pytest.mark.parametrize(
    "how", [{"colour": False}, {"colour": True, "width": 60}, {"colour": True, "encoding": "ascii"}]
)
def test_where_no_body_can_be_drawn_the_words_stand_alone(how: dict[str, Any]) -> None:
    text = shown(terminal.result(LEGS), **how)
    assert not re.search("[▘▝▀▖▌▞▛▗▚▐▜▄▙▟█]|front", text)
    assert "target, little used" in Text.from_ansi(text).plain


def curled(times: int) -> ExerciseSet:
    """Curls of two seconds each, after a second of rest."""
    grid = [i / 20 for i in range(20 * (2 * times + 2))]
    values = tuple(170 - 60 * (1 - math.cos(math.pi * (t - 1))) if 1 <= t <= 2 * times + 1 else 170 for t in grid)
    repetitions = tuple(
        Repetition(1 + 2 * i, 2 + 2 * i, 3 + 2 * i, 1, 1, range_of_motion_deg=120) for i in range(times)
    )
    curve = Curve(tuple(grid), values, "deg")
    return ExerciseSet(
        "bicep curl", 1, 2 * times + 1, repetitions, 0, "elbow angle", "joint angle", "both", "front", curve
    )


@pytest.mark.parametrize("width", [80, 120])
def test_the_curve_numbers_each_repetition_under_its_turn(width: int) -> None:
    text = shown(terminal.result(replace(LEGS, sets=(curled(4),))), width)
    lines = [line.strip("│").strip() for line in text.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("elbow angle 50 to 170 deg"))
    curve = lines[first + 1 : first + 4]
    assert all(re.fullmatch("[\u2800-\u28ff]+", line) for line in curve)
    length = len(curve[0])
    numbers = text.splitlines()[first + 4].strip("│")
    assert numbers.split() == ["1", "2", "3", "4"]
    left = text.splitlines()[first + 1].strip("│").index(curve[0])
    for number in range(4):
        column = numbers.index(str(number + 1)) - left
        assert column == pytest.approx(length * (2 + 2 * number) / 10, abs=1.5)
        assert ord(curve[2][column]) > 0x2800  # the turn is at the bottom
        assert ord(curve[0][column]) == 0x2800


def test_counted_repetitions_are_bright_and_rest_is_dim() -> None:
    coloured = shown(terminal.result(replace(LEGS, sets=(curled(2),))), 80, colour=True)
    top = next(line for line in coloured.splitlines() if re.search("[\u2801-\u28ff]", line))
    styles = re.findall("\x1b\\[(\\d+)m[\u2800-\u28ff]+", top)
    assert [style for style, _ in groupby(styles)] == ["90", "32", "90"]


def test_terminals_without_braille_get_the_turns_in_words() -> None:
    shownless = replace(LEGS, sets=(curled(2),))
    for text in (shown(terminal.result(shownless), encoding="ascii"), shown(terminal.result(shownless), width=40)):
        assert "turns at 2.0, 4.0 s" in " ".join(text.replace("│", " ").replace("|", " ").split())


def test_file_names_cannot_steer_the_terminal() -> None:
    hostile = replace(LEGS, file="\x1b[2J\u202e[bold]x\udcff.mp4")
    outcomes = [Outcome(Path(hostile.file), hostile), Outcome(Path(hostile.file), FitcliError())]
    for renderable in (terminal.result(hostile), terminal.brief(hostile), summary(outcomes)):
        text = shown(renderable, width=200)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[2J" in text
        assert "[bold]x\\udcff.mp4" in text


def test_advice_names_the_unused_target_and_what_takes_over() -> None:
    first, second = LEGS.feedback
    assert first.startswith("Your hamstrings look under-used for the squat:")
    assert second.startswith("Your shoulders seem to take over")


def test_advice_is_worded_as_carefully_as_the_evidence() -> None:
    (content,) = analysis({"quads": 0.9, "glutes": 0.9, "hamstrings": 0.9}).feedback
    assert "work" in content
    assert "under-used" not in content
    narrow = analysis({"quads": 0.9, "glutes": 0.9, "hamstrings": 0.45}).feedback
    assert narrow[0].startswith("Your hamstrings may be under-used")
    doubtful = analysis({"quads": 0.9, "glutes": 0.9, "hamstrings": 0.1}, probability=0.6).feedback
    assert doubtful[0] == "If this is the squat, it should make your quads, glutes and hamstrings work."
    assert analysis({}, name="chest fly machine").feedback[0].startswith("Your chest looks under-used")


def test_no_advice_about_muscles_where_no_exercise_is_named() -> None:
    for result in (UNCERTAIN, NOBODY):
        (sentence,) = result.feedback
        assert not any(muscle in sentence for muscle in catalog().muscles)
