"""The Rich tables, JSON and confusion picture of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    # Only for the types: the module imports torchmetrics, which takes seconds.
    from fitcli.training.evaluation.evaluate import Evaluation, Report, SweepPoint


def report_table(report: Report) -> Group:
    """Tables of exercises, muscles, classes, sweeps and mistakes, and the answers in sentences."""
    tables = [_exercises(report), _muscles(report), _classes(report)]
    # Where no exercise and no muscle is known, no weight is better than another.
    if report.ensemble.exercise or report.ensemble.muscle:
        tables += [_sweep(network, list(p)) for network, p in groupby(report.sweep, lambda point: point.network)]
    tables.append(_mistakes(report))
    parts: list[Any] = []
    for table in tables:
        parts += [table, ""] if table.row_count else []
    answers = [Text(sentence) for sentence in _answers(report)]
    failed = [Text(f"failed: {sentence}", style="red") for sentence in report.failed]
    return Group(*parts, *answers, *failed)


def report_json(report: Report) -> dict[str, Any]:
    """The report in plain values; NaN (nothing to measure) becomes None."""
    plain: dict[str, Any] = _plain(asdict(report))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, float):
        return None if value != value else round(value, 4)
    return value


def save_confusion(report: Report, path: Path) -> None:
    """The ensemble's confusion matrix as a picture: rows are the truth, counts in the cells."""
    import matplotlib

    matplotlib.rcdefaults()  # not what a matplotlibrc in the current folder says
    matplotlib.use("Agg")  # no display needed
    import matplotlib.pyplot as plt

    measured = report.ensemble.exercise
    if measured is None:
        return
    names = [c.name for c in measured.classes]
    shares = measured.confusion / measured.confusion.sum(1, keepdims=True).clip(1)
    figure, axes = plt.subplots(figsize=(9, 8), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(measured.confusion):
        for column, count in enumerate(counts):
            if count:
                axes.text(
                    column,
                    row,
                    count,
                    ha="center",
                    va="center",
                    color="white" if shares[row, column] > 0.5 else "black",
                )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    axes.set_title(f"{measured.clips} clips, top-1 {measured.top1:.2f}, top-3 {measured.top3:.2f}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _exercises(report: Report) -> Table:
    table = _table("Exercises", ("", "clips", "top-1", "95 %", "top-3", "macro", "ECE"))
    for evaluation in _evaluations(report):
        if measured := evaluation.exercise:
            low, high = measured.top1_interval
            figures = (measured.top3, measured.macro_top1, measured.calibration_error)
            table.add_row(
                evaluation.name,
                str(measured.clips),
                _number(measured.top1),
                f"{low:.2f}-{high:.2f}",
                *map(_number, figures),
            )
    return table


def _answers(report: Report) -> Iterator[str]:
    """The answers that users would get, in sentences."""
    other = report.ensemble.other
    if exercise := report.ensemble.exercise:
        yield (
            f"Of {exercise.clips} clips of the exercises {other.named} are named, {other.right} of them rightly; "
            f"{other.uncertain:.0%} are not sure, {other.refused:.0%} are called none of them."
        )
    if other.clips:
        yield (
            f"Of {other.clips} clips of other exercises {other.recognised:.0%} are recognised as such; "
            f"a wrong name is given to {other.misnamed}."
        )


def _muscles(report: Report) -> Table:
    table = _table("Muscles", ("", "micro accuracy", "predicting none", "mAP", "AUC", "macro F1"))
    for evaluation in _evaluations(report):
        if measured := evaluation.muscle:
            figures = (measured.micro_accuracy, measured.predict_nothing, measured.mean_average_precision)
            table.add_row(evaluation.name, *map(_number, (*figures, measured.auc, measured.macro_f1)))
    return table


def _evaluations(report: Report) -> tuple[Evaluation, ...]:
    return (report.ensemble, *report.alone, *report.groups)


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=bool(heading))
    return table


def _classes(report: Report) -> Table:
    table = Table(title="By exercise (ensemble)", title_justify="left", box=None, pad_edge=False)
    for heading in ("exercise", "clips", "first", "in three"):
        table.add_column(heading, justify="left" if heading == "exercise" else "right")
    for row in report.ensemble.exercise.classes if report.ensemble.exercise else ():
        table.add_row(row.name, *(str(n) if row.clips else "-" for n in (row.clips, row.top1, row.top3)))
    return table


def _sweep(network: str, points: list[SweepPoint]) -> Table:
    table = Table(title=f"Weight of {network} in the ensemble", title_justify="left", box=None, pad_edge=False)
    table.add_column("", justify="left")
    for point in points:
        table.add_column(f"{point.weight:.1f}", justify="right")
    table.add_row("top-1", *(f"{p.top1:.2f}" for p in points))
    table.add_row("mAP", *(f"{p.muscle_average_precision:.2f}" for p in points))
    return table


def _mistakes(report: Report) -> Table:
    table = Table(title="Called something else", title_justify="left", box=None, pad_edge=False)
    for heading in ("clip", "is", "called", "with"):
        table.add_column(heading, justify="right" if heading == "with" else "left")
    for mistake in report.mistakes:
        table.add_row(mistake.id, mistake.truth, mistake.answer, f"{mistake.probability:.0%}")
    return table
