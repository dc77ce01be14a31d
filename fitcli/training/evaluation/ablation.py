"""The paper's tables on any data set: which runs they need, each run once, and what the runs score on the test part."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fitcli import isolation
from fitcli.errors import FitcliError, MissingInputError, Setting, StorageError
from fitcli.network.checkpoint import sha256
from fitcli.network.scores import softmax
from fitcli.network.spec import RGB_NETWORKS
from fitcli.outputs import replace_text
from fitcli.training.metrics import exercise_metrics, muscle_metrics
from fitcli.training.rgb.kinetics import FILES as PUBLISHED
from fitcli.training.rgb.module import Scores
from fitcli.training.rgb.pretrained import KINETICS_CHANNEL_REDUCTION
from fitcli.training.rgb.videos import LabelledVideo, VideoFolder
from fitcli.training.run_folder import error_of

TABLES = ("pretrained", "x3d", "slowfast", "reduction", "transfer", "ensemble")

WEIGHTS = tuple(round(step * 0.1, 1) for step in range(11))
"""Shares of the first network that the ensemble's table tries."""

BOOTSTRAPS = 1000
SLOW_BOOTSTRAPS = 200
"""For average precision, which is not a sum over clips."""

PLAN_FILE, SCORES_FILE, OUTPUT_FILE = "ablation.json", "test.npz", "output.log"

PLANNED = frozenset(
    [
        *("--run", "--architecture", "-a", "--heads", "--pretrained", "--initialize", "--new-heads"),
        *("--freeze-backbone", "--channel-reduction", "--recipe"),
    ]
)
"""Options of `fitcli train videos` that the tables set themselves."""


@dataclass(frozen=True)
class Run:
    """One training run. `start` is the run whose backbone it begins with, or None."""

    architecture: str
    heads: str = "both"
    pretrained: str = "none"
    channel_reduction: int = KINETICS_CHANNEL_REDUCTION
    start: Run | None = None
    frozen: bool = False

    @property
    def name(self) -> str:
        """The name of its folder."""
        parts = [self.architecture, self.heads, self.pretrained]
        if self.channel_reduction != KINETICS_CHANNEL_REDUCTION:
            parts.append(f"reduction{self.channel_reduction}")
        if self.start:
            parts.append(f"from-{self.start.heads}")
        if self.frozen:
            parts.append("frozen")
        return "-".join(parts)

    def arguments(self, folder: Path) -> list[str]:
        """Its options of `fitcli train videos`."""
        options = ["-a", self.architecture, "--heads", self.heads, "--run", str(folder / self.name)]
        options += ["--pretrained", self.pretrained]
        if RGB_NETWORKS[self.architecture].architecture == "slowfast":
            options += ["--channel-reduction", str(self.channel_reduction)]
        if self.start:
            options += ["--initialize", str(self.start.checkpoint(folder)), "--new-heads"]
        if self.frozen:
            options += ["--freeze-backbone"]
        return options

    def checkpoint(self, folder: Path) -> Path:
        return folder / self.name / f"{self.architecture}.ckpt"


@dataclass(frozen=True)
class Row:
    """One line of a table: what is varied, and the run or, with `weight` on the first, the two runs that answer."""

    label: str
    runs: tuple[Run, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Plan:
    """What to compare. networks: SlowFast and X3D of the ensemble; x3d, slowfast, reductions: what those tables try."""

    tables: tuple[str, ...] = TABLES
    networks: tuple[str, str] = ("slowfast_r50", "x3d_m")
    x3d: tuple[str, ...] = ("x3d_xs", "x3d_s", "x3d_m")
    slowfast: tuple[str, ...] = ("slowfast_r18", "slowfast_r50", "slowfast_r101")
    reductions: tuple[int, ...] = (2, 4, 6, 8, 10, 12, 14, 16)
    pretrained: str = "kinetics"

    def rows(self) -> dict[str, list[Row]]:
        """The lines of every table that was asked for."""
        makers: dict[str, Callable[[], list[Row]]] = {
            "pretrained": self._pretrained,
            "x3d": lambda: [Row(_named(run), (run,)) for run in map(self._base, self.x3d)],
            "slowfast": lambda: [Row(_named(run), (run,)) for run in map(self._base, self.slowfast)],
            "reduction": self._reduction,
            "transfer": lambda: [row for name in self.networks for row in self._transfer(name)],
            "ensemble": self._ensemble,
        }
        return {table: makers[table]() for table in TABLES if table in self.tables}

    def runs(self) -> list[Run]:
        """Every run that some table needs, once, each after the one it starts from."""
        needed: dict[str, Run] = {}
        for rows in self.rows().values():
            for run in (run for row in rows for run in row.runs):
                if run.start:
                    needed.setdefault(run.start.name, run.start)
                needed.setdefault(run.name, run)
        return list(needed.values())

    def _base(self, architecture: str) -> Run:
        # There are no published weights for every network.
        published = self.pretrained != "kinetics" or architecture in PUBLISHED
        return Run(architecture, pretrained=self.pretrained if published else "none")

    def _pretrained(self) -> list[Row]:
        kinds = dict.fromkeys((self.pretrained, "none"))
        return [Row(_named(run), (run,)) for run in (Run(n, pretrained=k) for n in self.networks for k in kinds)]

    def _reduction(self) -> list[Row]:
        # All from nothing: the published weights have one reduction, and would win for that reason alone.
        runs = [Run(self.networks[0], channel_reduction=reduction) for reduction in self.reductions]
        return [Row(f"{run.architecture}, reduction {run.channel_reduction}", (run,)) for run in runs]

    def _transfer(self, architecture: str) -> Iterator[Row]:
        base = self._base(architecture).pretrained
        for head, other in (("muscle", "exercise"), ("exercise", "muscle")):
            alone = Run(architecture, head, base)
            start = Run(architecture, other, base)
            yield Row(f"{architecture}: {head}, from {_start_name(base)}", (alone,))
            for frozen in (False, True):
                run = Run(architecture, head, base, start=start, frozen=frozen)
                how = "backbone frozen" if frozen else "fine-tuned"
                yield Row(f"{architecture}: {head}, from {other} checkpoint, {how}", (run,))

    def _ensemble(self) -> list[Row]:
        first, second = map(self._base, self.networks)
        return [
            Row(f"{w:.1f} {first.architecture} + {1 - w:.1f} {second.architecture}", (first, second), w)
            for w in WEIGHTS
        ]


@dataclass(frozen=True)
class Figure:
    """A share 0..1 with its 95 % bootstrap interval, None where one recording is all there is."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """One line of a table with what it scored; None where the head is missing. `fault` is why there is no score."""

    label: str
    top1: Figure | None = None
    top3: float | None = None
    macro_top1: float | None = None
    micro_accuracy: Figure | None = None
    predict_nothing: float | None = None
    average_precision: Figure | None = None
    auc: float | None = None
    macro_f1: float | None = None
    fault: str = ""


@dataclass(frozen=True)
class AblationReport:
    """Every table, and what they were measured on: `clips` of `recordings` that no training saw."""

    data: str
    clips: int
    recordings: int
    options: tuple[str, ...]
    tables: dict[str, tuple[Line, ...]]

    @property
    def faults(self) -> int:
        return sum(bool(line.fault) for lines in self.tables.values() for line in lines)


def claim(folder: Path, plan: Plan, options: Seq[str]) -> None:
    """Note in `folder` how its runs are trained; raises where it holds runs that were trained otherwise."""
    # Tables may be added later; how a run is trained may not change under its name.
    text = json.dumps({"pretrained": plan.pretrained, "options": list(options)}, indent=2) + "\n"
    file = folder / PLAN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.exists() and file.read_text(encoding="utf-8") != text:
            raise StorageError(
                f"{folder} holds runs that were trained with other options: name another folder.",
                setting=Setting.OUTPUT_FOLDER,
            )
        replace_text(file, text)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror}): choose another folder.", setting=Setting.OUTPUT_FOLDER
        ) from error


def perform(run: Run, data: Path, folder: Path, options: Seq[str]) -> str:
    """Train `run` in a process of its own unless it is finished; returns why it failed, or "".

    A process each, so that a run that fails takes no other with it, and so that one may use several devices.
    """
    checkpoint = run.checkpoint(folder)
    if checkpoint.exists():
        return ""
    if run.start and not run.start.checkpoint(folder).exists():
        return f"its start, {run.start.name}, was not trained"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    command = isolation.command("fitcli", "train", "videos", str(data), *run.arguments(folder), "--quiet", *options)
    with (checkpoint.parent / OUTPUT_FILE).open("ab") as log:
        done = subprocess.run(
            command, env=isolation.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    if done.returncode == 0 and checkpoint.exists():
        return ""
    return error_of(checkpoint.parent) or f"it ended with exit code {done.returncode}."


def run_scores(run: Run, folder: Path, videos: Seq[LabelledVideo], score: Callable[[Path], Scores]) -> Scores:
    """What a finished run says of the test videos: from its folder, or scored now and kept there."""
    checkpoint = run.checkpoint(folder)
    file = checkpoint.parent / SCORES_FILE
    identity = sha256(checkpoint) + "".join(f"\n{video.path}" for video in videos)
    if file.exists():
        with np.load(file) as kept:
            if str(kept["identity"]) == identity:
                return Scores(*(kept[name] for name in ("exercise", "muscle", "exercise_target", "muscle_target")))
    scores = score(checkpoint)
    np.savez(file, identity=np.array(identity), **asdict(scores))
    return scores


def measured(row: Row, scores: Seq[Scores], groups: Seq[str]) -> Line:
    """A line's figures over the whole set, with intervals from drawing whole recordings again and again."""
    exercise, muscle = (
        sum(weight * getattr(part, head) for weight, part in zip((row.weight, 1 - row.weight), scores, strict=False))
        for head in ("exercise", "muscle")
    )
    names = np.array(groups)
    line: dict[str, object] = {}
    known = scores[0].exercise_target >= 0
    if exercise.shape[1] and known.any():
        targets = scores[0].exercise_target[known]
        probabilities = softmax(exercise[known].astype(np.float32))
        figures = exercise_metrics(probabilities, targets, tuple(map(str, range(exercise.shape[1]))))
        hits = (probabilities.argmax(1) == targets).astype(float)
        line |= {
            "top1": Figure(figures.top1, mean_interval(hits, np.ones_like(hits), names[known])),
            "top3": figures.top3,
            "macro_top1": figures.macro_top1,
        }
    if muscle.shape[1]:
        targets = scores[0].muscle_target
        evidence = ~np.isnan(targets).all(1)
        activations = (1 / (1 + np.exp(-muscle[evidence]))).astype(np.float32)
        truth = targets[evidence].astype(np.float32)
        answers = muscle_metrics(activations, truth)
        answered = ~np.isnan(truth)
        right = (((activations >= 0.5) == (truth > 0.5)) & answered).sum(1).astype(float)
        line |= {
            "micro_accuracy": Figure(
                answers.micro_accuracy, mean_interval(right, answered.sum(1).astype(float), names[evidence])
            ),
            "predict_nothing": answers.predict_nothing,
            "average_precision": Figure(
                answers.mean_average_precision, _precision_interval(activations, truth, names[evidence])
            ),
            "auc": answers.auc,
            "macro_f1": answers.macro_f1,
        }
    return Line(row.label, **line)  # type: ignore[arg-type]


def mean_interval(hits: np.ndarray, counted: np.ndarray, groups: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of hits.sum() / counted.sum() over draws of whole groups; None for a single group."""
    _, number = np.unique(groups, return_inverse=True)
    size = number.max() + 1
    if size < 2:
        return None
    hit, count = (np.bincount(number, values, size) for values in (hits, counted))
    drawn = np.random.default_rng(0).multinomial(size, np.full(size, 1 / size), BOOTSTRAPS)
    shares = (drawn @ hit) / np.maximum(drawn @ count, 1e-9)
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def _precision_interval(activations: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> tuple[float, float] | None:
    from sklearn.metrics import average_precision_score

    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    if len(members) < 2:
        return None
    rng = np.random.default_rng(0)
    values = []
    for _ in range(SLOW_BOOTSTRAPS):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        each = []
        for muscle in range(truth.shape[1]):
            known = rows[~np.isnan(truth[rows, muscle])]
            right = truth[known, muscle]
            if 0 < right.sum() < len(right):  # as in `muscle_metrics`: muscles that occur working and idle
                each.append(average_precision_score(right, activations[known, muscle]))
        if each:
            values.append(float(np.mean(each)))
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def held_out(folder: VideoFolder) -> tuple[LabelledVideo, ...]:
    """The videos that the tables are measured on; raises `MissingInputError` where there are none."""
    videos = folder.split("test")
    if not videos:
        raise MissingInputError(f"{folder.root} has no videos in test/: `fitcli dataset split` makes the three parts.")
    return videos


def report(
    plan: Plan,
    folder: Path,
    data: VideoFolder,
    options: Seq[str],
    faults: dict[str, str],
    score: Callable[[Path], Scores],
) -> AblationReport:
    """Every table that was asked for, from the runs in `folder`; `faults` says by name why a run is missing."""
    videos = held_out(data)
    groups = [video.group for video in videos]

    def line(row: Row) -> Line:
        fault = next((faults[run.name] for run in row.runs if run.name in faults), "")
        if fault:
            return Line(row.label, fault=fault)
        try:
            return measured(row, [run_scores(run, folder, videos, score) for run in row.runs], groups)
        except FitcliError as error:
            return Line(row.label, fault=str(error))

    tables = {name: tuple(line(row) for row in rows) for name, rows in plan.rows().items()}
    return AblationReport(str(data.root), len(videos), len(set(groups)), tuple(options), tables)


def _named(run: Run) -> str:
    return f"{run.architecture}, from {_start_name(run.pretrained)}"


def _start_name(pretrained: str) -> str:
    return {"kinetics": "Kinetics", "none": "nothing"}.get(pretrained, Path(pretrained).name)
