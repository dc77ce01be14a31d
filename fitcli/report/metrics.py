"""The Rich tables, JSON and confusion picture of an evaluation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    # Only the type: `report` comes before `training`, which is heavy to import.
    from fitcli.training.evaluate import Evaluation, Report


def report_table(report: Report) -> Group:
    """Every table of a report: exercises, muscles, classes, groups, the sweep, mistakes."""
    parts: list[Any] = [_summary(report), "", _classes(report)]
    if report.sweep:
        parts += ["", _sweep(report)]
    if report.mistakes:
        parts += ["", _mistakes(report)]
    parts += [Text(f"failed: {sentence}", style="red") for sentence in report.failed]
    return Group(*parts)


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


def _summary(report: Report) -> Table:
    table = Table(title="On the whole set", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "clips", "top-1", "95 %", "top-3", "macro", "ECE", "micro", "nothing", "mAP", "AUC", "F1"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for evaluation in (report.ensemble, *report.alone, *report.groups):
        table.add_row(*_row(evaluation))
    other = report.ensemble.other
    if other.clips:
        table.caption = f"none of the exercises: {other.recognised:.0%} of {other.clips} recognised"
        table.caption_justify = "left"
    return table


def _row(evaluation: Evaluation) -> list[str]:
    exercise, muscle = evaluation.exercise, evaluation.muscle
    row = [evaluation.name]
    if exercise:
        low, high = exercise.top1_interval
        row += [str(exercise.clips), _number(exercise.top1), f"{low:.2f}-{high:.2f}", _number(exercise.top3)]
        row += [_number(exercise.macro_top1), _number(exercise.calibration_error)]
    else:
        row += ["0", *("-",) * 5]
    if muscle:
        row += [_number(muscle.micro_accuracy), _number(muscle.predict_nothing), _number(muscle.mean_average_precision)]
        row += [_number(muscle.auc), _number(muscle.macro_f1)]
    else:
        row += ["-"] * 5
    return row


def _classes(report: Report) -> Table:
    table = Table(title="By exercise (ensemble)", title_justify="left", box=None, pad_edge=False)
    for heading in ("exercise", "clips", "first", "in three"):
        table.add_column(heading, justify="left" if heading == "exercise" else "right")
    for row in report.ensemble.exercise.classes if report.ensemble.exercise else ():
        table.add_row(row.name, *(str(n) if row.clips else "-" for n in (row.clips, row.top1, row.top3)))
    return table


def _sweep(report: Report) -> Table:
    table = Table(
        title=f"Weight of {report.alone[0].name} in the ensemble", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("", justify="left")
    for point in report.sweep:
        table.add_column(f"{point.weight:.1f}", justify="right")
    table.add_row("top-1", *(f"{p.top1:.2f}" for p in report.sweep))
    table.add_row("mAP", *(f"{p.muscle_average_precision:.2f}" for p in report.sweep))
    return table


def _mistakes(report: Report) -> Table:
    table = Table(title="Called something else", title_justify="left", box=None, pad_edge=False)
    for heading in ("clip", "is", "called", "with"):
        table.add_column(heading, justify="right" if heading == "with" else "left")
    for mistake in report.mistakes:
        table.add_row(mistake.id, mistake.truth, mistake.answer, f"{mistake.probability:.0%}")
    return table
