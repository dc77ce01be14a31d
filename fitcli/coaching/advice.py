"""An `Analysis` in, advice sentences out: the predicted activation against what the exercise is meant to work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fitcli.results.analysis import WORKS, Analysis, MuscleScore, Status

CLEAR = 0.15
"""An activation at least this far from `WORKS` is stated plainly, a nearer one with a "may"."""

SURE_OF_EXERCISE = 0.75
"""Below this probability of the exercise, advice that depends on it begins with an "if", and muscles are not judged."""

JUDGED_FROM = 0.4
"""Below this probability of a set's exercise its form is not judged: the cues would be another exercise's."""

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
"""What to change so that a muscle group that should work does: common gym instruction, one clause for each."""


def with_advice(analysis: Analysis) -> Analysis:
    """The same analysis with each set's cues and score, and `feedback`: a few sentences, in the order to read them."""
    from fitcli.coaching.form import advice, judge  # numpy, which listing the history need not wait for
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
    # A sure answer needs no better picture; a doubtful one often comes of a body that is only partly in it.
    exercise = analysis.exercise
    doubtful = exercise.probability < SURE_OF_EXERCISE if exercise else analysis.status is Status.UNCERTAIN
    film = usual_advice(analysis.track) if doubtful and analysis.track else None
    return replace(analysis, sets=sets, feedback=(*muscle_advice(analysis), *([film] if film else []), *form))


def muscle_advice(analysis: Analysis) -> list[str]:
    """What the muscles say: which target muscles seem left out, and which others seem to take over.

    That is said of a sure exercise alone, and nothing is compared with an ideal where none is named: then the sentence
    says how to film it better.
    """
    if analysis.status is Status.NO_PERSON:
        return ["Place the camera so that your whole body stays in the picture, and have the light in front of you."]
    if analysis.status is Status.UNCERTAIN:
        return ["Film a few repetitions of one exercise from the side or at an angle, whole body in the picture."]
    if analysis.exercise is None or analysis.muscle_scores == "softmax":  # shares of one whole say nothing of "enough"
        return []
    if len(analysis.performed) > 1:  # the muscles are those of all of them together, and fit the ideal of none
        return []
    targets = [muscle for muscle in analysis.muscles if muscle.ideal]
    idle = sorted((muscle for muscle in targets if not muscle.works), key=_activation)
    extra = sorted((m for m in analysis.muscles if not m.ideal and m.works), key=_activation, reverse=True)
    name = analysis.exercise.name
    if analysis.exercise.probability < SURE_OF_EXERCISE:
        # How much a muscle works is told by the exercise too, so a doubt about that one is no sign of idle muscles.
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
