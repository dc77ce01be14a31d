"""Progress over the stored sessions: weekly work, streaks, best sets, score trends, trained and neglected muscles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fitcli.catalog import catalog
from fitcli.history.store import Session

WEEKS = 12
"""Weeks shown, the current one last."""

NEGLECTED_AFTER_DAYS = 7
"""Days without a session after which a muscle group counts as neglected."""

TREND_SESSIONS = 5
"""Sessions whose mean score is compared with the mean of as many before them; fewer in a short history."""

EPLEY_LIMIT = 12
"""Most repetitions that Epley's formula applies to: longer sets say little about strength."""


@dataclass(frozen=True)
class Week:
    """The work of the week that begins on `monday`; `held_s` is the sum of all holds."""

    monday: date
    sessions: int
    repetitions: int
    held_s: float = 0.0


@dataclass(frozen=True)
class BestSet:
    """The best set of an exercise: by estimated one-repetition maximum, else by hold, cadence or repetitions.

    repetitions: those of that set; None if none were counted.
    one_repetition_max_kg: Epley's estimate; None without a weight, and for sets that are too long.
    held_s, cadence_per_min: None for exercises that are not measured by them.
    """

    exercise: str
    session: Session
    repetitions: int | None
    one_repetition_max_kg: float | None
    held_s: float | None = None
    cadence_per_min: float | None = None


@dataclass(frozen=True)
class ScoreTrend:
    """The mean score 0..100 of an exercise over its latest sessions, and over as many before those."""

    exercise: str
    latest: float
    before: float


@dataclass(frozen=True)
class Reached:
    """A value that one session of an exercise reached: its score 0..100, estimated one-repetition maximum in kilograms,
    longest hold in seconds, or highest cadence in repetitions a minute."""

    exercise: str
    day: date
    value: float


@dataclass(frozen=True)
class MuscleTraining:
    """Sessions of the last week in which a muscle group worked, and the day on which it last worked."""

    name: str
    sessions: int
    last: date | None
    neglected: bool


@dataclass(frozen=True)
class TrainingProgress:
    """Progress over a history: weeks and reached values oldest first, exercises and muscles in the catalogue's order.

    `muscles` are those that the networks of any session know.
    """

    sessions: int
    repetitions: int
    first: date | None
    days_in_a_row: int
    weeks_in_a_row: int
    weeks: tuple[Week, ...]
    best: tuple[BestSet, ...]
    trends: tuple[ScoreTrend, ...]
    muscles: tuple[MuscleTraining, ...]
    reached_scores: tuple[Reached, ...] = ()
    reached_maxima_kg: tuple[Reached, ...] = ()
    reached_holds_s: tuple[Reached, ...] = ()
    reached_cadences_per_min: tuple[Reached, ...] = ()

    @property
    def shown_weeks(self) -> tuple[Week, ...]:
        """The weeks since the first session."""
        return tuple(week for week in self.weeks if self.first and week.monday + timedelta(days=7) > self.first)

    @property
    def exercises(self) -> tuple[str, ...]:
        """The exercises with any reached value."""
        reached = (self.reached_scores, self.reached_maxima_kg, self.reached_holds_s, self.reached_cadences_per_min)
        known = {each.exercise for kind in reached for each in kind}
        return tuple(name for name in catalog().exercise_names if name in known)

    def scores(self, exercise: str) -> tuple[Reached, ...]:
        """The scores of one exercise."""
        return tuple(each for each in self.reached_scores if each.exercise == exercise)

    def maxima(self, exercise: str) -> tuple[Reached, ...]:
        """The estimated one-repetition maxima of one exercise."""
        return tuple(each for each in self.reached_maxima_kg if each.exercise == exercise)

    def holds(self, exercise: str) -> tuple[Reached, ...]:
        """The longest hold of each session of one exercise, in seconds."""
        return tuple(each for each in self.reached_holds_s if each.exercise == exercise)

    def cadences(self, exercise: str) -> tuple[Reached, ...]:
        """The highest cadence of each session of one exercise, in repetitions a minute."""
        return tuple(each for each in self.reached_cadences_per_min if each.exercise == exercise)


def training_progress(sessions: Iterable[Session], now: datetime) -> TrainingProgress:
    """The progress as of `now`, an aware time whose time zone decides where days and weeks begin."""
    known = list(sessions)
    days = {id(session): session.created.astimezone(now.tzinfo).date() for session in known}
    trained = set(days.values())
    today = now.date()
    monday = _monday(today)
    weeks = []
    for start in (monday - timedelta(weeks=back) for back in reversed(range(WEEKS))):
        within = [session for session in known if _monday(days[id(session)]) == start]
        repetitions = sum(session.analysis.repetitions or 0 for session in within)
        weeks.append(Week(start, len(within), repetitions, sum(sum(session.set_holds_s) for session in within)))
    return TrainingProgress(
        sessions=len(known),
        repetitions=sum(session.analysis.repetitions or 0 for session in known),
        first=min(trained, default=None),
        days_in_a_row=_streak(trained, today, timedelta(days=1)),
        weeks_in_a_row=_streak({_monday(day) for day in trained}, monday, timedelta(weeks=1)),
        weeks=tuple(weeks),
        best=_best(known),
        trends=_trends(known),
        muscles=tuple(_muscle(name, known, days, today) for name in _known_muscles(known)),
        reached_scores=_reached(known, days, lambda session: session.score),
        reached_maxima_kg=_reached(known, days, _max_kg),
        reached_holds_s=_reached(known, days, lambda session: max(session.set_holds_s, default=None)),
        reached_cadences_per_min=_reached(known, days, lambda session: max(session.set_cadences_per_min, default=None)),
    )


def best_set(session: Session) -> BestSet | None:
    """The best set of a session; None without an exercise, and without repetitions, a hold and a weight."""
    exercise, weight_kg = session.analysis.exercise, session.weight_kg
    if exercise is None or not (session.analysis.repetitions or session.set_holds_s or weight_kg):
        return None
    held_s = max(session.set_holds_s, default=None)
    cadence = max(session.set_cadences_per_min, default=None)
    sets = session.set_repetitions or tuple(filter(None, (session.analysis.repetitions,)))
    estimates = {number: estimate for number in sets if (estimate := _estimate_kg(weight_kg, number))}
    if estimates:
        repetitions = max(estimates, key=lambda number: estimates[number])
        return BestSet(exercise.name, session, repetitions, estimates[repetitions], held_s, cadence)
    return BestSet(exercise.name, session, max(sets, default=None), None, held_s, cadence)


def _estimate_kg(weight_kg: float | None, repetitions: int) -> float | None:
    return one_repetition_max_kg(weight_kg, repetitions) if weight_kg else None


def _max_kg(session: Session) -> float | None:
    best = best_set(session)
    return best.one_repetition_max_kg if best else None


def one_repetition_max_kg(weight_kg: float, repetitions: int) -> float | None:
    """Epley's estimate `w (1 + r / 30)` of the weight that could be moved once, or the weight itself if it was.

    None for no repetition, and for more than `EPLEY_LIMIT`. Epley, B., Poundage Chart, Boyd Epley Workout,
    1985.
    """
    if not 1 <= repetitions <= EPLEY_LIMIT:
        return None
    return weight_kg if repetitions == 1 else weight_kg * (1 + repetitions / 30)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _streak(trained: set[date], latest: date, step: timedelta) -> int:
    """The number of days or weeks in a row up to now; the current one may still be without a session."""
    if latest not in trained:
        latest -= step
    length = 0
    while latest - length * step in trained:
        length += 1
    return length


def _best(sessions: Iterable[Session]) -> tuple[BestSet, ...]:
    candidates: dict[str, list[BestSet]] = defaultdict(list)
    for session in sessions:
        if best := best_set(session):
            candidates[best.exercise].append(best)

    def merit(best: BestSet) -> tuple[float, ...]:
        strength = (best.one_repetition_max_kg or 0, best.session.weight_kg or 0)
        return (*strength, best.held_s or 0, best.cadence_per_min or 0, best.repetitions or 0)

    return tuple(max(candidates[name], key=merit) for name in catalog().exercise_names if name in candidates)


def _reached(
    sessions: Iterable[Session], days: dict[int, date], value: Callable[[Session], float | None]
) -> tuple[Reached, ...]:
    return tuple(
        Reached(session.analysis.exercise.name, days[id(session)], reached)
        for session in sorted(sessions, key=lambda session: session.created)
        if session.analysis.exercise and (reached := value(session)) is not None
    )


def _trends(sessions: Iterable[Session]) -> tuple[ScoreTrend, ...]:
    scores: dict[str, list[float]] = defaultdict(list)
    for session in sorted(sessions, key=lambda session: session.created):
        if session.analysis.exercise and session.score is not None:
            scores[session.analysis.exercise.name].append(session.score)
    trends = []
    for name in catalog().exercise_names:
        compared = min(TREND_SESSIONS, len(scores[name]) // 2)
        if compared:
            latest, before = scores[name][-compared:], scores[name][-2 * compared : -compared]
            trends.append(ScoreTrend(name, sum(latest) / compared, sum(before) / compared))
    return tuple(trends)


def _known_muscles(sessions: Iterable[Session]) -> tuple[str, ...]:
    """The muscle groups that the networks of any session know, in the catalogue's order."""
    return catalog().union(session.analysis.classes for session in sessions).muscles


def _muscle(name: str, sessions: Iterable[Session], days: dict[int, date], today: date) -> MuscleTraining:
    worked = [
        days[id(session)]
        for session in sessions
        if any(muscle.name == name and muscle.works for muscle in session.analysis.muscles)
    ]
    recent = [day for day in worked if (today - day).days < NEGLECTED_AFTER_DAYS]
    return MuscleTraining(name, len(recent), max(worked, default=None), neglected=not recent)
