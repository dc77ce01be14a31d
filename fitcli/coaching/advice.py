"""An `Analysis` in, the same with advice out: predicted activation compared with the exercise's ideal, and form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fitcli.results.analysis import WORKS, Analysis, MuscleScore, Status

CLEAR = 0.15
"""An activation at least this far from `WORKS` is stated plainly, a nearer one with a "may"."""

SURE_OF_EXERCISE = 0.75
"""Probability of the exercise below which advice that depends on it begins with "if", and muscles are not judged."""

JUDGED_FROM = 0.4
"""Probability of a set's exercise below which its form is not judged: the cues may be those of another exercise."""

LET_IT_WORK = {
    "triceps": "straighten the elbows all the way at the end of each repetition",
    "lats": "lead the pull with the elbows and draw the shoulder blades down first",
    "biceps": "bend the elbows through their whole range and keep the upper arms still",
    "quads": "bend the knees further, as far as you can with control",
    "glutes": "push through the heels and straighten the hips all the way",
    "shoulders": "move the upper arms through their whole range, slowly",
    "abs": "draw the ribs towards the hips and move without swing",
    "obliques": "turn from the ribs, not only with the arms",
    "chest": "lower until the upper arms are level with the chest, then push them together",
    "lower back": "keep the back long and let the hips hinge",
    "hamstrings": "push the hips further back on the way down",
    "calves": "rise as high as you can on the balls of your feet, and let the heels all the way down",
    "upper back": "draw the shoulder blades together at the end of each pull",
}
"""How to make an idle target muscle group work: common gym instruction, one clause each."""


def with_advice(analysis: Analysis) -> Analysis:
    """The same analysis with the cues and the score of each set, and `feedback`: a few sentences in reading order."""
    from fitcli.coaching.form import advice, judge  # numpy
    from fitcli.coaching.framing import usual_advice

    sets = tuple(
        judge(one) if analysis.probability_of(one) >= JUDGED_FROM else replace(one, cues=(), score=None)
        for one in analysis.sets
    )
    sure = [one for one in sets if analysis.probability_of(one) >= SURE_OF_EXERCISE]
    guessed = [one for one in sets if one not in sure and one.cues]
    form = advice(sure)
    for one in guessed[: not form]:
        form = [f"If this is the {one.exercise}: {sentence[0].lower()}{sentence[1:]}" for sentence in advice([one], 1)]
    # A doubtful answer is often due to a body that is only partly in the picture.
    exercise = analysis.exercise
    doubtful = exercise.probability < SURE_OF_EXERCISE if exercise else analysis.status is Status.UNCERTAIN
    film = usual_advice(analysis.track) if doubtful and analysis.track else None
    return replace(analysis, sets=sets, feedback=(*muscle_advice(analysis), *([film] if film else []), *form))


def muscle_advice(analysis: Analysis) -> list[str]:
    """Advice on muscles: which target muscles seem idle, and which others seem to take over.

    Muscles are judged only if the exercise is certain. If no exercise is named, the advice is how to film it better.
    """
    if analysis.status is Status.NO_PERSON:
        return ["Place the camera so that your whole body stays in the picture, and have the light in front of you."]
    if analysis.status is Status.UNCERTAIN:
        return ["Film a few repetitions of one exercise from the side or at an angle, whole body in the picture."]
    if analysis.exercise is None:
        return []
    if analysis.muscle_scores == "softmax":  # shares of one whole do not show what is enough
        return []
    if len(analysis.performed) > 1:  # activations are those of all exercises together and fit no single ideal
        return []
    targets = [muscle for muscle in analysis.muscles if muscle.ideal]
    idle = sorted((muscle for muscle in targets if not muscle.works), key=_activation)
    extra = sorted((m for m in analysis.muscles if not m.ideal and m.works), key=_activation, reverse=True)
    name = analysis.exercise.name
    if analysis.exercise.probability < SURE_OF_EXERCISE:
        # The networks infer activation from the exercise too, so doubt about it does not mean idle muscles.
        return [f"If this is the {name}, it should make your {_join(muscle.name for muscle in targets)} work."]
    if idle:
        advice = [f"{_names(idle)} {_seem(idle)} under-used for the {name}: {LET_IT_WORK[idle[0].name]}."]
    else:
        advice = [f"{_names(targets)} {_verb(targets, 'work')}, as the {name} should make {_them(targets)}."]
    if extra:
        lead = "take less weight and let" if idle else "check the load, and let"
        advice.append(f"{_names(extra)} {_take_over(extra)}: {lead} the {_join(m.name for m in targets)} lead.")
    return advice


def _activation(muscle: MuscleScore) -> float:
    return muscle.activation


def _clear(muscles: list[MuscleScore]) -> bool:
    return any(abs(muscle.activation - WORKS) >= CLEAR for muscle in muscles)


def _plural(muscles: list[MuscleScore]) -> bool:
    return len(muscles) > 1 or muscles[0].name not in ("chest", "lower back", "upper back")


def _verb(muscles: list[MuscleScore], plural: str) -> str:
    return plural if _plural(muscles) else f"{plural}s"


def _them(muscles: list[MuscleScore]) -> str:
    return "them" if _plural(muscles) else "it"


def _seem(muscles: list[MuscleScore]) -> str:
    return _verb(muscles, "look") if _clear(muscles) else "may be"


def _take_over(muscles: list[MuscleScore]) -> str:
    if _clear(muscles):
        return f"{_verb(muscles, 'seem')} to take over part of the work"
    return "may be helping more than needed"


def _names(muscles: list[MuscleScore]) -> str:
    return f"Your {_join(muscle.name for muscle in muscles)}"


def _join(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
